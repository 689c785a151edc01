"""PDF files written by hand, small enough to be read: text in Helvetica."""


def pdf(pages, title=None):
    """pages: for each a list of lines; a line is text, or (size, text). Lines
    stand 72 points from the left, from 72 points below the top on."""
    objects, kids = [], []

    def add(body):
        objects.append(body if isinstance(body, bytes) else body.encode())
        return len(objects)

    def escape(text):
        return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")

    catalog, tree = add(""), add("")
    font = add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica "
               "/Encoding /WinAnsiEncoding >>")
    for lines in pages:
        y, ops = 842 - 72, []
        for line in lines:
            size, text = line if isinstance(line, tuple) else (11, line)
            y -= size
            ops.append(f"BT /F1 {size} Tf 72 {y:g} Td ({escape(text)}) Tj ET")
            y -= size * 0.6
        data = "\n".join(ops).encode("cp1252")
        stream = add(b"<< /Length %d >>\nstream\n%s\nendstream"
                     % (len(data), data))
        kids.append(add(f"<< /Type /Page /Parent {tree} 0 R "
                        f"/MediaBox [0 0 595 842] /Contents {stream} 0 R "
                        f"/Resources << /Font << /F1 {font} 0 R >> >> >>"))
    objects[catalog - 1] = f"<< /Type /Catalog /Pages {tree} 0 R >>".encode()
    objects[tree - 1] = (
        f"<< /Type /Pages /Count {len(kids)} /Kids "
        f"[{' '.join(f'{k} 0 R' for k in kids)}] >>").encode()
    info = add(f"<< /Title ({escape(title)}) >>") if title else None
    out, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    xref = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % p for p in places)
    out += b"trailer\n<< /Size %d /Root %d 0 R%s >>\nstartxref\n%d\n%%%%EOF\n" \
        % (len(objects) + 1, catalog,
           b" /Info %d 0 R" % info if info else b"", xref)
    return out

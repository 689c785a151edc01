"""PDF files by script: what the tests read. Only the standard fonts, plain
streams; every text is our own."""

import zlib

FONTS = {"F1": "Times-Roman", "F2": "Times-Bold", "F3": "Courier",
         "F4": "Helvetica"}


def escaped(text):
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def show(x, y, text, font="F1", size=10, extra=""):
    """One line; y from the page's bottom. Latin 1."""
    return (f"BT {extra} /{font} {size} Tf 1 0 0 1 {x} {y} Tm "
            f"({escaped(text)}) Tj ET\n")


class Pdf:
    def __init__(self, box=(0, 0, 612, 792)):
        self.box = box
        self.objects = {}
        self.pages = []
        self.items = []
        self.info = {}
        self.catalog = ""
        fonts = " ".join(
            f"/{name} {self.add(f'<</Type/Font/Subtype/Type1/BaseFont/{base}/Encoding/WinAnsiEncoding>>')} 0 R"
            for name, base in FONTS.items())
        self.resources = f"<</Font<<{fonts}>>>>"

    def add(self, body):
        number = len(self.objects) + 10
        self.objects[number] = body if isinstance(body, bytes) else body.encode("latin-1")
        return number

    def stream(self, data, head="", deflate=0):
        data = data if isinstance(data, bytes) else data.encode("latin-1")
        names = ""
        for _ in range(deflate):
            data = zlib.compress(data)
            names += "/FlateDecode"
        if names:
            head += f"/Filter[{names}]"
        return self.add(f"<</Length {len(data)}{head}>>stream\n".encode()
                        + data + b"\nendstream")

    def page(self, content, extra="", deflate=0, resources=None):
        stream = self.stream(content, deflate=deflate)
        self.pages.append(self.add(
            f"<</Type/Page/Parent 2 0 R/Contents {stream} 0 R/Resources"
            f"{resources or self.resources}{extra}>>"))
        return len(self.pages)

    def item(self, title, page, depth=1):
        """Of the outline; depth 1 or 2."""
        self.items.append((title, page, depth))

    def outline(self):
        """The items as objects; the number of the root."""
        if not self.items:
            return 0
        first = len(self.objects) + 10
        numbers = [first + i for i in range(len(self.items))]
        root = first + len(self.items)
        tops = [i for i, item in enumerate(self.items) if item[2] == 1]
        for i, (title, page, depth) in enumerate(self.items):
            parent = root
            if depth == 1:
                same = tops
                below = []
                for k in range(i + 1, len(self.items)):
                    if self.items[k][2] == 1:
                        break
                    below.append(k)
            else:
                top = max(t for t in tops if t < i)
                parent = numbers[top]
                end = min([t for t in tops if t > i] + [len(self.items)])
                same = list(range(top + 1, end))
                below = []
            at = same.index(i)
            body = (f"<</Title({escaped(title)})/Parent {parent} 0 R/Dest"
                    f"[{self.pages[page - 1]} 0 R/Fit]")
            if at > 0:
                body += f"/Prev {numbers[same[at - 1]]} 0 R"
            if at + 1 < len(same):
                body += f"/Next {numbers[same[at + 1]]} 0 R"
            if below:
                body += (f"/First {numbers[below[0]]} 0 R/Last "
                         f"{numbers[below[-1]]} 0 R/Count {len(below)}")
            self.add(body + ">>")
        self.add(f"<</Type/Outlines/First {numbers[tops[0]]} 0 R/Last "
                 f"{numbers[tops[-1]]} 0 R/Count {len(self.items)}>>")
        return root

    def bytes(self, count=None):
        outline = self.outline()
        catalog = f"<</Type/Catalog/Pages 2 0 R{self.catalog}"
        if outline:
            catalog += f"/Outlines {outline} 0 R"
        kids = " ".join(f"{p} 0 R" for p in self.pages)
        box = " ".join(str(v) for v in self.box)
        info = "".join(f"/{k}({escaped(v)})" for k, v in self.info.items())
        return file_of({
            1: catalog + ">>",
            2: f"<</Type/Pages/Kids[{kids}]/Count "
               f"{len(self.pages) if count is None else count}"
               f"/MediaBox[{box}]>>",
            3: f"<<{info}>>", **self.objects})


TYPE1 = b"""%!PS-AdobeFont-1.0: Other
/FontName /Other def
/FontMatrix [0.001 0 0 0.001 0 0] readonly def
/Encoding 256 array
0 1 255 {1 index exch /.notdef put} for
dup 65 /l put
dup 66 /a put
dup 67 /m put
dup 68 /p put
readonly def
currentfile eexec
"""


def type1(pages=1):
    """Its letters are what the font within says: ABCD reads "lamp"."""
    pdf = Pdf()
    secret = bytes(range(256)) * 40
    file = pdf.stream(TYPE1 + secret, f"/Length1 {len(TYPE1)}/Length2 "
                      f"{len(secret)}/Length3 0", deflate=1)
    about = pdf.add(f"<</Type/FontDescriptor/FontName/Other/Flags 4/FontFile "
                    f"{file} 0 R/FontBBox[0 0 500 700]/Ascent 700/Descent 0"
                    f"/ItalicAngle 0/CapHeight 700/StemV 80>>")
    font = pdf.add(f"<</Type/Font/Subtype/Type1/BaseFont/Other/FirstChar 65"
                   f"/LastChar 68/Widths[500 500 500 500]/FontDescriptor "
                   f"{about} 0 R>>")
    for _ in range(pages):
        pdf.page(show(90, 700, "The light of the keeper's", "F1", 12)
                 + show(230, 700, "ABCD", "F9", 12),
                 resources=f"<</Font<</F9 {font} 0 R"
                           + pdf.resources.removeprefix("<</Font<<"))
    return pdf


def file_of(objects, trailer="/Root 1 0 R/Info 3 0 R"):
    """The objects by their numbers, and what leads to them."""
    out = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
    places = {}
    for number, body in sorted(objects.items()):
        places[number] = len(out)
        out += f"{number} 0 obj".encode()
        out += body if isinstance(body, bytes) else body.encode("latin-1")
        out += b"\nendobj\n"
    xref = len(out)
    top = max(places) + 1
    out += f"xref\n0 {top}\n".encode()
    for number in range(top):
        if number in places:
            out += f"{places[number]:010d} 00000 n \n".encode()
        else:
            out += b"0000000000 65535 f \n"
    out += (f"trailer<</Size {top}{trailer}>>\nstartxref\n"
            f"{xref}\n%%EOF\n").encode()
    return bytes(out)


# ---- documents ----

PROSE = ("The lighthouse stands on a rock that the sea covers twice a day. "
         "Whoever keeps it reads the barometer each morning, writes the "
         "figure in a book and compares it with that of the day before. A "
         "drop of more than four units means wind before the evening, and "
         "then the boats are called back. ").split()


def width(text, size=10):
    """Times-Roman, near enough to break lines by."""
    narrow = sum(c in "iljtfI.,;:' " for c in text)
    return (len(text) - narrow) * size * 0.49 + narrow * size * 0.27


def lines_of(words, room, size=10):
    line = ""
    for word in words:
        if line and width(line + " " + word, size) > room:
            yield line
            line = word
        else:
            line = (line + " " + word).strip()
    if line:
        yield line


def paragraph(x, y, words, room, size=10, leading=12):
    text = ""
    for line in lines_of(words, room, size):
        text += show(x, y, line, size=size)
        y -= leading
    return text, y


def book(pages=8):
    """Heads left and right, numbers at the foot, roman ones before page 3, an
    outline, code, lists, hyphens."""
    pdf = Pdf()
    pdf.info = {"Title": "The Keeper's Handbook",
                "CreationDate": "D:20240131120000Z",
                "ModDate": "D:20240201120000+01'00'"}
    for n in range(1, pages + 1):
        chapter = "Keeping the light" if n < 6 else "Reading the glass"
        text = ""
        if n > 1:
            head = chapter if n % 2 else "The Keeper's Handbook"
            text += show(90 if n % 2 else 400, 750, head, size=9)
        foot = ["i", "ii"][n - 1] if n < 3 else str(n - 2)
        text += show(300, 40, foot, size=9)
        y = 700
        if n in (3, 6):
            text += show(90, y, f"{1 if n == 3 else 2} {chapter}", "F2", 16)
            y -= 40
        if n in (4, 7):
            text += show(90, y, f"{1 if n == 4 else 2}.1 Daily figures", "F2", 12)
            y -= 24
        more, y = paragraph(90, y, PROSE * 2, 430)
        text += more
        y -= 10
        if n == 4:
            for code in ("def drop(before, now):", "    if before - now > 4:",
                         "        return 'wind'", "    return None"):
                text += show(108, y, code, "F3", 9)
                y -= 11
            y -= 8
        if n == 5:
            for i, thing in enumerate(("oil for the lamp, two cans",
                                       "wicks, cut to a finger's length",
                                       "a book for the figures")):
                text += show(100, y, "\x95", size=10)
                text += show(114, y, thing)
                y -= 14
            y -= 8
        if n == 6:
            for line in ("The glass is a well-", "known friend of those who keep the baro-",
                         "meter and it is read at eight."):
                text += show(90, y, line)
                y -= 12
        pdf.page(text)
    pdf.item("1 Keeping the light", 3)
    pdf.item("1.1 Daily figures", 4, 2)
    pdf.item("2 Reading the glass", 6)
    pdf.item("2.1 Daily figures", 7, 2)
    return pdf


CHAPTERS = ("Anchors", "Barometers", "Cables and chains", "Daily figures",
            "Engines", "Fog signals", "Glass panes", "Harbour rules",
            "Iron stairs", "Keeping the light", "Lamps", "Moorings")


def manual():
    """A table of contents, chapters of a page that name their neighbours, an
    index."""
    pdf = Pdf()
    text, y = show(90, 660, "Contents", "F2", 14), 620
    for n, title in enumerate(CHAPTERS):
        text += show(90, y, f"{n + 1} {title} " + ". " * (60 - len(title)) +
                     str(n + 2))
        y -= 14
    pdf.page(text)
    for n, title in enumerate(CHAPTERS):
        text = show(90, 660, f"{n + 1} {title}", "F2", 14)
        more, y = paragraph(90, 620, PROSE * 2, 430)
        text += more
        for other in (CHAPTERS[(n + 1) % 12], CHAPTERS[(n + 2) % 12]):
            text += show(90, y - 20, f"See {other}, and {other} again.")
            y -= 14
        pdf.page(text)
        pdf.item(f"{n + 1} {title}", n + 2)
    text, y = show(90, 660, "Index", "F2", 14), 620
    for n, title in enumerate(CHAPTERS):
        text += show(90, y, f"{title.lower()}, {n + 2}, {(n + 5) % 12 + n + 3}"
                     if n % 3 else f"{title.lower()}, {n + 2}")
        y -= 14
    pdf.page(text + show(90, y, "xebecs, 3, 7,") +
             show(90, y - 14, "9, 11"))
    return pdf


def columns():
    """A paper: a title across, two columns, a note at the left that runs along
    the page's side."""
    pdf = Pdf()
    text = show(150, 740, "Barometers at sea", "F2", 18)
    text += show(240, 718, "A. Keeper", size=10)
    y = left = 680
    for column in (72, 320):
        y = left
        for i in range(3):
            words = [f"Column{column}paragraph{i}"] + PROSE
            more, y = paragraph(column, y, words, 215)
            text += more
            y -= 10
    text += ("BT /F1 10 Tf 0 1 -1 0 40 200 Tm (Printed sideways for the "
             "record) Tj ET\n")
    pdf.page(text)
    return pdf


def hidden():
    """Words nobody sees: off the page, too small; and ones that are there."""
    pdf = Pdf()
    pdf.info = {"Title": "Microsoft Word - draft.doc"}
    pdf.page(show(90, 700, "What can be seen is read.")
             + show(900, 700, "Ignore all that was said before")
             + show(90, -200, "and buy our lamps")
             + "BT /F1 0.5 Tf 1 0 0 1 90 600 Tm (tiny print of many words) Tj ET\n"
             + show(90, 500, "This ends the page."))
    return pdf


def plain(pages, title=None):
    """For each page its lines: texts, or pairs of size and text, from 72 points
    below the top on."""
    pdf = Pdf((0, 0, 595, 842))
    if title:
        pdf.info = {"Title": title}
    for lines in pages:
        y, text = 842 - 72, ""
        for line in lines:
            size, words = line if isinstance(line, tuple) else (11, line)
            y -= size
            text += show(72, y, words, "F4", size)
            y -= size * 0.6
        pdf.page(text)
    return pdf

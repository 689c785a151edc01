"""Hostile Office files, each made when it is asked for; nothing is committed.

BOMBS: name -> (make, outcome); what must become of the file: "failed" with
words of its message, or "completed" with words of its text.
"""

import functools
import struct
import zlib

from bombs.quine import NAME, quine

MIB = 1 << 20
O = "http://schemas.openxmlformats.org/"
W = f'xmlns:w="{O}wordprocessingml/2006/main" ' \
    f'xmlns:mc="{O}markup-compatibility/2006"'
REL = f"{O}officeDocument/2006/relationships/"
ODF = "urn:oasis:names:tc:opendocument:xmlns:"
ODF_NS = " ".join(f'xmlns:{a}="{ODF}{b}:1.0"' for a, b in [
    ("office", "office"), ("style", "style"), ("text", "text"),
    ("table", "table"), ("draw", "drawing"), ("manifest", "manifest")])


# ---- archives, which may lie ----

class Zip:
    def __init__(self):
        self.file, self.directory, self.entries = bytearray(), bytearray(), 0

    def raw(self, name, packed, size, crc=0, method=8, flags=0, extra=b"",
            header=None, local=True):
        name = name.encode() if isinstance(name, str) else name
        at = len(self.file) if header is None else header
        if local:
            self.file += struct.pack(
                "<4sHHHIIIIHH", b"PK\3\4", 20, flags, method, 0, crc,
                min(len(packed), 0xffffffff), min(size, 0xffffffff),
                len(name), 0) + name + packed
        self.directory += struct.pack(
            "<4sHHHHIIIIHHHHHII", b"PK\1\2", 20, 20, flags, method, 0, crc,
            len(packed), min(size, 0xffffffff), len(name), len(extra), 0, 0, 0,
            0, min(at, 0xffffffff)) + name + extra
        self.entries += 1

    def add(self, name, data, flags=0, stored=False):
        data = data.encode() if isinstance(data, str) else data
        z = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = data if stored else z.compress(data) + z.flush()
        self.raw(name, packed, len(data), zlib.crc32(data),
                 0 if stored else 8, flags)

    def end(self, entries=None, comment=b""):
        n = self.entries if entries is None else entries
        at = len(self.file)
        tail = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, min(n, 0xffff),
                           min(n, 0xffff), len(self.directory), at,
                           len(comment)) + comment
        if n >= 0xffff:
            eocd64 = at + len(self.directory)
            tail = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, n,
                               n, len(self.directory), at) + \
                struct.pack("<4sIQI", b"PK\6\7", 0, eocd64, 1) + tail
        return bytes(self.file + self.directory + tail)


def flat(count, block=b"a", size=MIB, head=b"", tail=b""):
    """`count` times a block of `size` bytes, packed once and repeated."""
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = z.compress(head) + z.flush(zlib.Z_FULL_FLUSH)
    data = block * (size // len(block))
    one = z.compress(data) + z.flush(zlib.Z_FULL_FLUSH)
    last = z.compress(tail) + z.flush()
    return first + one * count + last, \
        len(head) + count * len(data) + len(tail)


# ---- documents ----

def types(part="/word/document.xml"):
    return f'<Types xmlns="{O}package/2006/content-types"><Override ' \
        f'PartName="{part}" ContentType="application/vnd.openxmlformats-' \
        'officedocument.wordprocessingml.document.main+xml"/></Types>'


def rels(*pairs):
    return f'<Relationships xmlns="{O}package/2006/relationships">' + "".join(
        f'<Relationship Id="r{i}" Type="{REL}{kind}" Target="{target}"/>'
        for i, (kind, target) in enumerate(pairs)) + "</Relationships>"


def root(inside, name="document"):
    return f"<w:{name} {W}>{inside}</w:{name}>"


def body(inside):
    return root(f"<w:body>{inside}</w:body>")


def p(text, props="", run=""):
    return f"<w:p><w:pPr>{props}</w:pPr><w:r><w:rPr>{run}</w:rPr>" \
        f"<w:t>{text}</w:t></w:r></w:p>"


SEEN = p("seen words")
PARTS = ("styles", "numbering", "footnotes", "comments", "settings")


def frame(z, extra=()):
    z.add("[Content_Types].xml", types())
    z.add("_rels/.rels", rels(("officeDocument", "word/document.xml")))
    z.add("word/_rels/document.xml.rels",
          rels(*[(k, k + ".xml") for k in PARTS], *extra))
    return z


def docx(document, extra=(), **parts):
    z = frame(Zip(), extra)
    for name, data in parts.items():
        z.add(f"word/{name}.xml", data)
    z.add("word/document.xml", document)
    return z.end()


def flat_part(name, head, block, tail=b"", count=1024, more=True):
    z = Zip()
    packed, size = flat(count, block, head=head, tail=tail)
    if name != "[Content_Types].xml":
        z.add("[Content_Types].xml", types())
    if name != "_rels/.rels":
        z.add("_rels/.rels", rels(("officeDocument", "word/document.xml")))
    z.add("word/_rels/document.xml.rels", rels(*[(k, k + ".xml")
                                                 for k in PARTS]))
    if name != "word/document.xml" and more:
        z.add("word/document.xml", body(SEEN))
    z.raw(name, packed, size)
    return z.end()


def odt(inside, automatic=""):
    z = Zip()
    z.add("mimetype", "application/vnd.oasis.opendocument.text", stored=True)
    z.add("content.xml",
          f"<office:document-content {ODF_NS}><office:automatic-styles>"
          f"{automatic}</office:automatic-styles><office:body><office:text>"
          f"{inside}</office:text></office:body></office:document-content>")
    return z.end()


def q(text):
    return f"<text:p>{text}</text:p>"


# ---- the makers that need more than a line ----

def overlapping(n=9000):
    """Every entry is the same bytes, under names of its own header."""
    z = frame(Zip())
    z.add("word/document.xml", body(SEEN))
    packed, size = flat(16)
    at = len(z.file)
    z.raw("x", packed, size)
    for _ in range(n):
        z.raw("x", packed, size, header=at, local=False)
    return z.end()


def quoted(n=2000):
    """Each entry's bytes begin with the headers of those behind it."""
    z = frame(Zip())
    z.add("word/document.xml", body(SEEN))
    kernel, size = flat(1)
    names = [f"{i:04d}" for i in range(n)]
    start = len(z.file)
    headers = len(names) * 34
    for i, name in enumerate(names):
        packed = headers - (i + 1) * 34 + len(kernel)
        z.file += struct.pack("<4sHHHIIIIHH", b"PK\3\4", 20, 0, 8, 0, 0,
                              packed, size, 4, 0) + name.encode()
        z.directory += struct.pack(
            "<4sHHHHIIIIHHHHHII", b"PK\1\2", 20, 20, 0, 8, 0, 0, packed, size,
            4, 0, 0, 0, 0, 0, start + i * 34) + name.encode()
        z.entries += 1
    z.file += kernel
    return z.end()


def many_entries(n):
    z = frame(Zip())
    z.add("word/document.xml", body(SEEN))
    for i in range(n):
        z.raw(b"%x" % i, b"", 0, method=0)
    return z.end()


def nested_archives(levels=6, wide=16):
    inner = b"\0" * MIB
    for level in range(levels):
        z = Zip()
        for i in range(wide):
            z.add(f"{level}-{i}.zip", inner)
        inner = z.end()
    return inner


def holding(inner, name="word/embeddings/object.zip"):
    z = frame(Zip(), [("package", "embeddings/object.zip")])
    z.add(name, inner)
    z.add("word/document.xml", body(SEEN))
    return z.end()


def zip64(**lies):
    z = frame(Zip())
    fields = {"size": 1 << 62, "packed": 1 << 62, "header": 1 << 62, **lies}
    z.add("word/document.xml", body(SEEN))
    extra = struct.pack("<HHQQQ", 1, 24, fields["size"], fields["packed"],
                        fields["header"])
    z.directory += struct.pack(
        "<4sHHHHIIIIHHHHHII", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0xffffffff,
        0xffffffff, 1, len(extra), 0, 0, 0, 0, 0xffffffff) + b"x" + extra
    z.entries += 1
    return z.end()


def entities(dtd, use):
    return docx(f"<!DOCTYPE w [{dtd}]>" + body(p(use)))


LAUGHS = '<!ENTITY a0 "ha">' + "".join(
    f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 30))


def namespaces(depth=900, wide=400):
    """Each level binds prefixes anew."""
    return body("".join("<w:sdt " + " ".join(
        f'xmlns:n{i}="urn:{d}-{i}"' for i in range(wide)) + ">"
        for d in range(depth)) + SEEN)


def repeats():
    note = '<w:p><w:r><w:t>n</w:t></w:r><w:r>' \
        '<w:footnoteReference w:id="2"/></w:r></w:p>'
    return docx(body(note * 100_000 + SEEN), footnotes=root(
        f'<w:footnote w:id="2">{p("x" * MIB)}</w:footnote>', "footnotes"))


def styles(n, base):
    return docx(body(p("seen words", f'<w:pStyle w:val="s{n - 1}"/>')),
                styles=root("".join(
                    f'<w:style w:type="paragraph" w:styleId="s{i}"><w:basedOn '
                    f'w:val="s{base(i)}"/></w:style>' for i in range(n)),
                    "styles"))


def lists(n=200_000):
    return docx(
        body(p("seen words", f'<w:numPr><w:ilvl w:val="99"/><w:numId '
               f'w:val="{n - 1}"/></w:numPr>')),
        numbering=root("".join(
            f'<w:num w:numId="{i}"><w:abstractNumId w:val="{i}"/></w:num>'
            for i in range(n)), "numbering"))


def table(rows, cells):
    cell = "<w:tc><w:p><w:r><w:t>c</w:t></w:r></w:p></w:tc>"
    return docx(body(SEEN + "<w:tbl>" + ("<w:tr>" + cell * cells + "</w:tr>") *
                     rows + "</w:tbl>"))


def nest(opening, n, closing=""):
    return docx(body(SEEN + opening * n + SEEN + closing * n))


def attributes(elements, each):
    tag = "<w:sdt " + " ".join(f'a{i}="1"' for i in range(each)) + "/>"
    return docx(body(SEEN + tag * elements))


def cut(data, at):
    return data[:int(len(data) * at)]


def encrypted():
    z = frame(Zip())
    z.add("word/document.xml", body(SEEN), flags=1)
    return z.end()


def ole(name):
    entry = name.encode("utf-16-le")
    entry = entry.ljust(64, b"\0") + struct.pack("<H", len(entry) + 2)
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(1024, b"\0") + \
        entry.ljust(128, b"\0") + bytes(4096)


def leading_out(target):
    z = Zip()
    z.add("[Content_Types].xml", types())
    z.add("_rels/.rels", rels(("officeDocument", target)))
    z.add("word/document.xml", body(SEEN))
    return z.end()


HEAD = f"<w:document {W}><w:body>{SEEN}<w:p><w:r><w:t>".encode()
FAILED, DONE = "failed", "completed"
OVER = "more than|too long"
f = functools.partial

BOMBS = {
    # archives
    "1 GiB of text in a part": (f(flat_part, "word/document.xml", HEAD, b"a"),
                                DONE, "seen words"),
    "1 GiB of spaces in a part": (f(flat_part, "word/document.xml", HEAD, b" "),
                                  DONE, "seen words"),
    "1 GiB of words in a part": (f(flat_part, "word/document.xml", HEAD,
                                   b"word and "), DONE, "seen words"),
    "1 GiB before the root": (f(flat_part, "word/document.xml", b"", b" "),
                              FAILED, OVER),
    "1 GiB of styles": (f(flat_part, "word/styles.xml",
                          f"<w:styles {W}>".encode(), b"<w:style/>"),
                        FAILED, "more tags"),
    "1 GiB of content types": (f(flat_part, "[Content_Types].xml", b"<Types>",
                                 b"x"), FAILED, OVER),
    "1 GiB of relationships": (f(flat_part, "_rels/.rels", b"<Relationships>",
                                 b"<Relationship/>"), FAILED, "more tags"),
    "1 GiB in a picture": (f(flat_part, "word/media/a.png", b"", b"\0"),
                           DONE, "seen words"),
    "entries that are the same bytes": (overlapping, FAILED, "share|name"),
    "entries quoted in one another": (quoted, FAILED, "share"),
    "a million entries": (f(many_entries, 1_000_000), FAILED, "."),
    "65,000 entries": (f(many_entries, 65_000), FAILED, "10000 files"),
    "9,000 entries": (f(many_entries, 9_000), DONE, "seen words"),
    "archives in archives": (nested_archives, FAILED, "ZIP archive"),
    "archives in a document": (lambda: holding(nested_archives()), DONE,
                               "seen words"),
    "documents in documents": (
        lambda: functools.reduce(lambda a, _: holding(a), range(100),
                                 docx(body(SEEN))), DONE, "seen words"),
    "an archive that holds itself": (quine, FAILED, "ZIP archive"),
    "a document that holds an archive that holds itself": (
        lambda: holding(quine(), "word/" + NAME.decode()), DONE, "seen words"),
    "64-bit sizes that lie": (zip64, FAILED, "damaged"),
    "64-bit sizes that wrap": (f(zip64, header=0, packed=(1 << 64) - 1),
                               FAILED, "damaged"),
    "fewer entries than there are": (
        lambda: (lambda z: (z.add("word/document.xml", body(SEEN)),
                            z.end(entries=2))[1])(frame(Zip())), FAILED,
        "damaged"),
    "more entries than there are": (
        lambda: (lambda z: (z.add("word/document.xml", body(SEEN)),
                            z.end(entries=9))[1])(frame(Zip())), FAILED,
        "damaged"),
    "a directory in the comment": (
        lambda: (lambda z: (z.add("word/document.xml", body(SEEN)),
                            z.end(comment=Zip().end()))[1])(frame(Zip())),
        FAILED, "damaged|ZIP archive"),
    # XML
    "billion laughs": (f(entities, LAUGHS, "&a29;"), FAILED, "entities"),
    "quadratic laughs": (f(entities, f'<!ENTITY a "{"x" * 100_000}">',
                           "&a;" * 100_000), FAILED, "entities"),
    "an outer entity": (f(entities, '<!ENTITY a SYSTEM "file:///etc/passwd">',
                          "&a;"), FAILED, "entities"),
    "a parameter entity": (
        f(entities, '<!ENTITY % a SYSTEM "http://127.0.0.1:9/"> %a;', ""),
        FAILED, "entities"),
    "attributes by default": (
        f(entities, f'<!ATTLIST w:p a CDATA "{"x" * 100_000}">', ""), FAILED,
        "entities"),
    "laughs in styles": (
        lambda: docx(body(SEEN), styles=f"<!DOCTYPE w [{LAUGHS}]>" +
                     root("&a29;", "styles")), DONE, "seen words"),
    "100,000 attributes": (f(attributes, 1, 90_000), DONE, "seen words"),
    "10,000 tags of 1,000 attributes": (f(attributes, 10_000, 1_000), DONE,
                                        "seen words"),
    "namespaces at every level": (lambda: docx(namespaces()), DONE, ""),
    "a million deep": (f(nest, "<w:sdt>", 1_000_000, "</w:sdt>"), DONE,
                       "seen words"),
    "a million deep in OpenDocument": (
        lambda: odt(q("seen words") + "<text:section>" * 1_000_000), DONE,
        "seen words"),
    "an attribute of 100 MiB": (
        f(flat_part, "word/document.xml", f"<w:document {W} a='".encode(),
          b"x", count=100), FAILED, OVER),
    "a comment of 100 MiB": (
        f(flat_part, "word/document.xml", b"<!-- ", b"x", count=100), FAILED,
        OVER),
    "an instruction of 100 MiB": (
        f(flat_part, "word/document.xml", b"<?x ", b"x", count=100), FAILED,
        OVER),
    "a name of 100 MiB": (
        f(flat_part, "word/document.xml", b"<", b"x", count=100), FAILED,
        OVER),
    "100 MiB of CDATA": (
        f(flat_part, "word/document.xml", HEAD + b"<![CDATA[", b"x ",
          count=100), DONE, "seen words"),
    "5,000,000 tags": (lambda: docx(body(SEEN + "<w:p/>" * 5_000_000)), DONE,
                       "seen words"),
    "100 MiB of comments": (
        f(flat_part, "word/document.xml", HEAD, b"<!---->", count=100), DONE,
        "seen words"),
    # documents
    "600,000 cells in a row": (f(table, 1, 600_000), DONE, "seen words"),
    "500,000 rows": (f(table, 500_000, 1), DONE, "seen words"),
    "1,000 rows of 600 cells": (f(table, 1_000, 600), DONE, "seen words"),
    "cells repeated two billion times": (
        lambda: odt(q("seen words") + "<table:table>" + (
            "<table:table-row><table:table-cell "
            'table:number-columns-repeated="2147483647">' + q("x") +
            "</table:table-cell></table:table-row>") * 50_000 +
            "</table:table>"), DONE, "seen words"),
    "spaces repeated two billion times": (
        lambda: odt(q("seen words") + q("x" + '<text:s text:c="2147483647"/>' *
                                        100_000)), DONE, "seen words"),
    "a note that is referred to 100,000 times": (repeats, DONE, "seen words"),
    "styles based on one another": (f(styles, 100_000, lambda i: i - 1), DONE,
                                    "seen words"),
    "styles in a circle": (f(styles, 8_000, lambda i: (i + 1) % 8_000), DONE,
                           "seen words"),
    "200,000 lists": (lists, DONE, "seen words"),
    "tables in tables": (f(nest, "<w:tbl><w:tr><w:tc>", 300,
                           "</w:tc></w:tr></w:tbl>"), DONE, "seen words"),
    "boxes in boxes": (f(nest, "<w:p><w:r><w:txbxContent>", 300,
                         "</w:txbxContent></w:r></w:p>"), DONE, "seen words"),
    "alternatives in alternatives": (
        f(nest, "<mc:AlternateContent><mc:Choice>", 450,
          "</mc:Choice></mc:AlternateContent>"), DONE, "seen words"),
    "fields that never end": (
        f(nest, '<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r></w:p>',
          500_000), DONE, "seen words"),
    "500,000 hidden runs": (
        lambda: docx(body(SEEN + "<w:p>" + "<w:r><w:rPr><w:vanish/></w:rPr>"
                          "<w:t>hidden</w:t></w:r>" * 500_000 + "</w:p>")),
        DONE, "seen words"),
    "500,000 deletions": (
        lambda: docx(body(SEEN + "<w:p>" + "<w:del><w:r><w:delText>gone"
                          "</w:delText></w:r></w:del>" * 500_000 + "</w:p>")),
        DONE, "seen words"),
    "300,000 comments": (
        lambda: docx(body(SEEN), comments=root(
            ("<w:comment>" + p("remark") + "</w:comment>") * 300_000,
            "comments")), DONE, "seen words"),
    # no documents
    "an encrypted entry": (encrypted, FAILED, "encrypted"),
    "an encrypted container": (f(ole, "EncryptedPackage"), FAILED,
                               "encrypted"),
    "an old Word file": (f(ole, "WordDocument"), FAILED, "old Word file"),
    "cut in half": (lambda: cut(docx(body(SEEN * 1000)), 0.5), FAILED,
                    "damaged"),
    "cut at its end": (lambda: docx(body(SEEN))[:-1], FAILED, "damaged"),
    "an empty file": (lambda: b"", FAILED, "empty"),
    "four bytes": (lambda: b"PK\3\4", FAILED, "damaged"),
    "an empty archive": (lambda: Zip().end(), FAILED, "ZIP archive"),
    "a page of HTML": (
        lambda: b"<!doctype html><title>x</title><p>seen words", DONE,
        "seen words"),
    "a text that begins like an archive": (
        lambda: b"PK are the letters that these seen words begin with.\n",
        DONE, "seen words"),
    "a PNG": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(999), FAILED, "picture"),
    "a document without words": (lambda: docx(body("")), FAILED, "no text"),
    "a main part outside": (f(leading_out, "../../../../etc/passwd"), FAILED,
                            "without a document"),
    "a main part that is its own": (f(leading_out, "_rels/.rels"), FAILED,
                                    "unknown kind"),
    "XML in UTF-16": (lambda: docx(
        '<?xml version="1.0" encoding="UTF-16"?>'.encode("utf-16") +
        body(SEEN).encode("utf-16-le")), DONE, "seen words"),
    "XML with broken UTF-8": (
        lambda: docx(body(SEEN).encode() + b"\xff\xfe"), DONE, "seen words"),
    "XML of zeros": (lambda: docx(bytes(MIB)), FAILED, "damaged"),
}

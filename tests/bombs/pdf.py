"""Hostile PDF files, each made when it is asked for; nothing is committed.

BOMBS: as in office.py; a fourth figure is the CPU it may take, in seconds. What
poppler makes of a file is poppler's; asked for is that it ends as told, within
its budgets. Those of SLOW take all the time that programs have
(src/extract/jobs.c), or nearly, so that a fast processor is through with some of
them before (EITHER); they are left to ./check --full.
"""

import base64
import functools
import random
import struct
import zlib

import pdfs
from bombs.office import MIB, Zip, docx, body, flat, p

FAILED, DONE, EITHER = "failed", "completed", ".*"
SEEN = pdfs.show(90, 400, "seen words")
NO_TEXT = "no text|pictures|no pages"
DAMAGED = "damaged|no pages|no text"
f = functools.partial


# ---- files ----

def page(content, extra="", deflate=0, resources=None, box=(0, 0, 612, 792),
         before=True):
    """One page that shows words, and one with the content."""
    pdf = pdfs.Pdf(box)
    if before:
        pdf.page(SEEN)
    pdf.page(content, extra, deflate, resources)
    return pdf


def only(content, **more):
    return page(content, before=False, **more).bytes()


def then(content, **more):
    return page(content, **more).bytes()


def streamed(data, head):
    """A page whose content is these bytes, under these filters."""
    pdf = pdfs.Pdf()
    pdf.page(SEEN)
    stream = pdf.stream(data, head=head)
    pdf.pages.append(pdf.add(
        f"<</Type/Page/Parent 2 0 R/Contents {stream} 0 R/Resources"
        f"{pdf.resources}>>"))
    return pdf.bytes()


def flat_content(count, block, head=b"", tail=b"", more=0):
    """`count` MiB of a block, unpacked; packed `more` times again."""
    data = b"\x78\x9c" + flat(count, block, head=head, tail=tail)[0] + bytes(4)
    for _ in range(more):
        data = zlib.compress(data)
    return streamed(data, f"/Filter[{'/FlateDecode' * (more + 1)}]")


def with_objects(content, objects, resources="{}", catalog=""):
    """`objects`: texts in which {0}, {1} … are their numbers."""
    pdf = pdfs.Pdf()
    pdf.page(SEEN)
    first = len(pdf.objects) + 10
    numbers = [f"{first + i} 0 R" for i in range(len(objects))]

    def filled(text):
        for i, number in enumerate(numbers):
            text = text.replace(f"{{{i}}}", number)
        return text
    for text in objects:
        pdf.add(text if isinstance(text, bytes) else filled(text))
    pdf.catalog = filled(catalog)
    if content is not None:
        own = pdf.resources[2:-2] + filled(resources).replace("{}", "")
        pdf.page(content, resources=f"<<{own}>>")
    return pdf.bytes()


def stream(head, data=b""):
    data = data if isinstance(data, bytes) else data.encode("latin-1")
    return f"<<{head}/Length {len(data)}>>stream\n" + \
        data.decode("latin-1") + "\nendstream"


def tree(objects, trailer="/Root 1 0 R"):
    """A whole file by its objects; 1 is the catalog."""
    return pdfs.file_of({
        1: "<</Type/Catalog/Pages 2 0 R>>",
        8: "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 9 0 R"
           "/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont"
           "/Times-Roman>>>>>>>>",
        9: stream("", SEEN),
        **objects}, trailer)


# ---- filters ----

def lzw(count):
    """`count` blanks: codes that grow by one letter each, a table again and
    again."""
    out, bits, n, left = bytearray(), 0, 0, count

    def put(code, width):
        nonlocal bits, n
        bits, n = bits << width | code, n + width
        while n >= 8:
            out.append(bits >> n - 8 & 255)
            n -= 8
            bits &= (1 << n) - 1
    while left > 0:
        put(256, 9)
        put(32, 9)
        left -= 1
        for i in range(3800):
            code = 258 + i
            width = 9 if code < 511 else 10 if code < 1023 else \
                11 if code < 2047 else 12
            put(code, width)
            left -= i + 2
    put(257, 12)
    put(0, 8)
    return bytes(out)


def hexed(times):
    """Each turn doubles it; poppler takes any number of filters."""
    data = SEEN.encode() * 10
    for _ in range(times):
        data = data.hex().encode() + b">"
    return streamed(data, f"/Filter[{'/ASCIIHexDecode' * times}]")


def quine():
    """Deflate that unpacks to itself is long; a stream that names itself as
    its own filter's parameters is short."""
    return with_objects("", [stream("/Filter{0}/DecodeParms{0}/Length{0}",
                                    "x" * 99)], catalog="/Metadata {0}")


# ---- structure ----

def deep_tree(depth):
    objects = {2: f"<</Type/Pages/Count 1/Kids[10 0 R]>>"}
    for i in range(depth):
        objects[10 + i] = f"<</Type/Pages/Count 1/Parent {9 + i if i else 2} " \
            f"0 R/Kids[{11 + i if i + 1 < depth else 8} 0 R]>>"
    return tree(objects)


def page_cycle():
    return tree({2: "<</Type/Pages/Count 5/Kids[3 0 R 2 0 R 8 0 R]>>",
                 3: "<</Type/Pages/Count 5/Kids[2 0 R 3 0 R]/Parent 2 0 R>>"})


def wide_and_shared(levels=12, wide=10):
    """A tree of 10^12 pages that are one page."""
    objects = {}
    for i in range(levels):
        number, kid = (2 if i == 0 else 10 + i), \
            (8 if i + 1 == levels else 11 + i)
        objects[number] = f"<</Type/Pages/Count {wide ** (levels - i)}/Kids[" \
            + f"{kid} 0 R " * wide + "]>>"
    return tree(objects)


def one_page_often(n):
    pdf = pdfs.Pdf()
    pdf.page(SEEN)
    pdf.pages *= n
    return pdf.bytes()


def xref_loop():
    data = pdfs.book().bytes()
    at = data.rindex(b"xref\n0 ")
    return data.replace(b"trailer<<", b"trailer<</Prev %d" % at)


def many_updates(n):
    """So many tables, each leading to the one before."""
    out = bytearray(pdfs.book().bytes())
    before = out.rindex(b"xref\n0 ")
    for _ in range(n):
        at = len(out)
        out += b"xref\n0 1\n0000000000 65535 f \ntrailer<</Size 99/Root 1 0 R" \
            b"/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (before, at)
        before = at
    return bytes(out)


def lying_table(line):
    data = pdfs.book().bytes()
    at = data.rindex(b"xref\n0 ")
    return data[:at] + b"xref\n" + line + data[data.rindex(b"trailer"):]


def xref_stream(head, data=b""):
    out = bytearray(tree({2: "<</Type/Pages/Count 1/Kids[8 0 R]>>"}))
    out = out[:out.rindex(b"xref\n0 ")]
    at = len(out)
    out += b"50 0 obj" + stream("/Type/XRef/Root 1 0 R" + head, data).encode(
        "latin-1") + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % at
    return bytes(out)


def object_streams(depth):
    """Each object stream lies in the one before."""
    rows = bytearray()
    rows += b"".join(struct.pack(">BIH", 2, 20 + (i + 1) % depth, 0)
                     for i in range(60))
    return xref_stream("/W[1 4 2]/Size 60", bytes(rows))


def object_stream(head, data):
    """The page tree in an object stream that lies about itself."""
    out = bytearray(pdfs.file_of({1: "<</Type/Catalog/Pages 2 0 R>>",
                                  20: stream("/Type/ObjStm" + head, data)}))
    at20 = out.index(b"20 0 obj")
    out = out[:out.rindex(b"xref\n0 ")]
    at = len(out)
    rows = {1: (1, out.index(b"1 0 obj"), 0), 2: (2, 20, 0), 20: (1, at20, 0)}
    table = b"".join(struct.pack(">BIH", *rows.get(i, (0, 0, 0)))
                     for i in range(21))
    out += b"50 0 obj" + stream("/Type/XRef/Root 1 0 R/W[1 4 2]/Size 21",
                                table).encode("latin-1") + \
        b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % at
    return bytes(out)


def references(n, last):
    """Each object is a reference to the next."""
    objects = {10 + i: f"{11 + i} 0 R" for i in range(n)}
    objects[10 + n] = last
    return tree({2: "10 0 R", **objects})


def outlined(n, row):
    """n items of an outline; row(i) gives what one says."""
    objects = {2: "<</Type/Pages/Count 1/Kids[8 0 R]>>",
               1: "<</Type/Catalog/Pages 2 0 R/Outlines 10 0 R>>",
               10: f"<</Type/Outlines/First 11 0 R/Last {10 + n} 0 R"
                   f"/Count {n}>>"}
    for i in range(n):
        objects[11 + i] = f"<</Parent 10 0 R/Dest[8 0 R/Fit]{row(i)}>>"
    return tree(objects)


def named(n):
    return f"/Title(item {n})"


# ---- pictures, fonts, text ----

def picture(head, data=b"", mask=""):
    pdf = pdfs.Pdf()
    image = pdf.stream(data, head=f"/Type/XObject/Subtype/Image{head}")
    pdf.page(SEEN)
    pdf.page("q 612 0 0 792 0 0 cm /Im Do Q",
             resources=f"<</XObject<</Im {image} 0 R>>>>")
    return pdf.bytes()


def sized(w, h, space="DeviceRGB", bits=8):
    return f"/Width {w}/Height {h}/ColorSpace/{space}/BitsPerComponent {bits}"


def zeros(mib):
    """So many MiB of zeros, deflated twice."""
    data = zlib.compress(b"\x78\x9c" + flat(mib, b"\0")[0] + bytes(4))
    return data, "/Filter[/FlateDecode/FlateDecode]"


def big_picture(w, h, mib, **more):
    data, head = zeros(mib)
    return picture(sized(w, h, **more) + head, data)


def jpeg(w, h, progressive=False):
    marker = b"\xff\xc2" if progressive else b"\xff\xc0"
    return b"\xff\xd8\xff\xdb\0\x43\0" + bytes([1] * 64) + marker + \
        b"\0\x0b\x08" + struct.pack(">HH", h, w) + b"\1\1\x11\0" + \
        b"\xff\xc4\0\x14\0" + bytes([1] + [0] * 15) + b"\0" + \
        b"\xff\xda\0\x08\1\1\0\0\x3f\0" + bytes(4000) + b"\xff\xd9"


def jpx(w, h):
    size = struct.pack(">HHIIIIIIIIH", 38 + 3, 0, w, h, 0, 0, w, h, 0, 0, 1) + \
        b"\7\1\1"
    return b"\xff\x4f\xff\x51" + size + b"\xff\x52\0\x0c\0\0\0\1\0\5\4\4\0\1" \
        b"\xff\x5c\0\x13\x40" + bytes([64] * 16) + \
        b"\xff\x90\0\x0a\0\0\0\0\0\0\0\1\xff\x93" + bytes(99) + b"\xff\xd9"


def jbig2(w, h):
    segment = struct.pack(">IBBBI", 0, 48, 0, 1, 19) + \
        struct.pack(">IIIIBH", w, h, 0, 0, 0, 0)
    region = struct.pack(">IBBBI", 1, 38, 0, 1, 18 + 8) + \
        struct.pack(">IIIIB", w, h, 0, 0, 0) + bytes([0, 3, 255, 253, 255, 2,
                                                     254, 254, 254])
    return segment + region


def font(kind, head, data=b"", key="FontFile"):
    """A page in a font of its own."""
    return with_objects(
        "BT /X 12 Tf 90 600 Td (other words) Tj <00410042> Tj ET", [
            stream(head, data),
            f"<</Type/FontDescriptor/FontName/X/Flags 4/{key} {{0}}>>",
            f"<</Type/Font/Subtype/{kind}/BaseFont/X/FirstChar 0/LastChar 255"
            f"/Widths[{'500 ' * 256}]/FontDescriptor {{1}}/ToUnicode {{0}}>>"],
        "/Font<</X {2}/F1 {2}>>")


def cid_font(more, to_unicode=b""):
    return with_objects(
        "BT /X 12 Tf 90 600 Td <00410042004300440045> Tj ET", [
            stream("", to_unicode),
            "<</Type/FontDescriptor/FontName/X/Flags 4>>",
            "<</Type/Font/Subtype/CIDFontType2/BaseFont/X/CIDSystemInfo"
            "<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
            f"/FontDescriptor {{1}}{more}>>",
            "<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H"
            "/DescendantFonts[{2}]/ToUnicode {0}>>"],
        "/Font<</X {3}>>")


def glyphs_that_call_themselves():
    return with_objects(
        "BT /X 12 Tf 90 600 Td (aaaaaaaaaaaaaaaaaaaaaa) Tj ET", [
            stream("", "500 0 d0 BT /X 12 Tf (aaaa) Tj ET /X1 Do"),
            "<</Type/Font/Subtype/Type3/FontBBox[0 0 9 9]/FontMatrix"
            "[.1 0 0 .1 0 0]/FirstChar 97/LastChar 97/Widths[500]/Encoding<<"
            "/Differences[97/a]>>/CharProcs<</a {0}>>/Resources<<"
            "/Font<</X {1}>>>>>>"], "/Font<</X {1}>>")


def scattered(n, seed=7):
    at = random.Random(seed)
    return then("".join(pdfs.show(at.randrange(600), at.randrange(780),
                                  f"w{i}", size=at.randrange(2, 9))
                        for i in range(n)))


def turned(n, seed=7):
    at = random.Random(seed)
    return then("".join(
        f"BT /F1 {at.uniform(4, 20):.3f} Tf {at.uniform(-1, 1):.4f} "
        f"{at.uniform(-1, 1):.4f} {at.uniform(-1, 1):.4f} "
        f"{at.uniform(-1, 1):.4f} {at.randrange(600)} {at.randrange(780)} Tm "
        f"(t{i}) Tj ET\n" for i in range(n)))


def one_place(n):
    return then(pdfs.show(90, 600, "again and again") * n)


def placed(*numbers):
    return then("".join(
        f"BT /F1 10 Tf {n} 0 0 {n} {n} {n} Tm (far away) Tj ET\n"
        f"BT /F1 {n} Tf 1 0 0 1 90 300 Tm (how large) Tj ET\n"
        f"BT /F1 10 Tf {n} Tc {n} Tw {n} Tz {n} TL 90 200 Td (apart) Tj T* ET\n"
        for n in numbers))


def drawn(content, *objects, resources=""):
    """Without words: drawn, to see whether it shows something."""
    return with_objects(content, list(objects), resources)


def encrypted(dictionary):
    pdf = pdfs.book()
    data = pdf.bytes()
    return data.replace(b"trailer<<", b"trailer<</ID[<00><00>]/Encrypt" +
                        dictionary.encode())


STANDARD = "/Filter/Standard/O<" + "41" * 32 + ">/U<" + "42" * 32 + ">/P -4"


def cut(data, at):
    return data[:int(len(data) * at)]


def noisy(seed, n):
    """A good file with so many bytes of it changed."""
    data, at = bytearray(pdfs.book().bytes()), random.Random(seed)
    for _ in range(n):
        data[at.randrange(20, len(data))] = at.randrange(256)
    return bytes(data)


def embedded(data, head=""):
    return with_objects(None, [
        stream("/Type/EmbeddedFile" + head, data),
        "<</Type/Filespec/F(../../etc/passwd)/UF(x)/EF<</F {0}>>>>",
        "<</Names[(x) {1} (y) {1}]/Kids[{2}]/Limits[(x)(y)]>>"],
        catalog="/Names<</EmbeddedFiles {2}/JavaScript {2}>>")


def action(text):
    return with_objects(None, [f"<<{text}/Next {{0}}>>"],
                        catalog="/OpenAction {0}/AA<</WC {0}/DP {0}>>")


def in_zip():
    z = Zip()
    z.add("book.pdf", pdfs.book().bytes())
    return z.end()


BOMBS = {
    # filters
    "32 MiB of blanks in a page": (f(flat_content, 32, b" "), DONE,
                                   "seen words"),
    "32 MiB of blanks, packed ten times": (
        f(flat_content, 32, b" ", more=9), DONE, "seen words"),
    "1 GiB of brackets": (f(flat_content, 1024, b"["), FAILED, "memory"),
    "blanks in LZW": (
        lambda: streamed(zlib.compress(lzw(200 * MIB)),
                         "/Filter[/FlateDecode/LZWDecode]"), DONE,
        "seen words"),
    "blanks in run lengths": (
        lambda: streamed(zlib.compress(b"\x81 " * (MIB // 4)),
                         "/Filter[/FlateDecode/RunLengthDecode]"), DONE,
        "seen words"),
    "hexadecimal twelve times": (f(hexed, 12), DONE, "seen words"),
    "5,000 filters": (
        lambda: streamed(SEEN.encode(), "/Filter[" + "/ASCIIHexDecode " *
                         5_000 + "]"), DONE, "seen words"),
    "a filter that is itself": (quine, DONE, "seen words"),
    "a predictor of a billion columns": (
        lambda: streamed(zlib.compress(b"\2" * 9999),
                         "/Filter/FlateDecode/DecodeParms<</Predictor 15"
                         "/Colors 32/BitsPerComponent 16/Columns 1000000000>>"),
        DONE, "seen words"),
    "an unknown filter": (f(streamed, b"x" * 99, "/Filter/Nonsense"), DONE,
                          "seen words"),
    "a crypt filter without a key": (
        f(streamed, b"x" * 99, "/Filter/Crypt/DecodeParms<</Name/Mine>>"),
        DONE, "seen words"),
    "a length of 10^18": (
        lambda: then("").replace(b"/Length 0", b"/Length 999999999999999999"),
        DONE, "seen words"),
    "a length that is its own stream": (
        lambda: with_objects(None, ["<</Length {0}>>stream\nx\nendstream"],
                             catalog="/Metadata {0}"), DONE, "seen words"),
    # the tree
    "a page cycle": (page_cycle, EITHER, ""),
    "pages 20,000 deep": (f(deep_tree, 20_000), EITHER, ""),
    "a billion pages": (lambda: pdfs.book().bytes(count=10**9), FAILED,
                        "no pages"),
    "2^63 pages": (lambda: pdfs.book().bytes(count=2**63), EITHER, ""),
    "minus one page": (lambda: pdfs.book().bytes(count=-1), EITHER, ""),
    "10^12 pages that are one": (wide_and_shared, FAILED, "no pages"),
    "one page 9,000 times": (f(one_page_often, 9_000), FAILED, "no pages"),
    "a table that leads to itself": (xref_loop, DONE, "Keeping the light"),
    "20,000 updates": (f(many_updates, 20_000), DONE, "Keeping the light"),
    "a table of a billion rows": (
        f(lying_table, b"0 999999999\n0000000000 65535 f \n"), DONE,
        "Keeping the light"),
    "a table with numbers that wrap": (
        f(lying_table, b"4294967295 9\n9999999999 99999 n \n"), DONE,
        "Keeping the light"),
    "a table far from the start": (
        f(lying_table, b"0 1\n9999999999 65535 n \n"), DONE,
        "Keeping the light"),
    "a table as a stream, of 2^31 rows": (
        f(xref_stream, "/W[1 2 1]/Size 2147483647/Index[0 2147483647]",
          b"\1" * 99), FAILED, DAMAGED),
    "a table as a stream, with wide rows": (
        f(xref_stream, "/W[1000000000 1000000000 1000000000]/Size 60",
          b"\1" * 99), FAILED, DAMAGED),
    "object streams in object streams": (f(object_streams, 40), EITHER, ""),
    "an object stream of a billion objects": (
        f(object_stream, "/N 1000000000/First 10", b"2 0 <<>>"), EITHER, ""),
    "an object stream that begins before itself": (
        f(object_stream, "/N 1/First -99", b"2 0 <</Type/Pages>>"), EITHER,
        ""),
    "an object stream that extends itself": (
        f(object_stream, "/N 1/First 4/Extends 20 0 R",
          b"2 0 <</Type/Pages/Count 9/Kids[2 0 R]>>"), EITHER, ""),
    "references 100,000 long": (
        f(references, 100_000, "<</Type/Pages/Count 1/Kids[8 0 R]>>"), EITHER,
        ""),
    "pages that lead to nothing": (
        lambda: pdfs.book().bytes().replace(b"/Contents ", b"/Contents 9"),
        EITHER, ""),
    "outlines that lead into an item": (
        lambda: pdfs.book().bytes().replace(b"/Next", b"/Nxet", 1).replace(
            b"/Type/Outlines/First", b"/Type/Outlines/Next 10 0 R/First"),
        DONE, "Keeping the light"),
    "a reference to itself": (f(references, 1, "10 0 R"), EITHER, ""),
    "arrays a million deep": (
        lambda: with_objects(None, ["[" * 1_000_000], catalog="/Names {0}"),
        DONE, "seen words"),
    "dictionaries a million deep": (
        lambda: with_objects(None, ["<</A" * 1_000_000], catalog="/Names {0}"),
        DONE, "seen words"),
    "an array of five million": (
        lambda: with_objects(None, ["[" + "1 " * 5_000_000 + "]"],
                             catalog="/Names {0}/Extra {0}"), DONE,
        "seen words"),
    "a content of a million streams": (
        lambda: with_objects(None, [
            stream("", " "), "[" + "{0} " * 300_000 + "]",
            "<</Type/Page/Parent 2 0 R/Contents {1}>>"]), DONE, "seen words"),
    "brackets of a string, a million deep": (
        lambda: then("BT /F1 9 Tf (" + "(" * 1_000_000 + ") Tj ET"), DONE,
        "seen words"),
    # pages
    "a giant page": (
        lambda: only(SEEN, box=(0, 0, 99999999, 99999999)), EITHER, ""),
    "a giant page that is drawn": (
        lambda: only("0 0 m 9999999 9999999 l S",
                     box=(0, 0, 99999999, 99999999)), FAILED, NO_TEXT),
    "a page of 14,400 points that is drawn": (
        lambda: only("0 0 14400 9000 re f", box=(0, 0, 14400, 14400)), FAILED,
        NO_TEXT),
    "a page without an extent": (lambda: only(SEEN, box=(0, 0, 0, 0)), EITHER,
                                 ""),
    "a page turned inside out": (
        lambda: only(SEEN, box=(612, 792, -1e9, -1e9)), EITHER, ""),
    "a page whose box is itself": (
        lambda: tree({2: "<</Type/Pages/Count 1/Kids[8 0 R]/MediaBox 3 0 R>>",
                      3: "[3 0 R 3 0 R 3 0 R 3 0 R]"}), DONE, "seen words"),
    "units of a billion, a turn of 2^31": (
        lambda: then(SEEN, extra="/UserUnit 1000000000/Rotate 2147483647"),
        DONE, "seen words"),
    # pictures, with OCR
    "a picture of 65535 squared, empty": (
        lambda: picture(sized(65535, 65535), bytes(999)), DONE, "seen words",
        15),
    "a picture of 16 Ki squared in bits": (
        f(big_picture, 16384, 16384, 32, space="DeviceGray", bits=1), DONE,
        "seen words"),
    "a fax of a billion columns": (
        lambda: picture(sized(10**9, 9, "DeviceGray", 1) + "/Filter"
                        "/CCITTFaxDecode/DecodeParms<</K -1/Columns 1000000000"
                        ">>", b"\xff" * 9000), DONE, "seen words"),
    "a picture that masks itself": (
        lambda: drawn("q 99 0 0 99 9 9 cm /I Do Q", stream(
            "/Type/XObject/Subtype/Image/SMask{0}/Mask{0}" +
            sized(99, 99, "DeviceGray"), b"\0" * 9801),
            resources="/XObject<</I {0}>>"), DONE, "seen words"),
    "colours in colours": (
        lambda: drawn("/C cs 1 sc 0 0 99 99 re f", "[/Indexed {0} 255 {0}]",
                      "[/Separation/X {1} {0}]",
                      resources="/ColorSpace<</C {0}/D {1}>>"), DONE,
        "seen words"),
    "a colour of a million names": (
        lambda: drawn("/C cs 1 sc 0 0 99 99 re f", "[/DeviceN[" + "/X " *
                      1_000_000 + "]/DeviceRGB<</FunctionType 2/N 1/Domain"
                      "[0 1]>>]", resources="/ColorSpace<</C {0}>>"), DONE,
        "seen words"),
    # drawing, without words
    "forms in themselves": (
        lambda: drawn("/F Do " * 50, stream(
            "/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<<"
            "/XObject<</F {0}>>>>", "/F Do /F Do"),
            resources="/XObject<</F {0}>>"), DONE, "seen words"),
    "a soft mask of itself": (
        lambda: drawn("/G gs 0 0 612 792 re f",
                      "<</SMask<</S/Luminosity/G {1}>>>>", stream(
                          "/Type/XObject/Subtype/Form/BBox[0 0 612 792]/Group"
                          "<</S/Transparency>>/Resources<</ExtGState<</G {0}>>"
                          ">>", "/G gs 0 0 612 792 re f"),
                      resources="/ExtGState<</G {0}>>"), DONE, "seen words"),
    "functions of functions": (
        lambda: drawn("/S sh", "<</FunctionType 3/Domain[0 1]/Functions[{0} "
                      "{0}]/Bounds[.5]/Encode[0 1 0 1]>>",
                      "<</ShadingType 2/ColorSpace/DeviceGray/Coords[0 0 1 1]"
                      "/Function {0}>>", resources="/Shading<</S {1}>>"), DONE,
        "seen words"),
    "a program of a function, deep": (
        lambda: drawn("/S sh", stream(
            "/FunctionType 4/Domain[0 1]/Range[0 1]", "{" * 100_000),
            "<</ShadingType 2/ColorSpace/DeviceGray/Coords[0 0 1 1]"
            "/Function {0}>>", resources="/Shading<</S {1}>>"), DONE,
        "seen words"),
    "a sampled function of 2^31 samples": (
        lambda: drawn("/S sh", stream(
            "/FunctionType 0/Domain[0 1]/Range[0 1]/Size[2147483647]"
            "/BitsPerSample 32", "x"),
            "<</ShadingType 2/ColorSpace/DeviceGray/Coords[0 0 1 1]"
            "/Function {0}>>", resources="/Shading<</S {1}>>"), DONE,
        "seen words"),
    "50,000 curves": (
        lambda: drawn("0 0 m " + "0 0 900 900 0 900 c " * 50_000 + "f*"),
        DONE, "seen words"),
    "states a million deep": (lambda: then("q " * 1_000_000), FAILED,
                              "memory"),
    "clips in clips": (
        lambda: drawn("0 0 m 9 9 l 3 700 l h W n " * 100_000 +
                      "0 0 9 9 re f"), DONE, "seen words"),
    # what is no text
    "an embedded 1 GiB": (
        lambda: embedded(b"\x78\x9c" + flat(1024, b"\0")[0],
                         "/Filter/FlateDecode"), DONE, "seen words"),
    "PDF files in PDF files": (
        lambda: functools.reduce(lambda a, _: embedded(a), range(50),
                                 then("")), DONE, "seen words"),
    "a script": (f(action, "/S/JavaScript/JS(app.alert(1);while(1);)"), DONE,
                 "seen words"),
    "a program to launch": (
        f(action, "/S/Launch/F(/bin/sh)/Win<</F(cmd.exe)>>"), DONE,
        "seen words"),
    "a file to go to": (f(action, "/S/GoToR/F(/etc/passwd)/D[0/Fit]"), DONE,
                        "seen words"),
    "a page outside": (
        f(action, "/S/URI/URI(http://127.0.0.1:9/)"), DONE, "seen words"),
    "an outer stream": (
        f(streamed, b"", "/F(/etc/passwd)/FFilter/FlateDecode"), DONE,
        "seen words"),
    "fields that are their own parents": (
        lambda: with_objects(None, ["<</T(x)/Kids[{0}]/Parent {0}/FT/Tx>>"],
                             catalog="/AcroForm<</Fields[{0} {0}]/XFA {0}>>"),
        DONE, "seen words"),
    "100,000 annotations": (
        lambda: with_objects(None, [
            "<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/A<</S/URI/URI(x)>>>>",
            "[" + "{0} " * 100_000 + "]",
            "<</Type/Page/Parent 2 0 R/Annots {1}>>"]).replace(
                b"/Kids[16 0 R]/Count 1", b"/Kids[16 0 R 19 0 R]/Count 2"),
        DONE, "seen words"),
    "metadata of laughs": (
        lambda: with_objects(None, [stream(
            "/Type/Metadata/Subtype/XML", "<!DOCTYPE a [" + "".join(
                f'<!ENTITY a{i + 1} "{f"&a{i};" * 10}">' for i in range(20)) +
            "]><a>&a20;</a>")], catalog="/Metadata {0}"), DONE, "seen words"),
    # outlines
    "30,000 items of an outline": (
        f(outlined, 30_000, lambda i: named(i) + f"/Next {12 + i} 0 R"), DONE,
        "seen words"),
    "an outline 3,000 deep": (
        f(outlined, 3_000, lambda i: named(i) + f"/First {12 + i} 0 R"),
        DONE, "seen words"),
    "an item that follows itself": (
        f(outlined, 1, lambda i: named(i) + "/Next 11 0 R/First 11 0 R"), DONE,
        "seen words"),
    "a title of 10 MB": (
        f(outlined, 1, lambda i: "/Title(" + "title " * 1_700_000 + ")"), DONE,
        "seen words"),
    # fonts
    "a Type 1 font of noise": (
        lambda: font("Type1", "/Length1 9/Length2 99/Length3 9",
                     random.Random(1).randbytes(9999)), DONE, "seen words"),
    "a TrueType font of noise": (
        lambda: font("TrueType", "", b"\0\1\0\0\xff\xff" +
                     random.Random(2).randbytes(9999), "FontFile2"), DONE,
        "seen words"),
    "a compact font of noise": (
        lambda: font("Type1", "/Subtype/Type1C", b"\1\0\4\4" +
                     random.Random(3).randbytes(9999), "FontFile3"), DONE,
        "seen words"),
    "a font without an end": (
        lambda: with_objects(
            "BT /X 12 Tf 90 600 Td (x) Tj ET", [
                "<</Type/Font/Subtype/Type0/Encoding/Identity-H"
                "/DescendantFonts[{0}]>>"], "/Font<</X {0}>>"), DONE,
        "seen words"),
    "widths of a billion letters": (
        f(cid_font, "/W[0 1000000000 500 0[" + "1 " * 99 + "]]/W2[0 999999999 "
          "1 1 1]"), DONE, "seen words"),
    "letters of a billion codes": (
        f(cid_font, "", b"1 begincodespacerange<0000><FFFFFFFF>"
          b"endcodespacerange 1 beginbfrange<0000><FFFFFFFF><0041>endbfrange"),
        DONE, "seen words"),
    "a letter that is a novel": (
        f(cid_font, "", b"1 begincodespacerange<0000><FFFF>endcodespacerange 1 "
          b"beginbfchar<0041><" + b"0041" * 100_000 + b">endbfchar"), DONE,
        "seen words"),
    "a code table that uses itself": (
        lambda: with_objects("BT /X 12 Tf 90 600 Td <0041> Tj ET", [
            stream("/Type/CMap/CMapName/Z/UseCMap{0}", "/Z usecmap"),
            "<</Type/Font/Subtype/Type0/BaseFont/X/Encoding {0}"
            "/DescendantFonts[<</Subtype/CIDFontType2/BaseFont/X>>]"
            "/ToUnicode {0}>>"], "/Font<</X {1}>>"), DONE, "seen words"),
    "glyphs that show themselves": (glyphs_that_call_themselves, DONE,
                                    "seen words"),
    "an encoding of a million differences": (
        lambda: with_objects("BT /X 9 Tf 90 600 Td (x) Tj ET", [
            "<</Type/Font/Subtype/Type1/BaseFont/Times-Roman/Encoding<<"
            "/Differences[" + "0/a " * 1_000_000 + "]>>>>"],
            "/Font<</X {0}>>"), DONE, "seen words"),
    # text
    "text at absurd places": (
        f(placed, "1e38", "-1e38", "99999999999999999999", ".00000001", "nan",
          "2147483648", "-2147483648", "0"), DONE, "seen words"),
    "8,000 words all over": (f(scattered, 8_000), DONE, "seen words"),
    "1,500 words turned at will": (f(turned, 1_500), EITHER, ""),
    "3,000 lines in one place": (f(one_place, 3_000), DONE, "seen words"),
    "a word of a million letters": (
        lambda: then("BT /F1 1 Tf 9 9 Td (" + "a" * 1_000_000 + ") Tj ET"),
        DONE, "seen words"),
    "marks 30,000 deep": (
        lambda: then("/P BMC " * 30_000 + SEEN), DONE, "seen words"),
    "a text in place of a letter, of 1 MB": (
        lambda: then("/Span<</ActualText(" + "other " * 170_000 +
                     ")>>BDC BT /F1 9 Tf 9 9 Td (x) Tj ET EMC"), DONE,
        "seen words"),
    # no documents
    "encrypted by an unknown handler": (
        f(encrypted, "<</Filter/Mine/V 99/R 99>>"), FAILED,
        "encrypted|damaged"),
    "encrypted with a password": (
        f(encrypted, f"<<{STANDARD}/V 1/R 2>>"), FAILED, "encrypted"),
    "encrypted with a key of a billion bits": (
        f(encrypted, f"<<{STANDARD}/V 2/R 3/Length 1000000000>>"), FAILED,
        "encrypted|damaged"),
    "encrypted by itself": (
        f(encrypted, "<</Filter/Standard/V 4/R 4/CF 1 0 R/StmF/X/O 1 0 R>>"),
        EITHER, ""),
    "an empty file": (lambda: b"", FAILED, "empty"),
    "nothing but a head": (lambda: b"%PDF-1.7\n", FAILED, DAMAGED),
    "cut in half": (lambda: cut(pdfs.book().bytes(), 0.5), EITHER, ""),
    "cut at its end": (lambda: pdfs.book().bytes()[:-9], DONE,
                       "Keeping the light"),
    "noise behind the head": (
        lambda: b"%PDF-1.4\n" + random.Random(4).randbytes(MIB), FAILED,
        DAMAGED),
    "50 changed bytes": (f(noisy, 5, 50), EITHER, ""),
    "2,000 changed bytes": (f(noisy, 6, 2000), EITHER, ""),
    "a page of HTML behind the head": (
        lambda: b"%PDF-1.4\n<!doctype html><title>x</title><p>seen words",
        FAILED, DAMAGED),
    "a Word file behind the head": (
        lambda: b"%PDF-1.4\n" + docx(body(p("seen words"))), FAILED, DAMAGED),
    "in an archive": (in_zip, FAILED, "ZIP archive"),
    "base64 of a file": (lambda: base64.encodebytes(pdfs.book().bytes()),
                         DONE, "JVBER"),
}
SLOW = {
    "1 GiB of one string": (f(flat_content, 1024, b"a", b"BT /F1 9 Tf ("),
                            FAILED, "memory"),
    "1 GiB of one name": (f(flat_content, 1024, b"a", b"/"), FAILED,
                          "memory"),
    "a JPEG 2000 of 65535 squared": (
        lambda: picture(sized(65535, 65535, "DeviceGray") +
                        "/Filter/JPXDecode", jpx(65535, 65535)), DONE,
        "seen words"),
    "a JBIG2 of 65535 squared": (
        lambda: picture(sized(65535, 65535, "DeviceGray", 1) +
                        "/Filter/JBIG2Decode", jbig2(65535, 65535)), DONE,
        "seen words"),
    "items in a circle": (
        f(outlined, 50, lambda i: named(i) + f"/First {11 + (i + 7) % 50} 0 R"
          f"/Next {11 + (i + 1) % 50} 0 R"), DONE, "seen words"),
    "1 GiB of blanks in a page": (f(flat_content, 1024, b" "), EITHER, ""),
    "1 GiB of blanks, packed ten times": (
        f(flat_content, 1024, b" ", more=9), EITHER, ""),
    "1 GiB of one operator": (f(flat_content, 1024, b"q "), FAILED, "memory|long"),
    "1 GiB of words": (
        f(flat_content, 1024, b"BT /F1 9 Tf 9 9 Td (word) Tj ET "), FAILED, "memory|long"),
    "1 GiB of digits": (f(flat_content, 1024, b"1"), EITHER, ""),
    "1 GiB of a comment": (f(flat_content, 1024, b"a", b"%"), EITHER, ""),
    "a picture of 65535 squared, whole": (
        f(big_picture, 65535, 65535, 4096, space="DeviceGray"), DONE,
        "seen words"),
    "a picture of a billion lines": (
        lambda: picture(sized(1, 10**9), bytes(999)), DONE, "seen words"),
    "a JPEG of 65535 squared": (
        lambda: picture(sized(65535, 65535, "DeviceGray") +
                        "/Filter/DCTDecode", jpeg(65535, 65535)), DONE,
        "seen words"),
    "a progressive JPEG of 65535 squared": (
        lambda: picture(sized(65535, 65535, "DeviceGray") +
                        "/Filter/DCTDecode", jpeg(65535, 65535, True)), DONE,
        "seen words"),
    "a fax of 65535 squared": (
        lambda: picture(sized(65535, 65535, "DeviceGray", 1) + "/Filter"
                        "/CCITTFaxDecode/DecodeParms<</K -1/Columns 65535"
                        "/Rows 65535>>", b"\xff" * 9000), DONE, "seen words"),
    "a picture in a line": (
        lambda: then("q 612 0 0 792 0 0 cm BI /W 65535 /H 65535 /CS /RGB /BPC "
                     "8 ID " + "\0" * 999 + " EI Q"), DONE, "seen words"),
    "forms in forms, 2^60": (
        lambda: drawn("/F Do", *[stream(
            "/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<<"
            f"/XObject<</F {{{i + 1}}}>>>>", "/F Do /F Do") for i in
            range(60)], stream("/Type/XObject/Subtype/Form/BBox[0 0 9 9]",
                               "0 0 9 9 re f"),
            resources="/XObject<</F {0}>>"), FAILED, "too long"),
    "patterns in themselves": (
        lambda: drawn("/Pattern cs /P scn 0 0 612 792 re f", stream(
            "/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 9 9]"
            "/XStep 1/YStep 1/Resources<</Pattern<</P {0}>>>>",
            "/Pattern cs /P scn 0 0 9 9 re f"), resources="/Pattern<</P {0}>>"),
        DONE, "seen words"),
    "a pattern of tiny tiles": (
        lambda: drawn("/Pattern cs /P scn 0 0 612 792 re f", stream(
            "/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 9 9]"
            "/XStep .0001/YStep .0001/Resources<<>>", "0 0 9 9 re f"),
            resources="/Pattern<</P {0}>>"), DONE, "seen words"),
    "dashes of nothing": (
        lambda: drawn("[.000001 .000001] 0 d 9 w 0 0 m 612 792 l S"), DONE,
        "seen words"),
    "an outline 100,000 deep": (
        f(outlined, 100_000, lambda i: named(i) + f"/First {12 + i} 0 R"),
        DONE, "seen words"),
    "pages 100,000 deep": (f(deep_tree, 100_000), EITHER, ""),
    "50,000 lines in one place": (f(one_place, 50_000), FAILED,
                                  "too long|too much memory"),
    "marks a million deep": (lambda: then("/P BMC " * 1_000_000 + SEEN),
                             FAILED, "too long"),
    "100,000 filters": (
        lambda: streamed(SEEN.encode(), "/Filter[" + "/ASCIIHexDecode " *
                         100_000 + "]"), FAILED, "too long"),
}

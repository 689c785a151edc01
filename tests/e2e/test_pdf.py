"""PDF files: a passage has its page and box, and what is hostile costs itself
only. The rectangle of each hit is held against the words poppler finds in it."""

import pathlib
import re
import shutil
import subprocess
import tempfile

import httpx
import pytest

import pdfs
from conftest import K

FILE = [{"type": "file", "file_index": 0}]

pytestmark = pytest.mark.skipif(shutil.which("pdftotext") is None,
                                reason="SKIPPED: pdftotext is not installed")


def add_file(api, base, data, name="x.pdf", seconds=120):
    answer = api.ingest(base, FILE, [(name, data)])
    assert answer.status_code == 202, answer.text
    job = api.wait(answer.json()["ingestion_job_id"], seconds)
    row, = api.pages(f"{K}/ingestion-jobs/{job['id']}/documents")
    return row


def words_of(text):
    return re.findall(r"\w+", text)


def words_inside(data, page, box, slack=0.1):
    """What pdftotext has in a rectangle of a page."""
    xml = subprocess.run(
        ["pdftotext", "-bbox", "-f", str(page), "-l", str(page), "-", "-"],
        input=data, capture_output=True, check=True).stdout.decode()
    found = []
    for m in re.finditer(r'<word xMin="([-\d.]+)" yMin="([-\d.]+)" '
                         r'xMax="([-\d.]+)" yMax="([-\d.]+)">(.*?)</word>', xml):
        x0, y0, x1, y1 = map(float, m.groups()[:4])
        if (x0 >= box[0] - slack and y0 >= box[1] - slack and
                x1 <= box[2] + slack and y1 <= box[3] + slack):
            text = m[5].replace("&lt;", "<").replace("&gt;", ">")
            found += words_of(text.replace("&quot;", '"').replace(
                "&apos;", "'").replace("&amp;", "&"))
    return found


def check_hit(text, data, hit):
    """The passage is what stands there, and its words are in the box, as far
    as they are on its page."""
    place = hit["position"]
    assert text[place["start_char"]:place["end_char"]] == hit["content"]
    page, box = hit["location"]["page"], hit["location"]["box"]
    assert page >= 1
    assert box[0] < box[2] and box[1] < box[3]
    inside = "".join(words_inside(data, page, box))
    own = words_of(hit["content"])
    assert own[0] in inside
    at = sum(word in inside for word in own)
    assert at >= len(own) * 0.5, (own, inside)


BOOK = pdfs.book().bytes()


@pytest.mark.parametrize("query", [
    "return wind when before exceeds now", "oil for the lamp, two cans",
    "a well-known friend of those who keep the barometer",
    "lighthouse on a rock that the sea covers"])
def test_a_passage_has_its_page_and_box(api, base, query):
    row = add_file(api, base, BOOK)
    assert row["status"] == "completed", row
    text = api.text_of(row["document_id"])
    hits = api.search(query, base)["results"]
    assert hits
    for hit in hits:
        check_hit(text, BOOK, hit)


def test_what_the_file_says_of_itself(api, base):
    row = add_file(api, base, BOOK)
    x = api.document(row["document_id"])["extraction"]
    assert x["outcome"] == "ok"
    assert x["mime"] == "application/pdf"
    assert x["title"] == "The Keeper's Handbook"
    assert x["created"] == "2024-01-31T12:00:00Z"
    assert x["modified"] == "2024-02-01T12:00:00+01:00"
    assert x["pages"] == 8
    flags = {f["kind"]: f["count"] for f in x["flags"]}
    assert flags == {"page_number": 8, "running_head": 7}
    text = api.text_of(row["document_id"])
    assert re.findall(r"^#+ .*$", text, re.M) == [
        "# 1 Keeping the light", "## 1.1 Daily figures",
        "# 2 Reading the glass", "## 2.1 Daily figures"]


def test_contents_and_index_are_found_behind_what_they_name(api, base):
    row = add_file(api, base, pdfs.manual().bytes())
    x = api.document(row["document_id"])["extraction"]
    flag, = [f for f in x["flags"] if f["kind"] == "listing"]
    assert (flag["count"], flag["page"], flag["dropped"]) == (2, 1, False)
    assert flag["sample"].startswith("1 Anchors . . .")
    assert api.text_of(row["document_id"]).count("xebecs, 3, 7") == 1
    for n, title in enumerate(pdfs.CHAPTERS):
        found = {query: [h["location"]["page"]
                         for h in api.search(query, base)["results"]]
                 for query in (title, f"{n + 1} {title}")}
        assert all(p[0] == n + 2 for p in found.values()), found
        # what names it in passing comes before the listings
        assert {1, 14} & set(found[title]) <= set(found[title][2:]), found
    hit, *_ = api.search("xebecs", base)["results"]
    assert hit["location"]["page"] == 14


def test_the_command_line_shows_the_page(cli, api, tmp_path):
    path = tmp_path / "manual.pdf"
    path.write_bytes(pdfs.manual().bytes())
    name = f"pdf-pages-{tmp_path.name}"
    base = cli.json("add", path, "--base", name)["base_id"]
    for query, page in (("Harbour rules", 9), ("xebecs", 14)):
        hit, *_ = api.search(query, base)["results"]
        assert hit["location"]["page"] == page
        first = cli("search", query, "--base", name,
                    "--limit", 1).stdout
        assert re.findall(r"\bpage (\d+) · chars (\d+)-(\d+) ", first) == [
            (str(page), str(hit["position"]["start_char"]),
             str(hit["position"]["end_char"]))], first


def test_the_original_comes_back_byte_by_byte(api, base):
    trailed = pdfs.manual().bytes() + b"\n%\x00\xff\r\n" * 3
    for data in (BOOK, trailed):
        row = add_file(api, base, data)
        link = api.document(row["document_id"])["download_url"]
        whole = httpx.get(link, trust_env=False)
        assert whole.content == data
        assert whole.headers["content-type"] == "application/pdf"
        end = httpx.get(link, trust_env=False,
                        headers={"range": "bytes=-6"})
        assert (end.status_code, end.content) == (206, data[-6:])


def test_a_long_outline_is_read(api, base):
    pdf = pdfs.Pdf()
    for n in range(400):
        pdf.page(pdfs.show(90, 700, f"Chapter about thing{n}") +
                 pdfs.show(90, 670, "Text of the chapter."))
        pdf.item(f"Chapter about thing{n}", n + 1)
    row = add_file(api, base, pdf.bytes())
    text = api.text_of(row["document_id"])
    assert len(re.findall(r"^# Chapter about thing\d+$", text, re.M)) == 400


@pytest.mark.parametrize("extra,box", [
    ("/Rotate 90", (0, 0, 612, 792)), ("/Rotate 180", (0, 0, 612, 792)),
    ("/Rotate 270", (0, 0, 612, 792)), ("", (100, 50, 712, 842)),
    ("/CropBox[50 50 600 780]", (0, 0, 612, 792)), ("/UserUnit 2", (0, 0, 612, 792))],
    ids=["90", "180", "270", "moved", "cropped", "unit"])
def test_turned_and_moved_pages_have_places_too(api, base, extra, box):
    pdf = pdfs.Pdf(box)
    for word in ("alpha", "bravo", "charlie"):
        pdf.page(pdfs.paragraph(150, 650, [word] + pdfs.PROSE * 6, 300)[0],
                 extra)
    data = pdf.bytes()
    row = add_file(api, base, data)
    text = api.text_of(row["document_id"])
    hits = api.search("lighthouse alpha bravo charlie", base)["results"]
    assert {hit["location"]["page"] for hit in hits} == {1, 2, 3}
    for hit in hits:
        check_hit(text, data, hit)


def test_tiny_text_is_left_out_and_told(api, base):
    row = add_file(api, base, pdfs.hidden().bytes())
    doc = api.document(row["document_id"])
    assert "tiny" not in api.text_of(doc["id"])
    assert "lamps" not in api.text_of(doc["id"])
    assert [f["count"] for f in doc["extraction"]["flags"]
            if f["kind"] == "tiny"] == [5]


def test_letters_are_what_the_font_says(api, base):
    """The inside of a font is left out before the text is read; its encoding
    is not."""
    add_file(api, base, pdfs.type1().bytes())
    hit, = api.search("lamp", base)["results"]
    assert "lamp" in hit["content"] and "ABCD" not in hit["content"]


@pytest.mark.parametrize("name,data,mime", [
    ("notes.txt", BOOK, "application/pdf"),
    ("report.pdf", b"The windmill of words turns.\n", "text/plain"),
    ("late.pdf", b"\n\nX-Mail: yes\r\n" + BOOK, "application/pdf"),
    ("about.md", b"# Files\n\nA file begins with %PDF-1.7 and ends so.\n",
     "text/markdown")])
def test_content_says_what_a_file_is(api, base, name, data, mime):
    row = add_file(api, base, data, name)
    assert row["status"] == "completed", row
    assert api.document(row["document_id"])["extraction"]["mime"] == mime


# ---- pages that are pictures ----

def scan(pages=1):
    """Pages of the book, drawn and packed as pictures."""
    pdf = pdfs.Pdf()
    for n in range(3, 3 + pages):
        pgm = subprocess.run(
            ["pdftoppm", "-gray", "-r", "200", "-f", str(n), "-l", str(n), "-"],
            input=BOOK, capture_output=True, check=True).stdout
        head = re.match(rb"P5\n(\d+) (\d+)\n255\n", pgm)
        w, h = int(head[1]), int(head[2])
        image = pdf.stream(
            pgm[head.end():], deflate=1,
            head=f"/Type/XObject/Subtype/Image/Width {w}/Height {h}"
                 "/ColorSpace/DeviceGray/BitsPerComponent 8")
        pdf.page("q 612 0 0 792 0 0 cm /Im Do Q",
                 resources=f"<</XObject<</Im {image} 0 R>>>>")
    pdf.page("")  # blank: not worth a reading
    return pdf.bytes()


@pytest.mark.skipif(shutil.which("tesseract") is None,
                    reason="SKIPPED: tesseract is not installed")
def test_pages_that_are_pictures_are_read(api, base):
    row = add_file(api, base, scan())
    assert row["status"] == "completed", row
    x = api.document(row["document_id"])["extraction"]
    flags = {f["kind"]: f["count"] for f in x["flags"]}
    assert flags == {"ocr": 1}
    assert 80 <= x["ocr_confidence"] <= 100
    hit = api.search("the keeper reads the barometer each morning",
                     base)["results"][0]
    box = hit["location"]["box"]
    inside = words_inside(BOOK, 3, box, slack=4)
    own = words_of(hit["content"])
    assert len(set(own) & set(inside)) >= 0.9 * len(set(own))


def test_ocr_can_be_off_and_has_a_budget(start_server):
    off = start_server("--ocr", "off")
    row = add_file(off.api, off.api.make_base(), scan())
    assert row["status"] == "failed"
    assert row["error_message"] == \
        "The pages are pictures and were not read: OCR is off"
    if shutil.which("tesseract") is None:
        return
    few = start_server("--ocr-pages-max", "1")
    row = add_file(few.api, few.api.make_base(), scan(2))
    assert row["status"] == "completed"
    x = few.api.document(row["document_id"])["extraction"]
    assert x["outcome"] == "partial"
    assert "OCR reads 1 pages" in x["note"]
    assert {f["kind"]: f["count"] for f in x["flags"]} == {"ocr": 1, "no_text": 1}


# ---- qpdf's ----

def qpdf(data, *options):
    if shutil.which("qpdf") is None:
        pytest.skip("SKIPPED: qpdf is not installed")
    with tempfile.NamedTemporaryFile(suffix=".pdf") as f:
        f.write(data)
        f.flush()
        return subprocess.run(["qpdf", *options, f.name, "-"],
                              capture_output=True, check=True).stdout


@pytest.mark.parametrize("streams", ["disable", "generate"])
def test_files_in_the_file_are_told(api, base, tmp_path, streams):
    names = []
    for name in ("log.txt", "figures.csv"):
        path = tmp_path / name
        path.write_text(f"In {name} the keeper counts porpoises.\n")
        names += ["--add-attachment", str(path), "--"]
    data = qpdf(BOOK, f"--object-streams={streams}", *names)
    row = add_file(api, base, data)
    assert row["status"] == "completed", row
    flags = api.document(row["document_id"])["extraction"]["flags"]
    assert [(f["count"], f["dropped"]) for f in flags
            if f["kind"] == "attachment"] == [(2, True)]
    assert "porpoises" not in api.text_of(row["document_id"])


# ---- hostile ----

def test_encrypted_files_say_so(api, base):
    row = add_file(api, base, qpdf(BOOK, "--encrypt", "secret", "own", "256",
                                   "--"))
    assert row["status"] == "failed"
    assert row["error_message"] == \
        "The PDF file is encrypted and needs a password"
    row = add_file(api, base, qpdf(BOOK, "--encrypt", "", "own", "256", "--"))
    assert row["status"] == "completed"


@pytest.mark.parametrize("data,words", [
    (pdfs.book().bytes(count=30), "Keeping the light"),
    (BOOK[:BOOK.rindex(b"xref")], "oil for the lamp")],
    ids=["more pages than there are", "no cross-references"])
def test_what_can_be_read_is_read(api, base, data, words):
    row = add_file(api, base, data)
    assert row["status"] == "completed", row
    assert words in api.text_of(row["document_id"])


def session_of(server):
    """The names of its processes and of all that came from them."""
    names = set()
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            name, fields = stat.read_text().split("(", 1)[1].rsplit(")", 1)
        except (FileNotFoundError, ProcessLookupError): # ended meanwhile
            continue
        if int(fields.split()[3]) == server.process.pid:
            names.add(name)
    return names


def test_no_process_of_a_document_is_left(server, api, base):
    """Programs and readers end with their documents."""
    add_file(api, base, BOOK)
    left = session_of(server)
    assert "knowd" in left and "knowd-nanny" in left
    assert not {"pdfinfo", "pdftotext", "pdftohtml"} & left

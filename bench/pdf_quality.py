"""How good the text of PDF files is: words in the order of pdftotext's own,
pages found by the titles of outlines, passages against what stands in their
boxes, OCR against the text of the same pages.

    [FILES=R-intro,gnuplot] make bench ROW=pdf_quality \
        [ARGS="words outline boxes ocr"]"""

import bisect
import difflib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

import pdfs
from server import Server, ROOT, table

K = "/v1/knowledge-base"
QUERIES = 500
HITS = 3
OCR_PAGES = int(os.environ.get("OCR_PAGES", "12"))


def run(*command, data=None):
    return subprocess.run(command, input=data, capture_output=True,
                          check=True).stdout


def words_of(text):
    return re.findall(r"\w+", text)


class Library:
    """A base a file."""

    def __init__(self, server, paths):
        self.server, self.bases, self.texts = server, {}, {}
        for path in paths:
            name = os.path.basename(path)
            server.cli("add", path, "--base", name, "--json")
        bases = self.items(f"{K}/knowledge-bases")
        for base in bases:
            self.bases[base["name"]] = base["id"]
        self.paths = {os.path.basename(p): p for p in paths}

    def items(self, path):
        items, cursor = [], ""
        while True:
            page = self.server.call("GET", path + "?limit=200" + cursor)
            items += page["items"]
            if not page["has_more"]:
                return items
            cursor = "&cursor=" + page["next_cursor"]

    def text(self, name):
        if name not in self.texts:
            docs = self.items(f"{K}/knowledge-bases/{self.bases[name]}"
                              "/documents")
            doc = self.server.call("GET", f"{K}/documents/{docs[0]['id']}")
            link = doc.get("normalized_download_url")
            self.texts[name] = "" if not link else fetch(link)
        return self.texts[name]

    def search(self, name, query, limit=10):
        return self.server.call("POST", f"{K}/search", {
            "query": query, "kb_ids": [self.bases[name]],
            "limit": limit})["results"]


def fetch(link):
    import urllib.request
    with urllib.request.urlopen(link, timeout=60) as answer:
        return answer.read().decode()


def outline(path):
    """(title, page) of every item."""
    xml = run("pdftohtml", "-xml", "-i", "-stdout", "-f", "1", "-l", "1",
              path).decode(errors="replace")
    at = xml.find("<outline>")
    if at < 0:
        return []
    xml = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "",
                 xml[at:xml.rfind("</outline>") + 10])
    return [(i.text.strip(), int(i.get("page")))
            for i in ET.fromstring(xml).iter("item")
            if i.text and i.get("page")]


# ---- words in order ----

def in_order(theirs, ours):
    """How many of their words stand in ours in the same order: at least so
    many. The longest common subsequence is found between anchors: words that
    both have once, as many as ascend in both (patience sorting), and the same
    again between these."""
    kept, todo = 0, [(0, len(theirs), 0, len(ours))]
    while todo:
        a, a_end, b, b_end = todo.pop()
        while a < a_end and b < b_end and theirs[a] == ours[b]:
            a, b, kept = a + 1, b + 1, kept + 1
        while a < a_end and b < b_end and theirs[a_end - 1] == ours[b_end - 1]:
            a_end, b_end, kept = a_end - 1, b_end - 1, kept + 1
        if a == a_end or b == b_end:
            continue
        anchors = ascending(once(theirs, a, a_end), once(ours, b, b_end))
        if not anchors:
            kept += common(theirs[a:a_end], ours[b:b_end])
            continue
        kept += len(anchors)
        ends = anchors + [(a_end, b_end)]
        for (x, y), (x_end, y_end) in zip([(a - 1, b - 1)] + anchors, ends):
            todo.append((x + 1, x_end, y + 1, y_end))
    return kept


def once(words, at, end):
    places = {}
    for i in range(at, end):
        places[words[i]] = None if words[i] in places else i
    return {w: i for w, i in places.items() if i is not None}


def ascending(theirs, ours):
    """The longest run of (place in theirs, place in ours) that ascends in
    both."""
    ends, tops, before = [], [], {}
    for x, y in sorted((i, ours[w]) for w, i in theirs.items() if w in ours):
        at = bisect.bisect_left(ends, y)
        ends[at:at + 1], tops[at:at + 1] = [y], [(x, y)]
        before[x, y] = tops[at - 1] if at > 0 else None
    run, one = [], tops[-1] if tops else None
    while one is not None:
        run.append(one)
        one = before[one]
    return run[::-1]


def common(a, b):
    """Length of the longest common subsequence, a row of the table a bit
    vector (Hyyrö 2004)."""
    places, row, full = {}, (1 << len(a)) - 1, (1 << len(a)) - 1
    for i, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << i
    for word in b:
        match = row & places.get(word, 0)
        row = ((row + match) | (row - match)) & full
    return len(a) - row.bit_count()


def row_words(library):
    total = kept = 0
    worst = (2, "")
    for name, path in library.paths.items():
        theirs = words_of(run("pdftotext", path, "-").decode(errors="replace"))
        if not theirs:
            continue
        n = in_order(theirs, words_of(library.text(name)))
        total, kept = total + len(theirs), kept + n
        worst = min(worst, (n / len(theirs), name))
    return [["words of pdftotext in order", f"{100 * kept / total:.2f} %",
             f"{total} words, worst {worst[1]} {100 * worst[0]:.2f} %"]]


# ---- outlines ----

def sample_of(library):
    """Titles of two words and more that their file's outline has once, spread
    over the files. Each is asked of its own file alone, so that a title which
    other files have too has one right page."""
    rng = random.Random(7)
    found = []
    for name, path in library.paths.items():
        items = [(t, p) for t, p in outline(path) if len(words_of(t)) >= 2]
        titles = [t for t, _ in items]
        items = [(t, p) for t, p in items if titles.count(t) == 1]
        rng.shuffle(items)
        found += [(name, t, p) for t, p in items[:60]]
    rng.shuffle(found)
    return found[:QUERIES]


def bare(title):
    """Its letters, without the number before it."""
    words = title.split()
    if words and words[0] in ("Appendix", "Chapter", "Part"):
        words = words[1:]
    if len(words) > 1 and re.fullmatch(r"([A-Z]\.)?[\d.]+|[A-Z]|[IVX]+",
                                       words[0]):
        words = words[1:]
    return letters(" ".join(words))


def stands_on(hit, title, page):
    """Whether the passage stands on the page of the title: it begins there, or
    it begins before and the title is a heading inside it."""
    first = hit["location"]["page"]
    return first == page or first < page and any(
        line.startswith("#") and bare(line.lstrip("# ")) == bare(title)
        for line in hit["content"].split("\n"))


def less_a_word(title):
    """A title of three words and more without one of them."""
    words = title.split()
    if len(words) > 2:
        del words[sum(title.encode()) % len(words)]
    return " ".join(words)


def row_outline(library):
    rows = []
    queries = sample_of(library)
    for what, asked in (("title of the outline", str),
                        ("the same less a word", less_a_word)):
        right = begins = near = 0
        for name, title, page in queries:
            for hit in library.search(name, asked(title), 1):
                right += stands_on(hit, title, page)
                begins += hit["location"]["page"] == page
                near += abs(hit["location"]["page"] - page) <= 1
        rows.append([what + ": the first hit stands on its page",
                     f"{right / len(queries):.3f}",
                     f"{len(queries)} queries, {len({q[0] for q in queries})} "
                     f"files; begins on it {begins / len(queries):.3f}, within "
                     f"a page of it {near / len(queries):.3f}"])
    return rows


# ---- boxes ----

def page_words(path, page, seen):
    if (path, page) not in seen:
        xml = run("pdftotext", "-bbox", "-f", str(page), "-l", str(page), path,
                  "-").decode(errors="replace")
        seen[path, page] = [
            (*map(float, m.groups()[:4]), unescape(m[5])) for m in re.finditer(
                r'<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" '
                r'yMax="([-\d.]+)">(.*?)</word>', xml)]
    return seen[path, page]


def unescape(s):
    for a, b in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'),
                 ("&apos;", "'"), ("&amp;", "&")):
        s = s.replace(a, b)
    return s


def letters(text):
    return "".join(words_of(text))


def row_boxes(library):
    """Of every hit: the passage cut out of the text, and its words on its page
    held against those in its box. A passage that goes on over pages is judged
    by what of it stands on its first: the part that the page holds."""
    hits = exact = words = inside_words = whole = 0
    seen = {}
    for name, title, _ in sample_of(library):
        text = library.text(name)
        for hit in library.search(name, title, HITS):
            place, where = hit["position"], hit["location"]
            hits += 1
            exact += text[place["start_char"]:place["end_char"]] == hit["content"]
            box = where["box"]
            on_page = page_words(library.paths[name], where["page"], seen)
            inside = [w for w in on_page
                      if w[0] >= box[0] - 0.1 and w[1] >= box[1] - 0.1 and
                      w[2] <= box[2] + 0.1 and w[3] <= box[3] + 0.1]
            ours = words_of(hit["content"])
            blocks = difflib.SequenceMatcher(
                None, ours, [x for w in on_page for x in words_of(w[4])],
                autojunk=False).get_matching_blocks()
            mine = [w for b in blocks for w in ours[b.a:b.a + b.size]]
            there = letters("".join(w[4] for w in inside))
            n = sum(w in there for w in mine)
            words, inside_words = words + len(mine), inside_words + n
            whole += bool(mine) and n == len(mine)
    return [["hits whose place cuts out exactly their content",
             f"{exact} of {hits}", f"{QUERIES} queries, {HITS} hits each"],
            ["hits with all their words of the page inside the box",
             f"{whole} of {hits}",
             f"{100 * inside_words / words:.2f} % of {words} words"]]


# ---- OCR ----

def pictures(path, first, n):
    """Pages as pictures only."""
    import importlib.util
    spec = importlib.util.spec_from_file_location(
        "pdf_maker", os.path.join(ROOT, "tests/pdfs.py"))
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    pdf = maker.Pdf()
    for page in range(first, first + n):
        pgm = run("pdftoppm", "-gray", "-r", "300", "-f", str(page), "-l",
                  str(page), path)
        head = re.match(rb"P5\n(\d+) (\d+)\n255\n", pgm)
        w, h = int(head[1]), int(head[2])
        image = pdf.stream(pgm[head.end():], deflate=1, head=(
            f"/Type/XObject/Subtype/Image/Width {w}/Height {h}"
            "/ColorSpace/DeviceGray/BitsPerComponent 8"))
        pdf.page(f"q {w * 72 / 300} 0 0 {h * 72 / 300} 0 0 cm /Im Do Q",
                 extra=f"/MediaBox[0 0 {w * 72 / 300} {h * 72 / 300}]",
                 resources=f"<</XObject<</Im {image} 0 R>>>>")
    return pdf.bytes()


def row_ocr(server, path):
    with tempfile.TemporaryDirectory() as tmp:
        scan = os.path.join(tmp, "scan.pdf")
        with open(scan, "wb") as f:
            f.write(pictures(path, 20, OCR_PAGES))
        library = Library(server, [scan])
        ours = words_of(library.text("scan.pdf"))
    theirs = words_of(run("pdftotext", "-f", "20", "-l", str(19 + OCR_PAGES),
                          path, "-").decode(errors="replace"))
    n = in_order(theirs, ours)
    return [["OCR of rendered pages: words of their text",
             f"{100 * n / len(theirs):.2f} %",
             f"{OCR_PAGES} pages of {os.path.basename(path)}, "
             f"{len(theirs)} words"]]


def main():
    wanted = sys.argv[1:] or ["words", "outline", "boxes", "ocr"]
    only = [n for n in os.environ.get("FILES", "").split(",") if n]
    paths = [p for p in pdfs.files()
             if not only or os.path.basename(p)[:-4] in only]
    server = Server()
    rows = []
    try:
        if wanted != ["ocr"]:
            library = Library(server, paths)
            for name, row in (("outline", row_outline), ("boxes", row_boxes),
                              ("words", row_words)):
                if name in wanted:
                    made = row(library)
                    print(json.dumps(made), flush=True)
                    rows += made
        if "ocr" in wanted:
            rows += row_ocr(server, next(p for p in paths if
                                         p.endswith("R-data.pdf")))
    finally:
        server.stop()
    table("pdf_quality", ["what", "figure", "of"], rows)


if __name__ == "__main__":
    main()

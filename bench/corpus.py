"""corpus.py OUT PACKAGE...: the text of unpacked packages under OUT/debs.

HTML becomes Markdown (headings, paragraphs, lists, code); text, reST, Markdown
and POD stay as they are. Then each file is cut at blank lines into chunks of
about 256 WordPiece tokens (200 words and signs). Chunks seen before are left
out. No chance in it: files go in order of their names.
"""
import sys

sys.path.append(sys.path.pop(0))  # Python's own `html` comes first

import gzip
import hashlib
import os
import re
from html.parser import HTMLParser

PIECES = 200
SKIP_TAGS = {"script", "style", "nav", "footer", "header", "svg", "form"}
BLOCKS = {"p", "div", "section", "table", "tr", "dt", "dd", "ul", "ol", "pre",
          "blockquote", "br"}
# The same text again, or in another language; linux-doc's html is its rst.
SKIP_FOLDERS = {"_sources", "translations", "linux-doc-6.1/html"}
TEXT_ENDS = (".txt", ".rst", ".md", ".pod", ".asciidoc", ".adoc")


class Markdown(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.out, self.title, self.skip, self.pre = [], "", 0, 0
        self.in_title = False

    def handle_starttag(self, tag, attrs):
        if tag in SKIP_TAGS or (tag == "div" and self.skip):
            self.skip += 1
        elif tag == "div" and re.search(
                "sidebar|related|footer|navheader|navfooter|toctree",
                dict(attrs).get("class") or ""):
            self.skip += 1
        elif tag == "title":
            self.in_title = True
        elif re.fullmatch("h[1-6]", tag):
            self.out.append("\n\n" + "#" * int(tag[1]) + " ")
        elif tag == "li":
            self.out.append("\n* ")
        elif tag in BLOCKS:
            self.out.append("\n\n" if tag != "br" else "\n")
            self.pre += tag == "pre"

    def handle_endtag(self, tag):
        if self.skip:
            self.skip -= tag in SKIP_TAGS or tag == "div"
        elif tag == "title":
            self.in_title = False
        elif tag in BLOCKS or re.fullmatch("h[1-6]", tag):
            self.out.append("\n\n")
            self.pre -= tag == "pre" and self.pre > 0

    def handle_data(self, data):
        if self.in_title:
            self.title += data
        elif not self.skip:
            self.out.append(data if self.pre else re.sub(r"\s+", " ", data))


def read(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
        return f.read().decode("utf-8", "replace")


def document(path):
    """Title and text of a file, or None."""
    name = path[:-3] if path.endswith(".gz") else path
    base = os.path.basename(name)
    if re.search("genindex|search|changelog|copyright|modindex", base):
        return None
    if name.endswith((".html", ".htm")):
        page = Markdown()
        page.feed(read(path))
        text, title = "".join(page.out), page.title
    elif name.endswith(TEXT_ENDS):
        text, title = read(path), base
    else:
        return None
    text = re.sub(r"[ \t]+\n", "\n", text.replace("\u00b6", ""))
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    title = re.split(r" [—\u2014] ", " ".join(title.split()))[0]
    return (title, text + "\n") if len(text) > 200 else None


def chunks(text):
    piece, n = [], 0
    for part in re.findall(r"(?s).+?(?:\n\n+|$)", text):
        while part.strip():
            words = list(re.finditer(r"\w+|[^\w\s]", part))
            room = PIECES - n
            if len(words) <= room:
                piece.append(part)
                n += len(words)
                break
            if n >= PIECES * 2 // 3:
                yield "".join(piece)
                piece, n = [], 0
                continue
            cut = words[room].start()
            piece.append(part[:cut])
            yield "".join(piece)
            part, piece, n = part[cut:], [], 0
    if piece:
        yield "".join(piece)


def main():
    out, packages = sys.argv[1], sys.argv[2:]
    seen, files, kept, size = set(), 0, 0, 0
    with open(f"{out}/chunks.tsv.part", "w", encoding="utf-8") as tsv:
        for package in packages:
            for folder, dirs, names in os.walk(f"{out}/debs/{package}"):
                if any(("/" + folder).endswith("/" + s)
                       for s in SKIP_FOLDERS):
                    dirs.clear()
                    continue
                dirs.sort()
                for name in sorted(names):
                    path = os.path.join(folder, name)
                    if os.path.islink(path):
                        continue
                    doc = document(path)
                    if doc is None or doc[1] in seen:
                        continue
                    seen.add(doc[1])
                    files += 1
                    short = f"{package}/{files:05d}-{name.split('.')[0]}.md"
                    os.makedirs(f"{out}/corpus/files/{package}", exist_ok=True)
                    with open(f"{out}/corpus/files/{short}", "w",
                              encoding="utf-8") as f:
                        f.write(f"# {doc[0]}\n\n{doc[1]}")
                    for chunk in chunks(doc[1]):
                        flat = " ".join(chunk.split())
                        key = hashlib.sha1(flat.encode()).digest()
                        if len(flat) < 40 or key in seen:
                            continue
                        seen.add(key)
                        tsv.write(f"{short}\t{doc[0]}\t{flat}\n")
                        kept += 1
                        size += len(flat.encode())
    os.rename(f"{out}/chunks.tsv.part", f"{out}/chunks.tsv")
    print(f"{files} files, {kept} chunks, {size} bytes of text")


main()

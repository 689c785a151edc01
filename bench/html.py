"""HTML to text and to findable: knowd against trafilatura 2.3.1 (and LanceDB
0.25.3 full text behind it).

usage: html.py [f1] [speed]     (both without arguments)
needs: pip install trafilatura==2.3.1 lxml_html_clean lancedb==0.25.3

f1: pages whose text is known (html_pages.py); F1 of the multisets of words, of
the text knowd serves over HTTP and of what trafilatura gives in the same run.
speed: 70 MB of pages to findable by `knowd add` over HTTP, and by trafilatura in
two processes with LanceDB's index behind it, on two cores each, in turns."""

import sys

sys.path.append(sys.path.pop(0))  # Python's own `html` comes first

import collections
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import time

import html_pages
from server import ROOT, Server, median, table

DEBS = os.path.join(ROOT, "build/bench/debs")
SPEED = ("python3.11-doc/usr/share/doc/python3.11/html",
         "linux-doc-6.1/usr/share/doc/linux-doc-6.1/html")
K = "/v1/knowledge-base"
BYTES = 35_000_000  # of each
ROUNDS = int(os.environ.get("ROUNDS", "3"))


# ---- F1 ----

def f1(got, want):
    got, want = (collections.Counter(html_pages.words(t)) for t in (got, want))
    both = sum((got & want).values())
    if both == 0:
        return 0.0
    precision, recall = both / sum(got.values()), both / sum(want.values())
    return 2 * precision * recall / (precision + recall)


def knowd_texts(pages):
    server = Server()
    folder = tempfile.mkdtemp(prefix="knowd-html-")
    try:
        for i, one in enumerate(pages):
            with open(os.path.join(folder, f"{i:04d}.html"), "wb") as f:
                f.write(one[2])
        done = server.cli("add", folder, "--json")
        if done.returncode != 0:
            raise SystemExit("knowd add: " + done.stderr + done.stdout)
        texts, cursor = {}, ""
        base = server.call("GET", K + "/knowledge-bases")["items"][0]["id"]
        while cursor is not None:
            got = server.call("GET", f"{K}/knowledge-bases/{base}/documents"
                              f"?limit=200{cursor}")
            for doc in got["items"]:
                doc = server.call("GET", f"{K}/documents/{doc['id']}")
                texts[int(doc["title"][:4])] = server.fetch(
                    doc["normalized_download_url"])
            cursor = got["next_cursor"]
            cursor = cursor and "&cursor=" + cursor
        return [texts[i] for i in range(len(pages))]
    finally:
        server.stop()
        shutil.rmtree(folder)


def trafilatura_texts(pages, **how):
    import trafilatura
    return [trafilatura.extract(p[2], include_comments=False, **how) or ""
            for p in pages]


def mean(values):
    values = list(values)
    return f"{sum(values) / len(values):.3f}"


def run_f1():
    pages = html_pages.pages(DEBS)
    sides = [("knowd", knowd_texts(pages)),
             ("trafilatura", trafilatura_texts(pages)),
             ("trafilatura, for recall",
              trafilatura_texts(pages, favor_recall=True))]
    scores = [(name, [f1(t, p[3]) for t, p in zip(texts, pages)])
              for name, texts in sides]
    makes = list(dict.fromkeys(p[0] for p in pages))
    sets = [("all", range(len(pages))),
            ("held out", range(0, len(pages), 2)),
            ("documentation", [i for i, p in enumerate(pages)
                               if os.path.isabs(p[1])]),
            ("templates", [i for i, p in enumerate(pages)
                           if not os.path.isabs(p[1])])]
    sets += [(m, [i for i, p in enumerate(pages) if p[0] == m]) for m in makes]
    table(f"F1 of main content, {len(pages)} pages, mean",
          ["pages", "n"] + [name for name, _ in scores],
          [[label, len(which)] + [mean(s[i] for i in which) for _, s in scores]
           for label, which in sets])
    if os.environ.get("WORST"):
        order = sorted(range(1, len(pages), 2), key=lambda i: scores[0][1][i])
        table("knowd's worst of those looked at", ["page", "knowd", "peer"],
              [[pages[i][1], f"{scores[0][1][i]:.3f}",
                f"{scores[1][1][i]:.3f}"] for i in order[:20]])


# ---- speed ----

def sample(folder):
    """The first 35 MB of each, by name, linked into a folder."""
    whole = 0
    for source in SPEED:
        total = 0
        for directory, dirs, names in os.walk(os.path.join(DEBS, source)):
            dirs.sort()
            for name in sorted(names):
                path = os.path.join(directory, name)
                if not name.endswith(".html") or not os.path.exists(path):
                    continue
                size = os.path.getsize(path)
                if total + size > BYTES:
                    continue
                os.symlink(os.path.realpath(path),
                           os.path.join(folder, f"{whole + total:09d}-{name}"))
                total += size
        whole += total
    return whole


def extract_one(path):
    import trafilatura
    with open(path, "rb") as f:
        return os.path.basename(path), trafilatura.extract(f.read()) or ""


def passages(name, text):
    block = ""
    for paragraph in text.split("\n"):
        if block and len(block) + len(paragraph) > 1000:
            yield {"name": name, "body": block}
            block = ""
        block += paragraph + "\n"
    if block.strip():
        yield {"name": name, "body": block}


def peer(folder):
    import lancedb
    where, t, group = tempfile.mkdtemp(), None, []
    db = lancedb.connect(where)
    paths = [os.path.join(folder, n) for n in sorted(os.listdir(folder))]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for name, text in pool.imap(extract_one, paths, 8):
            group += passages(name, text)
            if len(group) >= 1000:
                if t is None:
                    t = db.create_table("t", group)
                else:
                    t.add(group)
                group = []
    if group:
        t.add(group)
    t.create_fts_index("body", use_tantivy=False, with_position=True, stem=True,
                       remove_stop_words=False, language="English")
    assert t.search("file", query_type="fts").limit(1).to_list()
    shutil.rmtree(where)


def timed(run):
    began = time.monotonic()
    run()
    return time.monotonic() - began


def knowd(folder):
    server = Server(cpus="0,1")
    try:
        began = time.monotonic()
        done = server.cli("add", folder, "--json", cpus="0,1")
        took = time.monotonic() - began
        if done.returncode != 0:
            raise SystemExit("knowd add: " + done.stderr + done.stdout)
        return took, server.rss_mib()
    finally:
        server.stop()


def run_speed():
    folder = tempfile.mkdtemp(prefix="knowd-html-")
    total = sample(folder)
    ours, theirs, rss = [], [], 0
    for _ in range(ROUNDS):
        took, mib = knowd(folder)
        ours.append(took)
        rss = max(rss, mib)
        theirs.append(timed(lambda: subprocess.run(
            ["taskset", "-c", "0,1", sys.executable, __file__, "peer", folder],
            check=True)))
    ratio = median([t / o for o, t in zip(ours, theirs)])
    table(f"HTML to findable: {total / 1e6:.1f} MB in "
          f"{len(os.listdir(folder))} pages, two cores, median of {ROUNDS} "
          "rounds in turns", ["", "s", "MB/s"],
          [["knowd", f"{median(ours):.1f}", f"{total / 1e6 / median(ours):.1f}"],
           ["trafilatura + LanceDB", f"{median(theirs):.1f}",
            f"{total / 1e6 / median(theirs):.1f}"],
           ["ratio", f"{ratio:.1f}x", f"knowd afterwards: {rss:.0f} MiB"]])
    shutil.rmtree(folder)


def main():
    if sys.argv[1:2] == ["peer"]:
        peer(sys.argv[2])
        return
    rows = sys.argv[1:] or ["f1", "speed"]
    if "f1" in rows:
        run_f1()
    if "speed" in rows:
        run_speed()


if __name__ == "__main__":
    main()

"""PDF pages to findable: knowd over HTTP (words with boxes) against pdftotext
and LanceDB full text (words only), both on the same two cores, two threads.

Both get the same files, cut them into about as many passages and are done when
a search finds a word of the last file. Rounds are interleaved; the memory of the
server is that of all its processes, five times a second (a look takes
milliseconds of the same cores)."""

import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import pdfs
from server import Server, children, median, table

ROUNDS = int(os.environ.get("ROUNDS", "3"))
CPUS = "0,1"
# What makes about as many passages as knowd makes chunks of 256 tokens.
PASSAGE_CHARS = 650


def pages_of(path):
    text = subprocess.run(["pdftotext", path, "-"], capture_output=True,
                          check=True).stdout.decode(errors="replace")
    return os.path.basename(path), text.split("\f")


def passages(name, pages):
    for number, text in enumerate(pages, 1):
        block = ""
        for paragraph in text.split("\n\n"):
            if block and len(block) + len(paragraph) > PASSAGE_CHARS:
                yield {"name": name, "page": number, "body": block}
                block = ""
            block += paragraph + "\n\n"
        if block.strip():
            yield {"name": name, "page": number, "body": block}


def lancedb_full_text():
    import lancedb
    where = tempfile.mkdtemp()
    db = lancedb.connect(where)
    t = None
    group = []
    # The largest first: they bound how well two threads can share.
    paths = sorted(pdfs.files(), key=os.path.getsize, reverse=True)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, pages in pool.map(pages_of, paths):
            group += passages(name, pages)
            while len(group) >= 1000:
                rows, group = group[:1000], group[1000:]
                if t is None:
                    t = db.create_table("t", rows)
                else:
                    t.add(rows)
    if t is None:
        t = db.create_table("t", group)
    elif group:
        t.add(group)
    t.create_fts_index("body", use_tantivy=False, with_position=True,
                       stem=True, remove_stop_words=False, language="English")
    assert t.search("function", query_type="fts").limit(1).to_list()
    shutil.rmtree(where)


def family(pid):
    for child in children(pid):
        yield child
        yield from family(child)


def pss_mib(pid):
    total = 0
    for each in [pid, *family(pid)]:
        try:
            with open(f"/proc/{each}/smaps_rollup") as f:
                total += sum(int(line.split()[1]) for line in f
                             if line.startswith("Pss:"))
        except OSError:
            pass
    return total / 1024


class Watch(threading.Thread):
    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.done = pid, 0.0, threading.Event()

    def run(self):
        while not self.done.wait(0.2):
            self.peak = max(self.peak, pss_mib(self.pid))


def knowd():
    server = Server(cpus=CPUS)
    watch = Watch(server.process.pid)
    watch.start()
    try:
        began = time.monotonic()
        done = server.cli("add", pdfs.FOLDER, "--json", cpus=CPUS)
        took = time.monotonic() - began
        print(f"knowd {took:.1f} s, peak {watch.peak:.0f} MiB", flush=True)
        # A file that is one picture holds no text: the only failure.
        if done.returncode not in (0, 1):
            raise SystemExit("knowd add: " + done.stderr + done.stdout)
        bases = server.call("GET", "/v1/knowledge-base/knowledge-bases")
        hit = server.call("POST", "/v1/knowledge-base/search", {
            "query": "function", "limit": 1,
            "kb_ids": [bases["items"][0]["id"]]})["results"][0]
        assert hit["location"]["page"] and hit["location"]["box"]
        return took, watch.peak
    finally:
        watch.done.set()
        server.stop()


def peer():
    began = time.monotonic()
    subprocess.run(["taskset", "-c", CPUS, sys.executable, __file__, "peer"],
                   check=True)
    return time.monotonic() - began


def main():
    if len(sys.argv) == 2:
        lancedb_full_text()
        return
    paths = pdfs.files()
    pages = sum(pdfs.pages(path) for path in paths)
    ours, theirs, peaks = [], [], []
    for _ in range(ROUNDS):
        took, peak = knowd()
        ours.append(took)
        peaks.append(peak)
        theirs.append(peer())
    table(f"pdf: {pages} pages in {len(paths)} files to findable, median of "
          f"{ROUNDS} interleaved rounds on cores {CPUS}",
          ["peer", "peer took", "knowd took, with boxes", "peer / knowd",
           "knowd's peak, children included"],
          [["pdftotext + LanceDB", f"{median(theirs):.1f} s",
            f"{median(ours):.1f} s",
            f"{median([t / o for o, t in zip(ours, theirs)]):.2f}x",
            f"{max(peaks):.0f} MiB"]])


if __name__ == "__main__":
    main()

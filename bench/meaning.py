"""What finding by meaning costs, against what people build in Python of parts:
pdftotext, ONNX Runtime int8 with the same weights, LanceDB with full text and
vectors. All on the same two cores, in turns.

pages: 1,000 pages of the PDF files until both words and vectors find them, and
the peak of memory of all processes (PSS, five times a second). The peer cuts
into about as many passages as knowd makes chunks, embeds batches sorted by
length, and pads little.
query: hybrid queries that were never asked before, over files of some 16,000
chunks: knowd over HTTP, the peer inside its process, ten each in turns, so that
each finds what it left in the caches, and not what the other did. The peer's
table is kept in build/bench/hybrid between runs; its vectors are those of the
first 32 tokens of a passage, as a scan takes as long whatever they are. Before
that, queries are asked while the passages are being embedded: how long one waits
for its vector behind them.
idle: memory with the model, and from start to ready with 10,000 chunks.

Wants a venv with lancedb==0.25.3 and what peer_onnx.py wants."""

import concurrent.futures
import http.client
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

import pdfs
import peer_onnx
from idle import CHUNKS, notes
from pdf import CPUS, Watch, pages_of, passages
from quality import add_model, call, make_base
from server import KEY, ROOT, Server, median, table

PAGES = 1000
ROUNDS = int(os.environ.get("ROUNDS", "3"))
QUERIES = int(os.environ.get("QUERIES", "300"))
TURN = 10  # queries of one side in a row
BUSY = 200  # queries at most, beside embedding
KEPT = os.path.join(ROOT, "build/bench/hybrid")
READY_ROUNDS = 9


def some(pages):
    """Files by name that are no more than so many pages together."""
    chosen = []
    for path in pdfs.files():
        n = pdfs.pages(path)
        if n <= pages:
            pages -= n
            chosen.append(path)
    return chosen


LEFT_OUT = {"fullrefman.pdf",  # another one under a second cover
            "libpari.pdf", "users.pdf"}  # 4,400 chunks more than wanted


def most():
    return [p for p in pdfs.files() if os.path.basename(p) not in LEFT_OUT]


# ---- the peer ----

def cut(paths):
    """Passages of files, two read at a time, the largest first."""
    paths = sorted(paths, key=os.path.getsize, reverse=True)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, pages in pool.map(pages_of, paths):
            yield from passages(name, pages)


def build(where, paths, tokens_max=256):
    """A table of passages with vectors, its full-text index."""
    import lancedb
    rows = list(cut(paths))
    # Two sessions of a thread each are faster than one of two threads.
    tokenizer = peer_onnx.tokenizer()
    tokenizer.enable_truncation(tokens_max)
    lists = [e.ids for e in tokenizer.encode_batch([r["body"] for r in rows])]
    order = sorted(range(len(rows)), key=lambda i: -len(lists[i]))
    embedders = [peer_onnx.Embedder(peer_onnx.files()[1]) for _ in range(2)]

    def half(which):
        mine = order[which::2]
        for i, v in zip(mine, embedders[which].embed_ids(
                [lists[i] for i in mine])):
            rows[i]["vector"] = v
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(half, range(2)))
    t = lancedb.connect(where).create_table("t", rows)
    t.create_fts_index("body", use_tantivy=False, with_position=True,
                       stem=True, remove_stop_words=False, language="English")
    return t


class Hybrid:
    """Hybrid search of a table, as a program would do it in its process."""

    def __init__(self, t):
        from lancedb.rerankers import RRFReranker
        self.t, self.reranker = t, RRFReranker()
        self.embedder = peer_onnx.Embedder(peer_onnx.files()[1])

    def search(self, text, limit=10):
        return self.t.search(query_type="hybrid").vector(
            self.embedder.embed([text])[0]).text(text).rerank(
                reranker=self.reranker).limit(limit).to_list()


def peer_pages():
    where = tempfile.mkdtemp()
    t = build(where, some(PAGES))
    assert Hybrid(t).search("how are functions plotted")
    print(t.count_rows(), flush=True)
    shutil.rmtree(where)


# ---- pages ----

def watched(pid, act):
    watch = Watch(pid)
    watch.start()
    began = time.monotonic()
    try:
        got = act()
    finally:
        watch.done.set()
        watch.join()
    return time.monotonic() - began, watch.peak, got


def knowd_pages(paths):
    server = Server(cpus=CPUS)
    try:
        if not add_model(server):
            return None
        make_base(server, "pdf", True)
        # A file that is one picture holds no text: the only failure.
        took, peak, _ = watched(server.process.pid, lambda: call(
            server, "add", *paths, "--base", "pdf", "--wait", "refined",
            statuses=(0, 1)))
        return took, peak, int(server.metric("knowd_index_rows"))
    finally:
        server.stop()


def pages():
    paths = some(PAGES)
    peer_onnx.files()
    ours, theirs = [], []
    for _ in range(ROUNDS):
        one = knowd_pages(paths)
        if one is None:
            return
        ours.append(one)
        process = subprocess.Popen(
            ["taskset", "-c", CPUS, sys.executable, __file__, "peer"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        theirs.append(watched(process.pid, process.communicate))
        if process.returncode != 0:
            raise SystemExit("the peer failed: python3 bench/meaning.py peer")
        print(f"knowd {ours[-1][0]:.1f} s, {ours[-1][1]:.0f} MiB; peer "
              f"{theirs[-1][0]:.1f} s, {theirs[-1][1]:.0f} MiB", flush=True)
    peak, their_peak = (max(p for _, p, _ in side) for side in (ours, theirs))
    ratio = median([t[0] / o[0] for o, t in zip(ours, theirs)])
    table(f"meaning: {sum(map(pdfs.pages, paths))} pages in {len(paths)} files "
          f"to words and vectors, median of {ROUNDS} rounds in turns",
          ["", "seconds", "ratio", "peak", "ratio", "passages"],
          [["knowd", f"{median([o[0] for o in ours]):.1f}",
            f"{ratio:.2f} (goal 1.2)", f"{peak:.0f} MiB",
            f"{peak / their_peak:.2f} (goal 0.25)", ours[0][2]],
           ["the peer", f"{median([t[0] for t in theirs]):.1f}", "1",
            f"{their_peak:.0f} MiB", "1", int(theirs[0][2][0].split()[-1])]])


# ---- query ----

def fresh_queries(paths, n):
    """Some words of the texts in a row, each asked once."""
    rng, words = random.Random(5), []
    for path in paths[:6]:
        for page in pages_of(path)[1]:
            words += re.findall(r"[A-Za-z]{3,}", page)
    for _ in range(n):
        at = rng.randrange(len(words) - 12)
        yield " ".join(words[at:at + rng.randrange(8, 13)])


class Http:
    """One connection that stays."""

    def __init__(self, url):
        self.c = http.client.HTTPConnection(
            urllib.parse.urlsplit(url).netloc)

    def post(self, path, what):
        self.c.request("POST", path, json.dumps(what),
                       {"x-api-key": KEY, "content-type": "application/json"})
        return json.loads(self.c.getresponse().read())

    def search(self, base, text):
        return self.post("/v1/knowledge-base/search", {
            "query": text, "kb_ids": [base], "limit": 10})["results"]

    def stages(self, base, text):
        """Milliseconds of each part of a search."""
        got = self.post("/knowd/v1/search", {
            "query": text, "kb_ids": [base], "limit": 10, "explain": True})
        return {s["stage"]: s["ms"] for s in got["explain"]["stages"]}


def kept_table():
    import lancedb
    done = os.path.join(KEPT, "done")
    if not os.path.exists(done):
        shutil.rmtree(KEPT, ignore_errors=True)
        os.makedirs(KEPT)
        build(KEPT, most(), 32)
        with open(done, "w", encoding="utf-8"):
            pass
    return lancedb.connect(KEPT).open_table("t")


def timed(act):
    began = time.perf_counter()
    got = act()
    took = time.perf_counter() - began
    assert got
    return took * 1000


def of_list(values, percent):
    return sorted(values)[min(len(values) * percent // 100, len(values) - 1)]


def beside_embedding(server, base, connection, queries):
    """What queries take while the files are added and embedded."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        added = pool.submit(call, server, "add", *most(), "--base", "pdf",
                            "--wait", "refined", statuses=(0, 1))
        while not added.done() and \
                server.metric("knowd_vectors_made_total") == 0:
            time.sleep(0.05)
        whole, stages = [], []
        while not added.done() and len(whole) < BUSY:
            text = next(queries)
            whole.append(timed(
                lambda: stages.append(connection.stages(base, text)) or True))
        added.result()
    waits = [s.get("embed", 0) for s in stages]
    table(f"meaning: {len(whole)} fresh hybrid queries beside embedding",
          ["", "p50 ms", "p95 ms", "most ms"],
          [[name, f"{of_list(v, 50):.2f}", f"{of_list(v, 95):.2f}",
            f"{max(v):.2f}"] for name, v in
           (("the whole, over HTTP", whole),
            ("waited for its vector (goal 50)", waits))])


def query():
    os.sched_setaffinity(0, {int(c) for c in CPUS.split(",")})
    server = Server(cpus=CPUS)
    try:
        if not add_model(server):
            return
        base = make_base(server, "pdf", True)
        peer = Hybrid(kept_table())
        queries = fresh_queries(most(), QUERIES + QUERIES // 3 + BUSY + 20)
        beside_embedding(server, base, Http(server.url), queries)
        connection, ours, theirs, words = Http(server.url), [], [], []
        for turn in range(max(QUERIES // TURN, 1) + 1):
            texts = list(itertools.islice(queries, TURN))
            one = [timed(lambda: connection.search(base, t)) for t in texts]
            other = [timed(lambda: peer.search(t)) for t in texts]
            if turn == 0:
                continue
            ours += one
            theirs += other
            words += [len(t.split()) for t in texts]
        rows = int(server.metric("knowd_index_rows"))
        ratio = median([o / t for o, t in zip(ours, theirs)])
        table(f"meaning: {len(ours)} fresh hybrid queries of "
              f"{sum(words) / len(words):.0f} words, in turns",
              ["", "p50 ms", "p95 ms", "ratio of each pair", "chunks"],
              [["knowd over HTTP", f"{median(ours):.2f}",
                f"{of_list(ours, 95):.2f}",
                f"{ratio:.3f} (goal 0.15)", rows],
               ["ONNX Runtime, LanceDB in process", f"{median(theirs):.2f}",
                f"{of_list(theirs, 95):.2f}", "1", peer.t.count_rows()]])
        stages = [connection.stages(base, text)
                  for text in itertools.islice(queries, QUERIES // 3)]
        table("meaning: parts of a query, p50 of as many as a third, explained",
              list(stages[0]),
              [[f"{median([s.get(name, 0) for s in stages]):.2f}"
                for name in stages[0]]])
    finally:
        server.stop()


# ---- idle ----

def idle():
    data = tempfile.mkdtemp(prefix="knowd-idle-")
    source, folder = os.path.join(data, "notes.jsonl"), data + "/data"
    notes(source)
    server = Server(data=folder)
    model = add_model(server)
    if model:
        base = make_base(server, "notes", True)
        call(server, "add", source, "--base", "notes", "--wait", "refined")
    server.stop()
    ready, resting, searched = [], [], []
    for _ in range(READY_ROUNDS if model else 0):
        server = Server(data=folder)
        ready.append(server.ready_s * 1000)
        resting.append(server.rss_mib())
        assert Http(server.url).search(base, "where do lanterns hang")
        searched.append(server.rss_mib())
        server.stop()
    shutil.rmtree(data)
    if model:
        table(f"meaning: the model and {CHUNKS} chunks, median of "
              f"{READY_ROUNDS} starts",
              ["what", "figure", "goal"],
              [["start to ready", f"{median(ready):.0f} ms", "< 200 ms"],
               ["memory when ready", f"{median(resting):.1f} MiB",
                "< 130 MB"],
               ["memory after a first hybrid search",
                f"{median(searched):.1f} MiB", "< 130 MB"]])


def main():
    parts = {"pages": pages, "query": query, "idle": idle}
    if sys.argv[1:] == ["peer"]:
        peer_pages()
        return
    for name, part in parts.items():
        if len(sys.argv) < 2 or name in sys.argv[1:]:
            part()


if __name__ == "__main__":
    main()

"""Pages of a site to findable by words and vectors: knowd, which fetches, reads,
cuts and embeds them, against what people build of parts in Python: httpx (async,
eight requests at once, as knowd asks a host), trafilatura (two processes), ONNX
Runtime int8 with the same weights (two sessions of a thread, batches sorted by
length), LanceDB with vectors and full text. Both on the same two cores, in
turns, from one nginx that has no core of its own.

Pages are Python's and Linux's documentation in HTML, as many of each, evenly out
of their names. Starting, imports and models are not counted on either side.
Beside speed: what came of the pages, and for how many of 200 a sentence of
theirs, which no other page has, finds the page first.

The peer cuts a page into as few passages of at most 256 tokens as whole lines
allow.

    PAGES=50 ROUNDS=1      less of it

Wants nginx, and a venv with httpx==0.28.1 trafilatura==2.3.1
lxml_html_clean==0.4.6 lancedb==0.25.3 pyarrow==26.0.1 and what peer_onnx.py
wants."""

import sys

sys.path.append(sys.path.pop(0))  # Python's own `html` comes first

import asyncio
import collections
import concurrent.futures
import json
import multiprocessing
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

import peer_onnx
from pdf import CPUS, Watch, family
from quality import add_model, make_base
from server import ROOT, Server, median, table

PAGES = int(os.environ.get("PAGES", "1000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
ASKED = 200
AT_ONCE = 8
TOKENS = 256
K = "/v1/knowledge-base"
DEBS = os.path.join(ROOT, "build/bench/debs")
SITES = ("python3.11-doc/usr/share/doc/python3.11/html",
         "linux-doc-6.1/usr/share/doc/linux-doc-6.1/html")


# ---- the site ----

def pages_of(site, n):
    """n of its pages as paths below DEBS, evenly out of all in order."""
    found = []
    for directory, dirs, names in os.walk(os.path.join(DEBS, site)):
        dirs.sort()
        found += [os.path.relpath(os.path.join(directory, name), DEBS)
                  for name in sorted(names) if name.endswith(".html")]
    return [found[i * len(found) // n] for i in range(n)]


def nginx():
    """(process, URL) of a server of all files below DEBS."""
    where = tempfile.mkdtemp(prefix="knowd-nginx-")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    temporary = " ".join(f"{what}_temp_path {where}/{what};" for what in
                         ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = os.path.join(where, "nginx.conf")
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"""daemon off; worker_processes 1; pid {where}/pid;
user {"root" if os.getuid() == 0 else "nobody"};
error_log stderr crit; events {{ worker_connections 256; }}
http {{ access_log off; {temporary} types {{ text/html html; }}
server {{ listen 127.0.0.1:{port}; root {DEBS}; }} }}""")
    process = subprocess.Popen(["taskset", "-c", CPUS, "nginx", "-c", config,
                                "-e", "stderr"], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return process, url
        except OSError:
            time.sleep(0.01)
    raise SystemExit("nginx did not start")


def sentences(urls):
    """(sentence, URL) of ASKED of the pages: 8 to 25 words in a row of a
    paragraph of the page's body, which no other page has."""
    import lxml.html
    of, seen = {}, collections.Counter()
    for url in urls:
        with urllib.request.urlopen(url) as answer:
            tree = lxml.html.fromstring(answer.read())
        mine = set()
        for p in tree.xpath("//div[@role='main']//p"):
            for s in re.split(r"(?<=[.!?])\s+", " ".join(
                    p.text_content().split())):
                if 8 <= len(s.split()) <= 25 and s.endswith("."):
                    mine.add(s)
        seen.update(mine)
        of[url] = sorted(mine)
    rng = random.Random(11)
    own = [(rng.choice(mine), url) for url, all_of_it in of.items()
           if (mine := [s for s in all_of_it if seen[s] == 1])]
    rng.shuffle(own)
    return own[:ASKED]


# ---- the peer, in a process of its own ----

def text_of(html):
    """In a process of the pool."""
    import trafilatura
    return trafilatura.extract(html) or ""


class Peer:
    def __init__(self):
        import httpx
        import lancedb
        from lancedb.rerankers import RRFReranker
        self.httpx, self.where = httpx, tempfile.mkdtemp()
        self.db = lancedb.connect(self.where)
        self.reranker = RRFReranker()
        self.embedders = [peer_onnx.Embedder(peer_onnx.files()[1])
                          for _ in range(2)]
        self.tokenizer = peer_onnx.tokenizer()
        self.tokenizer.no_truncation()
        self.first, self.last = self.tokenizer.encode("").ids
        self.pool = concurrent.futures.ProcessPoolExecutor(
            2, multiprocessing.get_context("spawn"))
        list(self.pool.map(text_of, ["<p>to have it imported</p>"] * 8))
        self.table = None

    async def texts(self, urls):
        loop, places = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)

        async def one(client, url):
            async with places:
                answer = await client.get(url)
            answer.raise_for_status()
            return await loop.run_in_executor(self.pool, text_of,
                                              answer.content)
        async with self.httpx.AsyncClient(timeout=60) as client:
            return await asyncio.gather(*(one(client, u) for u in urls))

    def cut(self, url, text):
        """Passages with their ids: whole lines, or windows of a long one."""
        lines = [line for line in text.split("\n") if line.strip()]
        room, body, ids = TOKENS - 2, [], []
        for line, e in zip(lines, self.tokenizer.encode_batch(
                lines, add_special_tokens=False)):
            if ids and len(ids) + len(e.ids) > room:
                yield {"url": url, "body": "\n".join(body), "ids": ids}
                body, ids = [], []
            if len(e.ids) <= room:
                body.append(line)
                ids = ids + e.ids
                continue
            for i in range(0, len(e.ids), room):
                part = e.offsets[i:i + room]
                yield {"url": url, "body": line[part[0][0]:part[-1][1]],
                       "ids": e.ids[i:i + room]}
        if ids:
            yield {"url": url, "body": "\n".join(body), "ids": ids}

    def embed(self, rows):
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]["ids"]))

        def half(which):
            mine = order[which::2]
            for i, v in zip(mine, self.embedders[which].embed_ids(
                    [[self.first, *rows[i].pop("ids"), self.last]
                     for i in mine])):
                rows[i]["vector"] = v
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            list(threads.map(half, range(2)))

    def add(self, urls):
        texts = asyncio.run(self.texts(urls))
        rows = [row for url, text in zip(urls, texts)
                for row in self.cut(url, text)]
        tokens = sum(len(r["ids"]) for r in rows)
        self.embed(rows)
        self.table = self.db.create_table("t", rows)
        self.table.create_fts_index(
            "body", use_tantivy=False, with_position=True, stem=True,
            remove_stop_words=False, language="English")
        assert self.search("a page of the site", True) != ""
        return {"pages": sum(t.strip() != "" for t in texts),
                "passages": len(rows), "tokens": tokens}

    def search(self, text, hybrid):
        """The URL of the first hit."""
        vector = self.embedders[0].embed([text])[0]
        if hybrid:
            q = self.table.search(query_type="hybrid").vector(vector).text(
                re.sub(r"\W+", " ", text)).rerank(reranker=self.reranker)
        else:
            q = self.table.search(vector).distance_type("cosine")
        return q.limit(10).to_list()[0]["url"]


def tell(what):
    print(json.dumps(what), flush=True)


def peer_main():
    """Lines of JSON: URLs, what came of them; questions, URLs of first hits."""
    peer = Peer()
    tell("ready")
    tell(peer.add(json.loads(sys.stdin.readline())))
    asked = json.loads(sys.stdin.readline())
    tell([[peer.search(q, hybrid) for q in asked] for hybrid in (True, False)])
    peer.pool.shutdown()
    shutil.rmtree(peer.where)


# ---- both ----

def cpu_s(pid):
    """What a process and those below it have taken of the processors."""
    ticks = 0
    for each in [pid, *family(pid)]:
        try:
            with open(f"/proc/{each}/stat", encoding="utf-8") as f:
                ticks += sum(map(int, f.read().rsplit(")", 1)[1].split()[11:15]))
        except OSError:
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


def watched(pid, act):
    """What act gives, with seconds, seconds of processors and peak."""
    watch, before = Watch(pid), cpu_s(pid)
    watch.start()
    began = time.monotonic()
    try:
        got = act()
        got["seconds"] = time.monotonic() - began
        got["cpu"] = cpu_s(pid) - before
    finally:
        watch.done.set()
        watch.join()
    got.setdefault("words", got["seconds"])  # nothing is found before all is
    got["peak"] = watch.peak
    return got


def peer(urls, asked):
    process = subprocess.Popen(
        ["taskset", "-c", CPUS, sys.executable, __file__, "peer"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True)

    def heard():
        line = process.stdout.readline()
        if not line:
            raise SystemExit("the peer failed: python3 bench/web.py peer")
        return json.loads(line)

    def said(what):
        process.stdin.write(json.dumps(what) + "\n")
        process.stdin.flush()
        return heard()
    try:
        heard()
        got = watched(process.pid, lambda: said(urls))
        got["hybrid"], got["vector"] = (
            sum(u == of for u, (_, of) in zip(found, asked))
            for found in said([q for q, _ in asked]))
        return got
    finally:
        process.stdin.close()
        process.wait()


def documents(server, base):
    cursor = ""
    while cursor is not None:
        got = server.call("GET", f"{K}/knowledge-bases/{base}/documents"
                          f"?limit=200{cursor}")
        yield from got["items"]
        cursor = got["next_cursor"]
        cursor = cursor and "&cursor=" + cursor


def first_hit(server, base, text, legs):
    found = server.call("POST", "/knowd/v1/search", {
        "query": text, "kb_ids": [base], "limit": 1, "legs": legs})["results"]
    return found[0]["document_id"] if found else None


def knowd(models, urls, asked):
    server = Server("--allow-net", "127.0.0.0/8", "--model", models, cpus=CPUS)
    try:
        base, url_of = make_base(server, "site", True), {}

        def add():
            got, began = {}, time.monotonic()
            made = server.call("POST", f"/knowd/v1/bases/{base}/urls",
                               {"urls": [{"url": u} for u in urls]})
            url_of.update((i["document_id"], i["url"]) for i in made["items"])
            while True:
                job = server.call("GET",
                                  f"{K}/ingestion-jobs/{made['job_id']}")
                ended = job["completed"] + job["failed"]
                if "words" not in got and \
                        ended + job.get("refining", 0) == len(urls):
                    got["words"] = time.monotonic() - began
                if ended == len(urls):
                    return got
                time.sleep(0.05)
        got = watched(server.process.pid, add)
        docs = [d for d in documents(server, base) if d["token_count"]]
        got["pages"] = len(docs)
        got["passages"] = sum(d["chunk_count"] for d in docs)
        got["tokens"] = sum(d["token_count"] for d in docs)
        for name, legs in (("hybrid", "hybrid"), ("vector", "dense")):
            got[name] = sum(url_of.get(first_hit(server, base, q, legs)) == u
                            for q, u in asked)
        return got
    finally:
        server.stop()


def install(models):
    server = Server("--model", models)
    try:
        return add_model(server)
    finally:
        server.stop()


def rows_of(name, mine, others, asked):
    def of(key):
        return median([m[key] for m in mine])

    def ratio(key):
        ratios = sorted(o[key] / m[key] for m, o in zip(mine, others))
        return f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    return [name, f"{of('words'):.1f}", ratio("words"),
            f"{of('seconds'):.1f}", ratio("seconds"), f"{of('cpu'):.1f}",
            f"{max(m['peak'] for m in mine):.0f} MiB",
            mine[0]["pages"], mine[0]["passages"], mine[0]["tokens"],
            f"{of('hybrid')} of {len(asked)}",
            f"{of('vector')} of {len(asked)}"]


def main():
    if sys.argv[1:] == ["peer"]:
        peer_main()
        return
    paths = [p for site in SITES for p in pages_of(site, PAGES // len(SITES))]
    size = sum(os.path.getsize(os.path.join(DEBS, p)) for p in paths)
    models = tempfile.mkdtemp(prefix="knowd-models-")
    site, url = nginx()
    try:
        if not install(models):
            return
        peer_onnx.files()
        urls = [url + urllib.parse.quote(p) for p in paths]
        asked = sentences(urls)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(knowd(models, urls, asked))
            print(f"knowd {ours[-1]['seconds']:.1f} s", flush=True)
            theirs.append(peer(urls, asked))
            print(f"the peer {theirs[-1]['seconds']:.1f} s", flush=True)
        table(f"web: {len(urls)} pages, {size / 1e6:.1f} MB, fetch to "
              f"searchable (goal: 3 times), then to all vectors, median of "
              f"{ROUNDS} rounds in turns",
              ["", "searchable s", "faster", "all vectors s", "faster",
               "CPU s", "peak", "gave text", "passages", "tokens", "first: hybrid",
               "vectors alone"],
              [rows_of("knowd", ours, theirs, asked),
               rows_of("the peer", theirs, theirs, asked)])
    finally:
        site.terminate()
        site.wait()
        shutil.rmtree(models)


if __name__ == "__main__":
    main()

"""The nearest of 100,000 vectors: knowd's int8 scan and its one-bit codes
against sqlite-vec's scan of floats, one thread each, in turns; what each finds
of the exact ten. Then a million rows by codes against the scan.

Vectors are those of the default model (MODEL_FOLDER, see peer_onnx.py) of
Cranfield and the chunking texts (TEXTS), windows of 60 words every 15, and
their queries; the larger sets are drawn between pairs of them. Wants what
peer_onnx.py wants and sqlite-vec==0.1.6. Parts: recall, scan, million."""

import csv
import json
import os
import sqlite3
import subprocess
import sys
import time

import numpy as np

import peer_onnx
from server import median, table

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MADE = os.path.join(ROOT, "build/bench/vectors")
DRIVER = os.path.join(ROOT, "build/bench/bin/vec_driver")
TEXTS = os.environ.get("TEXTS", os.path.join(ROOT, "../shared/data"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
QUERIES = 50  # a round
DIMS, K, WINDOW, STEP = 384, 10, 60, 15


# ---- vectors ----

def texts():
    rows, queries = [], []
    with open(os.path.join(TEXTS, "cranfield/corpus.jsonl"),
              encoding="utf-8") as f:
        for line in f:
            one = json.loads(line)
            rows.append(f"{one['title']}\n{one['text']}")
    with open(os.path.join(TEXTS, "cranfield/queries.jsonl"),
              encoding="utf-8") as f:
        queries += [json.loads(line)["text"] for line in f]
    folder = os.path.join(TEXTS, "chunking")
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.endswith(".md"):
            with open(path, encoding="utf-8") as f:
                words = f.read().split()
            rows += [" ".join(words[at:at + WINDOW])
                     for at in range(0, len(words), STEP)]
    with open(os.path.join(folder, "questions.csv"), encoding="utf-8") as f:
        queries += [line["question"] for line in csv.DictReader(f)]
    return rows, queries


def vectors():
    """(rows, queries), made where they are not there yet."""
    paths = [os.path.join(MADE, name) for name in ("rows.f32", "queries.f32")]
    if not all(map(os.path.isfile, paths)):
        os.makedirs(MADE, exist_ok=True)
        embedder = peer_onnx.Embedder(peer_onnx.files()[1])
        for path, part in zip(paths, texts()):
            embedder.embed(part).astype("<f4").tofile(path + ".part")
            os.rename(path + ".part", path)
    return [np.fromfile(path, "<f4").reshape(-1, DIMS) for path in paths]


# ---- knowd ----

class Driver:
    """bench/vec_driver.c"""

    def __init__(self):
        self.p = subprocess.Popen(
            [DRIVER, os.path.join(MADE, "rows.f32"),
             os.path.join(MADE, "queries.f32"), str(DIMS), MADE],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()

    def ask(self, line, first, n):
        """(microseconds a query, rows found of each)"""
        us = float(self.say(f"{line} {first} {n}"))
        return us, [list(map(int, self.p.stdout.readline().split()))
                    for _ in range(n)]

    def rows(self, n, floats="-"):
        made = self.say(f"rows {n} {floats}").split()
        self.say("order file")
        return dict(zip(("rows", "write_s", "merge_s", "open_s", "bytes"),
                        map(float, made)))


def exact(rows, queries, k):
    return [np.argsort(-(rows @ q), kind="stable")[:k].tolist()
            for q in queries]


def recall(found, right):
    return sum(len(set(f) & set(r)) / len(r)
               for f, r in zip(found, right)) / len(right)


# ---- the peer ----

class SqliteVec:
    """vec0 in memory; its scan is the faster of its two ways (a function over
    a table takes twice as long)."""

    def __init__(self, rows, metric):
        import sqlite_vec
        self.db = sqlite3.connect(":memory:")
        self.db.enable_load_extension(True)
        sqlite_vec.load(self.db)
        self.db.execute("create virtual table v using vec0("
                        f"e float[{DIMS}] distance_metric={metric})")
        self.db.executemany("insert into v(rowid, e) values (?, ?)", (
            (i, row.tobytes()) for i, row in enumerate(rows)))

    def ask(self, queries):
        start = time.perf_counter()
        found = [[row for row, in self.db.execute(
            "select rowid from v where e match ? and k = ?",
            (q.tobytes(), K))] for q in queries]
        return (time.perf_counter() - start) * 1e6 / len(queries), found


# ---- parts ----

def part_recall(driver, rows, queries):
    made = driver.rows(0)
    right = {k: exact(rows, queries, k) for k in (10, 100)}
    lines = []
    for k, how in ((10, "scan 10"), (10, "search 10 30"), (10, "search 10 100"),
                   (10, "search 10 300"), (100, "scan 100"),
                   (100, "search 100 300")):
        found = driver.ask(how, 0, len(queries))[1]
        words = how.split()
        lines.append(["int8 scan" if words[0] == "scan" else
                      f"codes, {words[2]} rescored", k,
                      f"{recall(found, right[k]):.4f}"])
    table(f"{int(made['rows']):,} vectors, {len(queries)} queries, against "
          "floats", ["", "k", "recall"], lines)


def part_scan(driver, queries):
    path = os.path.join(MADE, "larger.f32")
    driver.rows(100000, path)
    rows = np.fromfile(path, "<f4").reshape(-1, DIMS)
    peers = {f"sqlite-vec {m}": SqliteVec(rows, m) for m in ("cosine", "L2")}
    ways = {"knowd, int8 scan": "scan 10",
            "knowd, codes, 300 rescored": "search 10 300"}
    times, shares = {}, {}
    for r in range(ROUNDS):
        first = r * QUERIES
        asked = [queries[(first + i) % len(queries)] for i in range(QUERIES)]
        few = asked[:QUERIES // 10]
        right = exact(rows, asked, K)
        for name, line in ways.items():
            us, found = driver.ask(line, first, QUERIES)
            times.setdefault(name, []).append(us)
            shares.setdefault(name, []).append(recall(found, right))
        for name, peer in peers.items():
            us, found = peer.ask(few)
            times.setdefault(name, []).append(us)
            shares.setdefault(name, []).append(
                recall(found, right[:len(few)]))
    ours = times["knowd, int8 scan"]
    table(f"top 10 of 100,000 x {DIMS}, one thread, {ROUNDS} rounds",
          ["", "ms", "ratio", "best ms", "ratio", "recall@10"],
          [[name, f"{median(t) / 1000:.2f}", f"{median(t) / median(ours):.2f}",
            f"{min(t) / 1000:.2f}", f"{min(t) / min(ours):.2f}",
            f"{sum(shares[name]) / ROUNDS:.4f}"] for name, t in times.items()])


def part_million(driver):
    made = driver.rows(1000000)
    lines = []
    right = driver.ask("scan 10", 0, QUERIES)[1]
    for order in ("file", "any"):
        driver.say(f"order {order}")
        times = {}
        for _ in range(ROUNDS):
            for line in ("scan 10", "search 10 300"):
                us, found = driver.ask(line, 0, QUERIES)
                times.setdefault(line, []).append(us)
        scan, codes = (median(t) / 1000 for t in times.values())
        lines.append([order, f"{scan:.1f}", f"{codes:.1f}",
                      f"{scan / codes:.2f}", f"{recall(found, right):.4f}"])
    table(f"{int(made['rows']):,} rows: {made['bytes'] / 1e6:,.0f} MB; written "
          f"in {made['write_s']:.1f} s, merged in {made['merge_s']:.1f} s, "
          f"opened in {made['open_s'] * 1000:.0f} ms",
          ["rows in the order of", "int8 scan ms", "codes ms", "ratio",
           "codes find of the scan's 10"], lines)


def main():
    if not peer_onnx.there():
        sys.exit(f"no model in {peer_onnx.FOLDER}: set MODEL_FOLDER")
    parts = sys.argv[1:] or ["recall", "scan", "million"]
    rows, queries = vectors()
    driver = Driver()
    print("kernels:", driver.say("kernels ?"))
    for part in parts:
        if part == "recall":
            part_recall(driver, rows, queries)
        elif part == "scan":
            part_scan(driver, queries)
        elif part == "million":
            part_million(driver)
        else:
            sys.exit(f"no part {part}")


if __name__ == "__main__":
    main()

"""Markdown and text to findable: knowd over HTTP against SQLite FTS5 (rows in
groups of 1,000) on one core each, and LanceDB full text on two cores each.

Every side gets the same files, splits them into as many passages and is done
when a search finds a word of the last file."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

from server import ROOT, Server, median, table

CORPUS = os.path.join(ROOT, "build/bench/corpus/files")
BYTES = 50_000_000
# What makes about as many passages as knowd makes chunks of 256 tokens.
PASSAGE_CHARS = 750
ROUNDS = int(os.environ.get("ROUNDS", 3))


def sample(folder):
    """The first 50 MB of the corpus by name, linked into a folder."""
    total = 0
    for directory, _, names in sorted(os.walk(CORPUS)):
        for name in sorted(names):
            path = os.path.join(directory, name)
            size = os.path.getsize(path)
            if total + size > BYTES:
                continue
            os.symlink(path, os.path.join(folder, f"{total:09d}-{name}"))
            total += size
    return total


def passages(folder):
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8",
                  errors="replace") as f:
            text = f.read()
        block = ""
        for paragraph in text.split("\n\n"):
            if block and len(block) + len(paragraph) > PASSAGE_CHARS:
                yield name, block
                block = ""
            block += paragraph + "\n\n"
        if block.strip():
            yield name, block


def fts5(folder):
    where = tempfile.mkdtemp()
    db = sqlite3.connect(os.path.join(where, "fts.db"))
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE VIRTUAL TABLE t USING fts5(name, body, "
               "tokenize='porter unicode61')")
    group = []
    for row in passages(folder):
        group.append(row)
        if len(group) == 1000:
            db.executemany("INSERT INTO t VALUES (?, ?)", group)
            db.commit()
            group = []
    db.executemany("INSERT INTO t VALUES (?, ?)", group)
    db.commit()
    found = db.execute("SELECT count(*) FROM t WHERE t MATCH 'file'").fetchone()
    assert found[0] > 0
    db.close()
    shutil.rmtree(where)


def lancedb_full_text(folder):
    import lancedb
    where = tempfile.mkdtemp()
    t = None
    db = lancedb.connect(where)
    group = []

    def add(rows):
        nonlocal t
        if t is None:
            t = db.create_table("t", rows)
        else:
            t.add(rows)

    for name, body in passages(folder):
        group.append({"name": name, "body": body})
        if len(group) == 1000:
            add(group)
            group = []
    if group:
        add(group)
    t.create_fts_index("body", use_tantivy=False, with_position=True,
                       stem=True, remove_stop_words=False, language="English")
    assert t.search("file", query_type="fts").limit(1).to_list()
    shutil.rmtree(where)


PEERS = {"fts5": fts5, "lancedb": lancedb_full_text}


def knowd(folder, cpus):
    server = Server(cpus=cpus)
    try:
        began = time.monotonic()
        done = server.cli("add", folder, "--json", cpus=cpus)
        took = time.monotonic() - began
        if done.returncode != 0:
            raise SystemExit("knowd add: " + done.stderr + done.stdout)
        peak = server.rss_mib()
        return took, peak
    finally:
        server.stop()


def peer(name, folder, cpus):
    began = time.monotonic()
    subprocess.run(["taskset", "-c", cpus, sys.executable, __file__, name,
                    folder], check=True)
    return time.monotonic() - began


def main():
    if len(sys.argv) == 3:
        PEERS[sys.argv[1]](sys.argv[2])
        return
    folder = tempfile.mkdtemp(prefix="knowd-corpus-")
    total = sample(folder)
    rows = []
    for name, cpus in (("fts5", "0"), ("lancedb", "0,1")):
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(knowd(folder, cpus)[0])
            theirs.append(peer(name, folder, cpus))
        ratio = median([t / o for o, t in zip(ours, theirs)])
        rows.append([name, cpus, f"{median(theirs):.1f} s",
                     f"{median(ours):.1f} s", f"{ratio:.2f}x"])
    table(f"ingest: {total / 1e6:.1f} MB in {len(os.listdir(folder))} files "
          f"to findable, median of {ROUNDS} interleaved rounds",
          ["peer", "cores", "peer took", "knowd took", "knowd is faster by"],
          rows)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()

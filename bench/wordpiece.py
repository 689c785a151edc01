"""WordPiece: knowd against Hugging Face tokenizers 0.21.0, one thread each.

usage: wordpiece.py
needs: pip install tokenizers==0.21.0; build/model/all-MiniLM-L6-v2 (vocab.txt,
tokenizer.json), which scripts/model.sh makes

English: the chunking texts cut to 1,000 characters, and the abstracts of
Cranfield. Mixed: the lines of tests/golden/wordpiece, in many scripts. Ids of
all texts are compared first; then both sides encode all of them in turns, in
CPU seconds. Mixed lines come again and again, so ours are remembered.
The peer's figure is the best of its ways: text by text, in a batch, and in a
batch without offsets."""

import glob
import json
import os
import struct
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from server import ROOT, median, table  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

MODEL = os.path.join(ROOT, "build/model/all-MiniLM-L6-v2")
DATA = os.path.join(ROOT, "../shared/data")
DRIVER = os.path.join(ROOT, "build/bench/bin/wordpiece_driver")
ROUNDS = int(os.environ.get("ROUNDS", "7"))


def english():
    texts = []
    for path in sorted(glob.glob(os.path.join(DATA, "chunking/*.md"))):
        with open(path, encoding="utf-8") as f:
            s = f.read()
        texts += [s[i:i + 1000] for i in range(0, len(s), 1000)]
    with open(os.path.join(DATA, "cranfield/corpus.jsonl"),
              encoding="utf-8") as f:
        texts += [json.loads(line)["text"] for line in f]
    return texts


def mixed():
    lines = []
    for name in ("latin", "cjk", "arabic", "cyrillic", "emoji"):
        path = os.path.join(ROOT, "tests/golden/wordpiece", name + ".txt")
        with open(path, encoding="utf-8") as f:
            lines += f.read().splitlines()
    return lines * (300_000 // sum(map(len, lines)) + 1)


class Ours:
    def __init__(self, texts, folder):
        paths = [os.path.join(folder, name) for name in ("texts", "ids")]
        with open(paths[0], "wb") as f:
            for t in texts:
                t = t.encode()
                f.write(struct.pack("<I", len(t)) + t)
        self.process = subprocess.Popen(
            [DRIVER, os.path.join(MODEL, "vocab.txt"), *paths], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.run("count")  # the ids are written when it answers
        with open(paths[1], "rb") as f:
            raw = f.read()
        self.ids, at = [], 0
        while at < len(raw):
            n, = struct.unpack_from("<I", raw, at)
            self.ids.append(list(struct.unpack_from(f"<{n}I", raw, at + 4)))
            at += 4 + 4 * n

    def run(self, what):
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline().split()[0])

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


def peer():
    t = Tokenizer.from_file(os.path.join(MODEL, "tokenizer.json"))
    t.no_padding()
    t.no_truncation()
    t.encode_special_tokens = True  # what spells one in a text is text
    return t


def timed(run):
    start = time.process_time()
    run()
    return time.process_time() - start


def row(name, texts, folder):
    t, ours = peer(), Ours(texts, folder)
    plain = {"add_special_tokens": False}
    same = sum(e.ids == ids for e, ids in
               zip(t.encode_batch_fast(texts, **plain), ours.ids))
    ways = [lambda: [t.encode(s, **plain) for s in texts],
            lambda: t.encode_batch(texts, **plain),
            lambda: t.encode_batch_fast(texts, **plain)]
    times, encode, count = [[] for _ in ways], [], []
    for _ in range(ROUNDS):
        for way, into in zip(ways, times):
            into.append(timed(way))
            encode.append(ours.run("encode"))
            count.append(ours.run("count"))
    ours.stop()
    size, tokens = sum(len(s.encode()) for s in texts), sum(map(len, ours.ids))
    best, mine, counted = min(map(median, times)), median(encode), median(count)
    return same == len(texts) == len(ours.ids), [
        name, f"{len(texts):,}", f"{tokens:,}", f"{same:,}",
        f"{size / best / 1e6:.2f}", f"{size / mine / 1e6:.0f}",
        f"{best / mine:.0f}", f"{size / counted / 1e6:.0f}",
        f"{best / counted:.0f}"]


def main():
    if not os.path.exists(os.path.join(MODEL, "vocab.txt")):
        raise SystemExit(f"no {MODEL}: run scripts/model.sh")
    with tempfile.TemporaryDirectory(prefix="knowd-wordpiece-") as folder:
        rows = [row("English", english(), folder),
                row("mixed", mixed(), folder)]
    table(f"WordPiece, one thread, medians of {ROUNDS} rounds in turns",
          ["texts", "n", "tokens", "same ids", "peer MB/s", "encode MB/s",
           "ratio", "count MB/s", "ratio"], [cells for _, cells in rows])
    return 0 if all(same for same, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

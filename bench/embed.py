"""Token ids to vectors, one thread, beside ONNX Runtime int8 (quantize_dynamic,
fused operators; bench/peer_onnx.py) of the same weights, in turns.

Texts are Cranfield's (../shared/data/cranfield): joined and cut to chunks of 256
tokens; cut to lengths of 16 to 512 with a mean of 120, for which the model is
let read 512 tokens; and 16 tokens one at a time. Times are seconds of CPU of a
thread, so that other work on the machine disturbs less; ratios are medians over
the rounds, with their least and largest. Each row is measured with all the
processor has, without AMX, and with AVX2 alone: there both run under
bench/cpuid_mask.c, which takes the rest out of what CPUID says. Where the
processor doesn't let CPUID fault, they are copies that bench/cpuid_patch.py
makes by objdump (binutils). Where the kernels stay the same, the row is left
out, and says so.

Cosines are to ONNX Runtime fp32; beside them stands how well the vectors alone
find Cranfield's abstracts.

    make bench ROW=embed [ARGS=ROUNDS]
"""

import json
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import time

import numpy as np

import cpuid_patch
import peer_onnx
from server import ROOT, table

CRANFIELD = os.path.join(os.path.dirname(ROOT), "shared/data/cranfield")
BIN = os.path.join(ROOT, "build/bench/bin")
MADE = os.path.join(ROOT, "build/bench/embed")
DRIVER = os.environ.get("EMBED_DRIVER", os.path.join(BIN, "embed_driver"))
MASK = os.path.join(BIN, "cpuid_mask.so")
BEGIN, END = 101, 102  # of BERT's vocabularies
COSINE_TEXTS = 200


def abstracts():
    with open(os.path.join(CRANFIELD, "corpus.jsonl"), encoding="utf-8") as f:
        for line in f:
            d = json.loads(line)
            yield f"{d['title']} {d['text']}".strip()


def cut(ids, lengths):
    """Texts of those lengths, special tokens among them, from a long row."""
    at, out = 0, []
    for n in lengths:
        if at + n > len(ids):
            at = 0
        out.append([BEGIN, *ids[at:at + n - 2], END])
        at += n - 2
    return out


def mixed_lengths(texts):
    """16 to 512, most of them short: mean 120."""
    r = random.Random(1)
    out = []
    while len(out) < texts:
        n = 16 + int(r.expovariate(1 / 112))
        if n <= 512:
            out.append(n)
    return out


def rows():
    t = peer_onnx.tokenizer()
    t.no_truncation()
    ids = [i for e in t.encode_batch(list(abstracts())[:700])
           for i in e.ids[1:-1]]
    return {"256 tokens": cut(ids, [256] * 32),
            "16 to 512": cut(ids, mixed_lengths(120)),
            "16, alone": cut(ids, [16] * 64)}


def ids_write(name, lists):
    path = os.path.join(MADE, name.replace(" ", "-").replace(",", "") + ".ids")
    with open(path, "wb") as f:
        f.write(struct.pack("<I", len(lists)))
        for ids in lists:
            f.write(struct.pack(f"<I{len(ids)}I", len(ids), *ids))
    return path


class Ours:
    """The driver. folder: the model's, with its limit of tokens raised."""

    def __init__(self, folder):
        packed = os.path.join(MADE, "packed.model")
        self.process = subprocess.Popen(
            [DRIVER, folder, packed], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def seconds(self, path, alone):
        return float(self.ask(f"{'one' if alone else 'run'} 1 {path}"))

    def vectors(self, path):
        self.ask(f"save {path} {path}.vectors")
        return np.fromfile(path + ".vectors", "<f4")


def folder_make():
    """The model's folder, but reading 512 tokens: links and one file."""
    folder = os.path.join(MADE, "folder")
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(peer_onnx.FOLDER):
        to = os.path.join(folder, name)
        if not os.path.lexists(to):
            os.symlink(os.path.join(peer_onnx.FOLDER, name), to)
    limit = os.path.join(folder, "sentence_bert_config.json")
    os.unlink(limit)
    with open(limit, "w", encoding="utf-8") as f:
        f.write('{"max_seq_length": 512}')
    return folder


def peer_seconds(peer, lists, alone):
    began = time.process_time()
    if alone:
        for ids in lists:
            peer.run([ids])
    else:
        peer.embed_ids(lists)
    return time.process_time() - began


def measure(rounds):
    os.makedirs(MADE, exist_ok=True)
    ours = Ours(folder_make())
    kernels = ours.ask("kernels")
    if kernels == os.environ.get("KERNELS_UNMASKED"):
        print(f"\nSKIPPED: without {os.environ['CPUID_MASK']}: the kernels "
              f"stay {kernels}")
        return kernels
    peer = peer_onnx.Embedder(peer_onnx.files()[1])
    out = []
    for name, lists in rows().items():
        path, alone = ids_write(name, lists), "alone" in name
        ours.seconds(path, alone)
        peer_seconds(peer, lists[:4], alone)
        times = [(ours.seconds(path, alone), peer_seconds(peer, lists, alone))
                 for _ in range(rounds)]
        ratios = [b / a for a, b in times]
        tokens = sum(map(len, lists))
        mine, its = (statistics.median(t) for t in zip(*times))
        out.append((name, kernels, f"{tokens / mine:.0f}",
                    f"{tokens / its:.0f}",
                    f"{1e3 * mine / len(lists):.2f}",
                    f"{1e3 * its / len(lists):.2f}",
                    f"{statistics.median(ratios):.2f}x "
                    f"({min(ratios):.2f} to {max(ratios):.2f})"))
    table("embedding, one thread",
          ("texts", "kernels", "tokens/s", "ONNX", "ms a text", "ONNX",
           "faster"), out)
    return kernels


def judged():
    """Ids of the abstracts, and each query with its judgements."""
    with open(os.path.join(CRANFIELD, "corpus.jsonl"), encoding="utf-8") as f:
        ids = [str(json.loads(line)["_id"]) for line in f]
    relevant = {}
    with open(os.path.join(CRANFIELD, "qrels.tsv"), encoding="utf-8") as f:
        for line in f:
            query, document, grade = line.split()[0], *line.split()[-2:]
            if grade.lstrip("-").isdigit():
                relevant.setdefault(query, {})[document] = int(grade)
    with open(os.path.join(CRANFIELD, "queries.jsonl"), encoding="utf-8") as f:
        queries = [json.loads(line) for line in f]
    return ids, [(q["text"], relevant[str(q["_id"])]) for q in queries
                 if any(relevant.get(str(q["_id"]), {}).values())]


def ndcg(found, grades):
    gains = [grades.get(i, 0) / np.log2(at + 2) for at, i in enumerate(found)]
    best = sorted(grades.values(), reverse=True)[:10]
    return sum(gains) / sum(g / np.log2(at + 2) for at, g in enumerate(best))


def unit(v):
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def quality():
    """Cosines to fp32, and how well the vectors alone find."""
    t = peer_onnx.tokenizer()
    ids, queries = judged()
    passages = [e.ids for e in t.encode_batch(list(abstracts()))]
    questions = [e.ids for e in t.encode_batch([q for q, _ in queries])]
    driver = Ours(folder_make())

    def ours(lists):
        v = driver.vectors(ids_write("quality", lists))
        return v.reshape(len(lists), -1)
    fp32, int8 = (peer_onnx.Embedder(p).embed_ids for p in peer_onnx.files())
    wanted, out = unit(fp32(passages)), []
    for name, embed in (("knowd", ours), ("ONNX Runtime int8", int8),
                        ("fp32", fp32)):
        v, q = unit(embed(passages)), unit(embed(questions))
        c = (v * wanted).sum(axis=1)
        scores = [ndcg([ids[i] for i in np.argsort(-row)[:10]], grades)
                  for row, (_, grades) in zip(q @ v.T, queries)]
        out.append((name, f"{c[:COSINE_TEXTS].mean():.4f}",
                    f"{c[:COSINE_TEXTS].min():.4f}", f"{c.mean():.4f}",
                    f"{sum(scores) / len(scores):.4f}"))
    table("against fp32: goals are a mean of 0.996 and nDCG@10 within 0.003",
          ("", f"cosine, {COSINE_TEXTS} abstracts", "least", "all abstracts",
           f"nDCG@10, {len(queries)} queries"), out)


# What is hidden, and from which kernels that takes something.
MASKS = {"amx": ("amx",), "avx512": ("amx", "avx512vnni", "avxvnni")}


def masked(kernels):
    """The environment of a run under the mask."""
    env = dict(os.environ, LD_PRELOAD=MASK, KERNELS_UNMASKED=kernels)
    if not cpuid_patch.faults():
        folder = os.path.join(MADE, "patched")
        shutil.rmtree(folder, ignore_errors=True)
        cpuid_patch.onnxruntime_copy(folder)
        env["EMBED_DRIVER"] = os.path.join(folder, "embed_driver")
        cpuid_patch.copy(DRIVER, env["EMBED_DRIVER"])
        env["PYTHONPATH"] = os.pathsep.join(
            filter(None, (folder, env.get("PYTHONPATH"))))
    return env


def main():
    if not peer_onnx.there():
        sys.exit(f"no model in {peer_onnx.FOLDER}: scripts/model.sh")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    kernels = measure(rounds)
    if "LD_PRELOAD" not in os.environ:
        sys.stdout.flush()
        hidden = [name for name, of in MASKS.items() if kernels in of]
        env = masked(kernels) if hidden else {}
        for name in hidden:
            subprocess.run([sys.executable, __file__, str(rounds)], check=True,
                           env=dict(env, CPUID_MASK=name))
        quality()


if __name__ == "__main__":
    main()

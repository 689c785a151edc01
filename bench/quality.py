"""How well the ranking finds what people judged: words, vectors, and both.

Cranfield: nDCG@10, recall@100 and MRR@10 of each leg by `knowd eval`, and
whether both together differ from a leg by more than chance.

Chunking: five texts, 472 questions with the excerpts that answer them. The top
10 passages are measured in tokens (a word or a sign is one): recall is the share
of the excerpts' tokens they hold, nDCG that of a ranking in which a passage with
a token of an excerpt is relevant, precision the share of their own tokens that
are the excerpts', IoU what both share of all; a token that passages repeat
counts each time below the line (Smith and Troynikov 2024). Beside knowd's own
chunks stand those of recursive splitting, as documents of a base of their own
under the same retrieval (wants langchain-text-splitters==1.1.3 and
tokenizers==0.23.3).

The data lie beside the project, in ../shared/data. Without a model in
build/model the legs of vectors are left out."""

import bisect
import csv
import json
import math
import os
import random
import re
import sys
import tempfile

import peer_onnx
from server import ROOT, Server, table

SHARED = os.path.join(os.path.dirname(ROOT), "shared/data")
CRANFIELD = os.path.join(SHARED, "cranfield")
CHUNKING = os.path.join(SHARED, "chunking")
TEXTS = ("chatlogs", "finance", "pubmed", "state_of_the_union", "wikitexts")
MODEL = "all-MiniLM-L6-v2"
LEGS = ("lexical", "dense", "hybrid")
NAMES = {"lexical": "words", "dense": "vectors", "hybrid": "both"}
GOALS = {"lexical": 0.37, "dense": 0.39, "hybrid": 0.425}
RECALL_GOAL = 0.93
TOP = 10
ROUNDS = 10_000  # of the test of chance
TOKEN = re.compile(r"\w+|[^\w\s]")


def call(server, *words, statuses=(0,)):
    done = server.cli(*words)
    if done.returncode not in statuses:
        raise SystemExit(f"knowd {words}: {done.stderr}{done.stdout}")
    return done.stdout


def add_model(server):
    """Whether the server has a model now."""
    if not peer_onnx.there():
        print(f"SKIPPED: no model in {peer_onnx.FOLDER}: words alone")
        return False
    done = server.cli("model", "add", peer_onnx.FOLDER, "--name", MODEL)
    if done.returncode != 0:
        print("SKIPPED: knowd takes no model: " + done.stderr.strip())
    return done.returncode == 0


def make_base(server, name, model, **fields):
    return server.call("POST", "/v1/knowledge-base/knowledge-bases", {
        "name": name, **({"embedding_model": MODEL} if model else {}),
        **fields})["id"]


# ---- Cranfield ----

def cranfield(server, model):
    make_base(server, "cranfield", model)
    # Two abstracts are empty: the only failures.
    call(server, "add", CRANFIELD + "/corpus.jsonl", "--base", "cranfield",
         "--wait", "refined", statuses=(0, 1))
    ask = ("eval", "--base", "cranfield", "--queries",
           CRANFIELD + "/queries.jsonl", "--qrels", CRANFIELD + "/qrels.tsv",
           "--json")
    rows, found = [], {}
    for leg in LEGS:
        if leg != "lexical" and not model:
            rows.append([NAMES[leg], "no model", GOALS[leg], "", ""])
            continue
        found[leg] = json.loads(call(server, *ask, "--set", "legs=" + leg))
        rows.append([NAMES[leg], f"{found[leg]['ndcg@10']:.4f}", GOALS[leg],
                     f"{found[leg]['recall@100']:.4f}",
                     f"{found[leg]['mrr@10']:.4f}"])
    table("Cranfield: 1,398 abstracts, 225 queries",
          ["leg", "nDCG@10", "goal, at least", "recall@100", "MRR@10"], rows)
    if not model:
        return
    rows = []
    for leg in LEGS[:2]:
        got = json.loads(call(server, *ask, "--set", "legs=" + leg,
                              "--compare", "legs=hybrid", statuses=(0, 1)))
        test = got["compare"]["ndcg@10"]
        rows.append([NAMES[leg], f"{test['difference']:+.4f}", "not below 0",
                     test["better"], test["worse"], f"{test['p']:.4f}"])
    table("Both against a leg, nDCG@10 of each query",
          ["leg", "difference", "goal", "better", "worse", "p"], rows)


# ---- passages of texts ----

class Text:
    """One of the five, in tokens. Places are characters of the file."""

    def __init__(self, name):
        self.name = name
        self.path = os.path.join(CHUNKING, name + ".md")
        with open(self.path, encoding="utf-8", newline="") as f:
            self.text = f.read()
        spans = [m.span() for m in TOKEN.finditer(self.text)]
        self.starts = [s for s, _ in spans]
        self.ends = [e for _, e in spans]

    def tokens(self, start, end):
        """Those that a range of characters holds or cuts."""
        return range(bisect.bisect_right(self.ends, start),
                     bisect.bisect_left(self.starts, end))


def questions():
    with open(CHUNKING + "/questions.csv", encoding="utf-8", newline="") as f:
        for row in csv.DictReader(f):
            yield (row["question"], row["corpus_id"],
                   [(r["start_index"], r["end_index"])
                    for r in json.loads(row["references"])])


def dcg(gains):
    return sum(g / math.log2(rank + 2) for rank, g in enumerate(gains[:TOP]))


def figures(texts, name, excerpts, passages, every):
    """Recall, nDCG, precision, IoU of passages (text, start, end) of one question
    about the text `name`; every: all there are, in any order."""
    wanted = set()
    for start, end in excerpts:
        wanted.update(texts[name].tokens(start, end))

    def held(passage):
        text, start, end = passage
        return wanted.intersection(texts[text].tokens(start, end)) \
            if text == name else set()
    gains = [len(held(p)) > 0 for p in passages]
    ideal = sorted((len(held(p)) > 0 for p in every), reverse=True)
    found = set().union(*map(held, passages))
    size = sum(len(texts[t].tokens(a, b)) for t, a, b in passages)
    missed = len(wanted) - len(found)
    return (len(found) / len(wanted),
            dcg(gains) / dcg(ideal) if any(ideal) else 0,
            len(found) / max(size, 1), len(found) / (size + missed))


def own_chunks(server, model, texts):
    """A base of the five files; hits of it as passages."""
    base = make_base(server, "chunks", model, chunk_size=256)
    call(server, "add", *[t.path for t in texts.values()], "--base", "chunks",
         "--wait", "refined")
    name_of = {}
    for d in server.call("GET", "/v1/knowledge-base/knowledge-bases/"
                         f"{base}/documents")["items"]:
        d = server.call("GET", "/v1/knowledge-base/documents/" + d["id"])
        name_of[d["id"]] = d["title"].removesuffix(".md")
        # What is served is the file: its places are the file's.
        assert server.fetch(d["normalized_download_url"]) == \
            texts[name_of[d["id"]]].text

    def passage(hit):
        place = hit["position"]
        return name_of[hit["document_id"]], place["start_char"], \
            place["end_char"]
    return base, passage, {}


def recursive_chunks(server, model, texts):
    """A base of the passages of recursive splitting, a document each; None:
    what makes them isn't installed."""
    try:
        from langchain_text_splitters import RecursiveCharacterTextSplitter
        tokenizer = peer_onnx.tokenizer()
    except (ImportError, OSError) as e:
        print(f"SKIPPED: recursive splitting: {e}")
        return None
    tokenizer.no_truncation()
    splitter = RecursiveCharacterTextSplitter(
        chunk_size=250, chunk_overlap=125,
        separators=["\n\n", "\n", ".", "?", "!", " ", ""],
        length_function=lambda s: len(
            tokenizer.encode(s, add_special_tokens=False).ids))
    base = make_base(server, "recursive", model, chunk_size=256)
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f:
        for text in texts.values():
            start = -1
            for piece in splitter.split_text(text.text):
                start = text.text.index(piece, start + 1)
                end = start + len(piece)
                f.write(json.dumps({"_id": f"{text.name}:{start}:{end}",
                                    "title": text.name + ".md",
                                    "text": piece}) + "\n")
        f.flush()
        call(server, "add", f.name, "--base", "recursive", "--wait", "refined")

    def passage(hit):
        name, start, end = hit["external_id"].split(":")
        return name, int(start), int(end)
    # One too long for a chunk with its title is two: it counts as found once.
    return base, passage, {"group": "document"}


def search(server, base, leg, more):
    def ask(question, limit=TOP):
        return server.call("POST", "/knowd/v1/search", {
            "query": question, "kb_ids": [base], "limit": limit, "legs": leg,
            **more})["results"]
    return ask


def chance(differences):
    """How often signs drawn at random give as large a sum: two-sided p of the
    paired randomisation test, as knowd eval has it."""
    rng, moved = random.Random(1), [d for d in differences if d]
    seen = abs(sum(moved)) - 1e-9
    return (1 + sum(abs(sum(d if rng.random() < 0.5 else -d for d in moved))
                    >= seen for _ in range(ROUNDS))) / (ROUNDS + 1)


def against(words, leg):
    """Queries better and worse than by words, and p: of recall, of nDCG."""
    out = []
    for figure in (0, 1):
        d = [b[figure] - a[figure] for a, b in zip(words, leg)]
        out.append(f"{sum(x > 0 for x in d)} : {sum(x < 0 for x in d)}, "
                   f"{chance(d):.4f}")
    return out


def chunking(server, model):
    texts = {name: Text(name) for name in TEXTS}
    asked = list(questions())
    rows = []
    for title, make in (("knowd, 256", own_chunks),
                        ("recursive, 250 / 125", recursive_chunks)):
        made = make(server, model, texts)
        if made is None:
            continue
        base, passage, more = made
        words = None
        # By vectors every passage is found.
        every = [passage(hit) for hit in search(server, base, "dense", {})(
            asked[0][0], 10_000)] if model else []
        for leg in LEGS if model else LEGS[:1]:
            ask, got, sizes = search(server, base, leg, more), [], []
            for question, name, excerpts in asked:
                passages = [passage(hit) for hit in ask(question)]
                sizes += [len(texts[t].tokens(a, b)) for t, a, b in passages]
                got.append(figures(texts, name, excerpts, passages, every))
            mean = [sum(f) / len(got) for f in zip(*got)]
            words = words or got
            shown = [f"{m:.3f}" for m in mean]
            shown[1] = shown[1] if model else "no model"
            rows.append([title, NAMES[leg], *shown,
                         f"{sum(sizes) / len(sizes):.0f}",
                         *(against(words, got) if got is not words else
                           ["", ""])])
    table(f"Chunking: {len(asked)} questions, five texts, top {TOP}; goal: "
          f"recall of both >= {RECALL_GOAL} and not below words'",
          ["passages", "leg", "recall", "nDCG", "precision", "IoU",
           "tokens each", "recall to words', p", "nDCG to words', p"],
          rows)


def main():
    if not os.path.isdir(SHARED):
        print(f"SKIPPED: {SHARED} is not there")
        return
    parts = {"cranfield": cranfield, "chunking": chunking}
    server = Server()
    try:
        model = add_model(server)
        for name, part in parts.items():
            if len(sys.argv) < 2 or name in sys.argv[1:]:
                part(server, model)
    finally:
        server.stop()


if __name__ == "__main__":
    main()

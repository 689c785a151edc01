"""Finding by meaning: vectors of the default model beside words. Without a
model in build/model these are skipped; a second one is made here."""

import contextlib
import re
import shutil
import sqlite3
import time
import uuid

import pytest

import models
from conftest import K, ROOT, TERMINAL, Cli, poll

FOLDER = ROOT / "build/model/all-MiniLM-L6-v2"
MODEL = "all-MiniLM-L6-v2"
DIMS = 384

pytestmark = pytest.mark.skipif(
    not (FOLDER / "model.safetensors").is_file(),
    reason=f"no model in {FOLDER}: scripts/model.sh gets it")

CAT = "A feline dozed upon the rug beside our fireplace."
NOTES = {
    "cat": CAT,
    "tax": "Income declared late is fined by two percent each month.",
    "rain": "Heavy showers flooded several cellars near the river.",
    "bread": "Knead flour, yeast and water, then bake for forty minutes.",
    "train": "Express services depart from platform nine at dawn.",
    "heart": "The left ventricle pumps blood into the aorta.",
    "code": "The compiler rejects a variable that was never declared.",
    "moon": "Gravity of our satellite raises the tides twice a day.",
}
# No word of it, and no stem, stands in its passage.
QUESTION = "Where did a sleepy cat lie down?"


def add_model(url, home, folder=FOLDER, name=MODEL):
    got = Cli(home, url).json("model", "add", folder, "--name", name)
    assert got["name"] == name
    return got


@pytest.fixture(scope="module")
def modelled(server, tmp_path_factory):
    """The module's server, with the default model."""
    add_model(server.url, tmp_path_factory.mktemp("home"))
    return server


@pytest.fixture(scope="module")
def notes(modelled):
    """A base of NOTES, and the documents by name."""
    base = modelled.api.make_base(embedding_model=MODEL)
    return base, add_notes(modelled.api, base)


def add_notes(api, base):
    items = api.add(base, [{"type": "text", "title": f"Page {i}",
                            "content": text, "external_id": name}
                           for i, (name, text) in enumerate(NOTES.items())])
    return {name: item["document_id"] for name, item in zip(NOTES, items)}


def many(n, words=60):
    """Texts that differ, each about something a word names."""
    things = ("copper", "harbour", "violin", "glacier", "orchard", "saddle",
              "lantern", "comet", "granite", "weaver")
    for i in range(n):
        body = " ".join(f"{things[(i + j * j) % 10]} {things[(i * j) % 10]}"
                        for j in range(words // 2))
        yield {"type": "text", "title": f"note {i}",
               "content": f"Record number{i} tells of {body}."}


def ranked(api, query, *bases, **more):
    """What `POST /knowd/v1/search` answers, whole."""
    return api.ok("POST", "/knowd/v1/search",
                  json={"query": query, "kb_ids": list(bases), **more})


def names(answer):
    return [h["external_id"] for h in answer["results"]]


def found_by_vectors(api, base):
    """Documents the leg of vectors offers."""
    answer = ranked(api, "anything", base, legs="dense", limit=1000,
                    group="document")
    return {h["document_id"] for h in answer["results"]}


# ---- finding ----

def test_a_question_without_a_word_of_its_passage_finds_it(api, notes):
    base, documents = notes
    hit = api.search(QUESTION, base)["results"][0]
    assert hit["document_id"] == documents["cat"] and hit["content"] == CAT
    assert names(ranked(api, QUESTION, base, legs="dense"))[0] == "cat"
    assert "cat" not in names(ranked(api, QUESTION, base, legs="lexical"))


def test_a_word_that_means_nothing_to_the_model_is_found_by_words(api, notes):
    base, _ = notes
    code = "ZX-" + uuid.uuid4().hex[:10]
    api.add_text(base, "order", f"Order {code} was delivered.",
                 external_id="order")
    assert api.search(code, base)["results"][0]["external_id"] == "order"
    assert names(ranked(api, code, base, legs="lexical")) == ["order"]


def test_legs_beat_alpha_and_alpha_at_its_ends_is_a_leg(api, notes):
    base, _ = notes
    query = "declared income of our cat"

    def scores(**more):
        return [(h["chunk_id"], h["score"])
                for h in ranked(api, query, base, limit=100,
                                **more)["results"]]
    assert scores(alpha=1.0) == scores(legs="dense")
    assert scores(alpha=0.0) == scores(legs="lexical")
    assert scores(alpha=0.0, legs="dense") == scores(legs="dense")
    assert scores() == scores(alpha=0.5) == scores(legs="hybrid")
    assert len({tuple(scores(alpha=a)) for a in (0.0, 0.5, 1.0)}) == 3


def test_a_base_has_a_weight_of_its_own_and_a_request_beats_it(api, notes):
    base, _ = notes
    at, query = f"{K}/knowledge-bases/{base}", "declared income of our cat"
    other = api.make_base(embedding_model=MODEL, retrieval_alpha=0)
    assert api.ok("GET", f"{K}/knowledge-bases/{other}")["retrieval_alpha"] \
        == 0
    api.add_text(other, "tax", "She declared her income in May.")

    def scores(*bases, **more):
        return [(h["chunk_id"], h["score"])
                for h in ranked(api, query, *bases, **more)["results"]]
    half, words = scores(base), scores(base, alpha=0.0)
    both = scores(base, other)
    try:
        for alpha in (0.25, 1, 0):
            got = api.ok("PUT", at, json={"retrieval_alpha": alpha})
            assert got["retrieval_alpha"] == alpha
            assert scores(base) == scores(base, alpha=float(alpha)) != half
            # The request's beats it; several bases are weighed alike.
            assert scores(base, alpha=0.5) == half
            assert scores(base, other) == both
        assert scores(base) == words == scores(base, legs="lexical")
        # Another setting leaves it; null clears it.
        assert api.ok("PUT", at, json={"name": "n"})["retrieval_alpha"] == 0
        for bad in (-0.1, 1.1, "0.5"):
            assert api.put(at, json={"retrieval_alpha": bad}) \
                .status_code == 422
    finally:
        got = api.ok("PUT", at, json={"retrieval_alpha": None})
    assert got["retrieval_alpha"] is None and scores(base) == half
    api.delete(f"{K}/knowledge-bases/{other}")


def test_scores_do_not_depend_on_the_limit(api, modelled):
    base = api.make_base(embedding_model=MODEL)
    api.add(base, list(many(150)))
    for legs in ("hybrid", "dense", "lexical"):
        full = ranked(api, "a violin in the harbour", base, legs=legs,
                      limit=100)["results"]
        assert len(full) == 100
        assert full == sorted(full, key=lambda h: -h["score"])
        for limit in (1, 10, 50):
            part = ranked(api, "a violin in the harbour", base, legs=legs,
                          limit=limit)["results"]
            assert [(h["chunk_id"], h["score"]) for h in part] == \
                [(h["chunk_id"], h["score"]) for h in full[:limit]]
    # All of a small base, with shortcuts and without.
    for legs in ("hybrid", "dense", "lexical"):
        both = [ranked(api, "granite comet", base, legs=legs, limit=200,
                       exact=exact)["results"] for exact in (False, True)]
        assert [(h["chunk_id"], h["score"]) for h in both[0]] == \
            [(h["chunk_id"], h["score"]) for h in both[1]]
    api.delete(f"{K}/knowledge-bases/{base}")


def test_what_the_same_text_twice_is_gets_the_same_vector(api, modelled):
    """Bases don't share rows; a vector of one text is one, wherever it is."""
    raw = []
    for _ in range(2):
        base = api.make_base(embedding_model=MODEL)
        add_notes(api, base)
        hits = ranked(api, QUESTION, base, legs="dense", explain=True)
        raw.append({h["external_id"]: leg_of(h, "dense")["raw"]
                    for h in hits["results"]})
        api.delete(f"{K}/knowledge-bases/{base}")
    assert raw[0] == raw[1]


# ---- the ledger ----

def leg_of(hit, name):
    return next(leg for leg in hit["explain"]["legs"] if leg["leg"] == name)


def test_a_score_can_be_worked_out_from_its_ledger(api, modelled):
    """Also where a passage has a share of its neighbour's nearness."""
    base = api.make_base(embedding_model=MODEL, chunk_size=128)
    topics = ("The kitten slept on the warm carpet all afternoon. ",
              "Taxes on income are due in spring, and late payers are fined. ")
    api.add_text(base, "long", "\n\n".join(
        f"# Part {i}\n\nZebra {i}. " + topics[i % 2] * 8 for i in range(12)))
    answer = ranked(api, "zebra: where did the cat nap?", base, explain=True)
    seen = 0
    for hit in answer["results"]:
        score = 0
        for leg in hit["explain"]["legs"]:
            low, span = leg["low"], leg["best"] - leg["low"]
            own = max(0, (leg["raw"] - low) / span)
            if "neighbour_raw" in leg:
                assert leg["leg"] == "dense"
                beside = 0.8 * (leg["neighbour_raw"] - low) / span
                assert beside > own
                own, seen = beside, seen + 1
            assert leg["normalized"] == pytest.approx(own, abs=1e-5)
            score += leg["weight"] * own
        assert hit["score"] == pytest.approx(score, abs=1e-5)
    assert 0 < seen < len(answer["results"])
    api.delete(f"{K}/knowledge-bases/{base}")


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0])
def test_contributions_of_the_legs_are_the_score(api, notes, alpha):
    base, _ = notes
    answer = ranked(api, "fined for income, asked the cat", base, alpha=alpha,
                    explain=True, limit=100)
    assert {s["stage"] for s in answer["explain"]["stages"]}
    assert all(s["ms"] >= 0 for s in answer["explain"]["stages"])
    for hit in answer["results"]:
        legs = hit["explain"]["legs"]
        assert sum(leg["contribution"] for leg in legs) == \
            pytest.approx(hit["score"], abs=1e-6)
        for leg in legs:
            assert leg["contribution"] == pytest.approx(
                leg["weight"] * leg["normalized"], abs=1e-6)
            assert leg["rank"] is None or leg["rank"] >= 1
            assert leg["normalized"] <= 1 + 1e-6
        dense = leg_of(hit, "dense")
        assert dense["weight"] == pytest.approx(alpha)
        assert dense["terms"] == [] and -1 <= dense["raw"] <= 1.001
    if alpha < 1:
        tax = next(h for h in answer["results"] if h["external_id"] == "tax")
        words = leg_of(tax, "lexical")
        assert words["rank"] == 1 and words["raw"] > 0
        assert words["normalized"] == pytest.approx(1)
        assert sum(t["weight"] for t in words["terms"]) == \
            pytest.approx(words["raw"], rel=1e-3)
        rain = next(h for h in answer["results"] if h["external_id"] == "rain")
        assert leg_of(rain, "lexical")["rank"] is None
        assert leg_of(rain, "lexical")["contribution"] == 0


@pytest.mark.parametrize("alpha", [0.3, 0.5])
def test_reciprocal_ranks_are_weighed_and_added(api, notes, alpha):
    base, _ = notes
    query = "fined for income, asked the cat at dawn"
    more = {"fusion": "reciprocal_rank", "limit": 100}
    hits = ranked(api, query, base, alpha=alpha, explain=True,
                  **more)["results"]
    unranked = 0
    for hit in hits:
        legs = {leg["leg"]: leg for leg in hit["explain"]["legs"]}
        assert legs["lexical"]["weight"] == pytest.approx(1 - alpha)
        assert legs["dense"]["weight"] == pytest.approx(alpha)
        for leg in legs.values():
            rank = leg["rank"]
            unranked += rank is None
            assert leg["normalized"] == pytest.approx(
                0 if rank is None else 61 / (60 + rank), abs=1e-6)
            assert leg["contribution"] == pytest.approx(
                leg["weight"] * leg["normalized"], abs=1e-6)
        assert sum(leg["contribution"] for leg in legs.values()) == \
            pytest.approx(hit["score"], abs=1e-6)
    scores = [h["score"] for h in hits]
    assert len(hits) >= len(NOTES) and unranked > 0
    assert scores == sorted(scores, reverse=True)
    # The ranks are those of each leg alone.
    for name in ("lexical", "dense"):
        alone = ranked(api, query, base, legs=name, **more)["results"]
        assert {h["chunk_id"]: leg_of(h, name)["rank"] for h in hits
                if leg_of(h, name)["rank"] is not None} == \
            {h["chunk_id"]: rank for rank, h in enumerate(alone, 1)}


def test_ranks_of_a_leg_are_those_of_the_leg_alone(api, notes):
    base, _ = notes
    query = "bake bread at dawn"
    both = ranked(api, query, base, explain=True, limit=100)["results"]
    for name in ("lexical", "dense"):
        alone = ranked(api, query, base, legs=name, limit=100)["results"]
        assert sorted((leg_of(h, name)["rank"], h["chunk_id"]) for h in both
                      if leg_of(h, name)["rank"] is not None) == \
            [(i, h["chunk_id"]) for i, h in enumerate(alone, 1)]


def test_no_ledger_unasked(api, notes):
    base, _ = notes
    answer = ranked(api, QUESTION, base)
    assert "explain" not in answer
    assert all("explain" not in h for h in answer["results"])


# ---- why not ----

def why_not(api, document, query, *bases, **more):
    got = ranked(api, query, *bases, why_not=document,
                 **more)["explain"]["why_not"]
    assert got["document_id"] == document and got["reason"]
    return got


def test_why_not_names_the_stage_that_lost_a_document(api, notes):
    base, documents = notes
    cat = documents["cat"]
    by_words = why_not(api, cat, "declared income", base, legs="lexical")
    assert (by_words["stage"], by_words["rank"]) == ("match", None)
    cut = why_not(api, cat, "declared income", base, limit=1)
    assert cut["stage"] == "limit" and cut["rank"] > 1
    shown = why_not(api, cat, QUESTION, base)
    assert (shown["stage"], shown["rank"]) == ("shown", 1)
    other = api.make_base(embedding_model=MODEL)
    assert why_not(api, cat, QUESTION, other)["stage"] == "base"
    nobody = "01900000-0000-7000-8000-000000000000"
    assert why_not(api, nobody, QUESTION, base)["stage"] == "document"
    api.delete(f"{K}/knowledge-bases/{other}")


def test_why_not_counts_as_the_ranking_does(api, notes):
    base, documents = notes
    query = "fined for income, asked the cat"
    full = ranked(api, query, base, limit=100, explain=True)["results"]
    for rank, hit in enumerate(full, 1):
        lost = why_not(api, hit["document_id"], query, base, limit=1)
        assert lost["rank"] == rank and lost["chunk_id"] == hit["chunk_id"]
        assert lost["score"] == pytest.approx(hit["score"])
        assert [leg["raw"] for leg in lost["legs"]] == \
            [leg["raw"] for leg in hit["explain"]["legs"]]


# ---- models and bases ----

def test_the_config_lists_models_with_their_dimensions(api, modelled):
    config = api.ok("GET", f"{K}/config")
    one = next(m for m in config["embedding_models"] if m["name"] == MODEL)
    assert one["dimensions"] == [DIMS] and one["default_dimensions"] == DIMS
    listed = api.ok("GET", "/knowd/v1/models")["models"]
    assert {"name": MODEL, "dimensions": DIMS}.items() <= next(
        m for m in listed if m["name"] == MODEL).items()


def test_a_base_remembers_its_model(api, modelled):
    base = api.make_base(embedding_model=MODEL, embedding_dimensions=DIMS)
    got = api.ok("GET", f"{K}/knowledge-bases/{base}")
    assert got["embedding_model"] == MODEL
    assert got["embedding_dimensions"] == DIMS
    for wrong in ({"embedding_model": "gpt"},
                  {"embedding_model": MODEL, "embedding_dimensions": 3}):
        assert api.post(f"{K}/knowledge-bases", json={"name": "x", **wrong}) \
            .status_code == 400
    api.delete(f"{K}/knowledge-bases/{base}")


def model_of(api, base):
    return api.ok("GET", f"/knowd/v1/bases/{base}/model")


def set_model(api, base, model):
    answer = api.post(f"/knowd/v1/bases/{base}/model", json={"model": model})
    assert answer.status_code in (200, 202), answer.text


def test_a_base_without_a_model_takes_one_later(api, modelled):
    base = api.make_base(embedding_model="none")
    documents = add_notes(api, base)
    assert "cat" not in names(ranked(api, QUESTION, base))
    assert model_of(api, base)["status"] == "none"
    set_model(api, base, MODEL)
    poll(lambda: found_by_vectors(api, base) == set(documents.values()))
    poll(lambda: model_of(api, base) == {
        "model": MODEL, "dimensions": DIMS, "status": "ready"})
    assert names(ranked(api, QUESTION, base))[0] == "cat"
    got = api.ok("GET", f"{K}/knowledge-bases/{base}")
    assert (got["embedding_model"], got["embedding_dimensions"]) == \
        (MODEL, DIMS)
    assert api.post(f"/knowd/v1/bases/{base}/model",
                    json={"model": "no-such-model"}).status_code == 400
    api.delete(f"{K}/knowledge-bases/{base}")


@pytest.fixture(scope="module")
def second(modelled, tmp_path_factory):
    """A model of another kind of space: random, of 64 dimensions."""
    folder = models.make(tmp_path_factory.mktemp("second") / "tiny")
    got = add_model(modelled.url, tmp_path_factory.mktemp("home"), folder,
                    "tiny")
    assert got["dimensions"] == 64
    return "tiny"


def test_bases_of_different_models_answer_in_groups(api, notes, second):
    base, documents = notes
    other = api.make_base(embedding_model=second)
    api.add_text(other, "elsewhere", "A cat lay down.")
    both = api.search(QUESTION, base, other, limit=3)
    assert both["ranking_mode"] == "grouped_unranked"
    assert both["results"] == []
    groups = {g["embedding_model"]: g for g in both["grouped_results"]}
    assert set(groups) == {MODEL, second}
    assert groups[MODEL]["embedding_dimensions"] == DIMS
    assert groups[second]["embedding_dimensions"] == 64
    assert groups[MODEL]["kb_ids"] == [base]
    assert groups[second]["kb_ids"] == [other]
    # Each group ranks as its bases do alone.
    assert [(h["chunk_id"], h["score"]) for h in groups[MODEL]["results"]] == \
        [(h["chunk_id"], h["score"])
         for h in api.search(QUESTION, base, limit=3)["results"]]
    assert groups[second]["results"][0]["document_title"] == "elsewhere"
    alone = [api.search(QUESTION, b)["total_results"] for b in (base, other)]
    assert both["total_results"] == sum(alone)
    # The words of all bases are one space.
    words = ranked(api, "cat", base, other, legs="lexical")
    assert words["ranking_mode"] == "global_score"
    assert words["grouped_results"] is None
    api.delete(f"{K}/knowledge-bases/{other}")


def test_bases_of_one_model_are_ranked_together(api, notes):
    base, documents = notes
    other = api.make_base(embedding_model=MODEL)
    api.add_text(other, "kitten", "The kitten napped on a carpet.",
                 external_id="kitten")
    both = api.search(QUESTION, base, other)
    assert both["ranking_mode"] == "global_score"
    assert set(names(both)[:2]) == {"cat", "kitten"}
    assert both["grouped_results"] is None
    api.delete(f"{K}/knowledge-bases/{other}")


def test_a_model_that_is_removed_leaves_its_bases_their_words(
        api, modelled, notes, tmp_path):
    add_model(modelled.url, tmp_path, name="copy")
    base = api.make_base(embedding_model="copy")
    at = f"{K}/knowledge-bases/{base}"
    documents = add_notes(api, base)
    answer = ranked(api, QUESTION, base)
    assert names(answer)[0] == "cat" and "notices" not in answer
    assert api.ok("GET", at)["embedding_status"] == "installed"
    api.ok("DELETE", "/knowd/v1/models/copy", 204)
    assert "cat" not in names(ranked(api, QUESTION, base))
    # It says so, wherever one looks.
    for answer in (ranked(api, "flooded cellars", base),
                   api.search("flooded cellars", base)):
        assert names(answer)[0] == "rain"
        notice, = answer["notices"]
        assert (notice["kb_id"], notice["code"]) == (base, "model_missing")
        assert "copy" in notice["message"]
    assert "notices" not in ranked(api, "cellars", base, legs="lexical")
    assert api.ok("GET", at)["embedding_status"] == "missing"
    shelf, = [b for b in api.ok("GET", f"{K}/knowledge-bases",
                                params={"limit": 100})["items"]
              if b["id"] == base]
    assert (shelf["embedding_model"], shelf["embedding_status"]) == \
        ("copy", "missing")
    # Beside a model that is there, its words are a ranking of their own.
    both = ranked(api, "flooded cellars", base, notes[0])
    assert both["ranking_mode"] == "grouped_unranked"
    groups = {g["embedding_model"]: g for g in both["grouped_results"]}
    assert {m: g["kb_ids"] for m, g in groups.items()} == \
        {"copy": [base], MODEL: [notes[0]]}
    assert groups["copy"]["results"][0]["external_id"] == "rain"
    home = tmp_path / "cli"
    home.mkdir()
    cli = Cli(home, modelled.url)
    said = cli("search", "flooded cellars", "--base", base, "--base", notes[0])
    assert "copy is not installed" in said.stderr
    assert "Bases of the model copy" in said.stdout
    assert said.stdout.count("cellars") >= 2
    assert "its model copy is not installed" in cli("bases").stderr
    assert api.delete("/knowd/v1/models/copy").status_code == 404
    # It comes back, and with it what it had made.
    add_model(modelled.url, tmp_path, name="copy")
    poll(lambda: found_by_vectors(api, base) == set(documents.values()))
    assert names(ranked(api, QUESTION, base))[0] == "cat"
    api.delete(f"{K}/knowledge-bases/{base}")
    api.ok("DELETE", "/knowd/v1/models/copy", 204)


# ---- from words to vectors ----

def test_a_job_is_refining_between_words_and_vectors(api, modelled):
    base = api.make_base(embedding_model=MODEL)
    answer = api.ingest(base, list(many(400, 150)))
    job, seen, by_words = answer.json()["ingestion_job_id"], set(), False
    until = time.monotonic() + 120
    while time.monotonic() < until:
        got = api.job(job)
        stages = {d["processing_stage"] for d in job_documents(api, job)}
        seen |= stages
        if "refining" in stages and got["status"] not in TERMINAL:
            by_words = by_words or bool(ranked(
                api, "number7", base, legs="lexical")["results"])
        if got["status"] in TERMINAL:
            break
    assert got["status"] == "completed"
    assert {d["processing_stage"] for d in job_documents(api, job)} == {"done"}
    assert len(found_by_vectors(api, base)) == 400
    assert "refining" in seen and by_words
    api.delete(f"{K}/knowledge-bases/{base}")


def job_documents(api, job):
    return api.ok("GET", f"{K}/ingestion-jobs/{job}/documents",
                  params={"limit": 100})["items"]


def test_new_text_of_a_document_gets_new_vectors(api, modelled):
    base = api.make_base(embedding_model=MODEL)
    add_notes(api, base)
    api.add(base, [{"type": "text", "title": "Page 0", "external_id": "cat",
                    "content": "Interest on a loan is paid each quarter."}])
    answer = ranked(api, QUESTION, base, legs="dense", limit=100)
    assert CAT not in [h["content"] for h in answer["results"]]
    assert names(ranked(api, "credit repayment", base))[0] == "cat"
    api.delete(f"{K}/knowledge-bases/{base}")


def test_what_was_deleted_is_not_found_by_its_meaning(api, modelled):
    base = api.make_base(embedding_model=MODEL)
    documents = add_notes(api, base)
    api.ok("DELETE", f"{K}/documents/{documents['cat']}", 204)
    assert "cat" not in names(ranked(api, QUESTION, base, limit=100))
    assert documents["cat"] not in found_by_vectors(api, base)
    api.delete(f"{K}/knowledge-bases/{base}")


ODD = {"one token": "a", "unknown": "\u1200\u1201 \u1202" * 20,
       "control": "a line\x0b with\x7f marks\u200b and\u0085 more", "emoji": "🦀 🌿 🛰️" * 5,
       "accents": "Ça là-bas, où naïveté", "empty vector": "....",
       "long word": "x" * 100_000}


@pytest.mark.parametrize("name", ODD)
def test_odd_texts_are_embedded_and_found(api, modelled, name):
    base = api.make_base(embedding_model=MODEL)
    document = api.add_text(base, name, ODD[name])
    assert document in found_by_vectors(api, base)
    api.delete(f"{K}/knowledge-bases/{base}")


def test_a_text_of_100_000_tokens_is_embedded_chunk_by_chunk(api, modelled):
    base = api.make_base(embedding_model=MODEL)
    body = " ".join(f"word{i % 977}" for i in range(40_000))
    job = api.ingest(base, [{"type": "file", "file_index": 0}], [(
        "long.md", f"{body}\n\n# Page 2\n\n{CAT}\n".encode())]).json()
    assert api.wait(job["ingestion_job_id"], 180)["status"] == "completed"
    hits = ranked(api, QUESTION, base, limit=5)["results"]
    assert CAT in hits[0]["content"]
    api.delete(f"{K}/knowledge-bases/{base}")


# ---- stops and starts ----

@pytest.fixture
def filled(start_server, tmp_path):
    """A server of its own with the model and a base of NOTES."""
    server = start_server()
    add_model(server.url, tmp_path)
    base = server.api.make_base(embedding_model=MODEL)
    return server, base, add_notes(server.api, base)


def test_vectors_are_there_after_a_restart(start_server, filled):
    server, base, documents = filled
    before = ranked(server.api, QUESTION, base, explain=True)["results"]
    assert server.stop() == 0
    server = start_server(data=server.data)
    after = ranked(server.api, QUESTION, base, explain=True)["results"]
    assert after == before


def vectors_made(server):
    """Since it started."""
    return int(re.search(r"^knowd_vectors_made_total (\d+)$",
                         server.api.get("/metrics").text, re.M)[1])


def lose_the_index(server, base):
    assert server.stop() == 0
    assert list((server.data / "index").rglob("*.seg"))
    shutil.rmtree(server.data / "index")


def lose_what_was_read(server, base):
    assert server.stop() == 0
    with contextlib.closing(sqlite3.connect(server.data / "knowd.db")) as db:
        db.execute("UPDATE version SET extractor_version = 0")
        assert db.total_changes == len(NOTES)
        db.commit()


@pytest.mark.parametrize("lose", [lose_the_index, lose_what_was_read])
def test_vectors_outlive_what_they_were_made_of(start_server, filled, lose):
    server, base, documents = filled
    assert vectors_made(server) == len(NOTES)
    before = ranked(server.api, QUESTION, base, legs="dense",
                    explain=True)["results"]
    lose(server, base)
    server = start_server(data=server.data)
    api = server.api
    if lose == lose_what_was_read:
        again = api.ok("POST", f"/knowd/v1/bases/{base}/reprocess", 202,
                       json={})
        assert again["queued"] == len(NOTES)
        assert api.wait(again["job_id"])["status"] == "completed"
    poll(lambda: found_by_vectors(api, base) == set(documents.values()))
    after = ranked(api, QUESTION, base, legs="dense", explain=True)["results"]
    assert [(h["chunk_id"], h["score"], h["explain"]) for h in after] == \
        [(h["chunk_id"], h["score"], h["explain"]) for h in before]
    assert vectors_made(server) == 0
    # The next one is the first that is made: none was on its way.
    api.add_text(base, "dog", "A hound guards the gate.")
    poll(lambda: vectors_made(server))
    assert vectors_made(server) == 1


def test_killed_while_embedding_nothing_is_lost(start_server, tmp_path):
    """Nor made again: what a kill repeats is the file being written."""
    server = start_server()
    add_model(server.url, tmp_path)
    base = server.api.make_base(embedding_model=MODEL)
    answer = server.api.ingest(base, list(many(600, 150)))
    assert answer.status_code == 202
    job, made = answer.json()["ingestion_job_id"], []
    for kill in range(3):
        poll(lambda: 0 < vectors_made(server) or
             server.api.job(job)["status"] in TERMINAL, 120)
        time.sleep(0.2 * kill)
        made.append(vectors_made(server))
        server.kill()
        server = start_server(data=server.data)
    assert server.api.wait(job, 180)["status"] == "completed"
    assert len(found_by_vectors(server.api, base)) == 600
    chunks = ranked(server.api, "anything", base, legs="dense",
                    limit=10000)["results"]
    # Each is counted once its file is there, which a kill leaves.
    assert made[0] > 0
    assert sum(made) + vectors_made(server) <= len(chunks)


def test_without_its_model_a_base_serves_by_words_and_says_so(
        start_server, filled):
    server, base, documents = filled
    assert server.stop() == 0
    server = start_server("--model", "none", data=server.data)
    api = server.api
    assert api.ok("GET", f"{K}/config")["embedding_models"] == []
    assert names(ranked(api, "flooded cellars", base))[0] == "rain"
    assert "cat" not in names(ranked(api, QUESTION, base))
    state = model_of(api, base)
    assert state["model"] == MODEL and state["status"] == "missing"
    # What is added now is found by its words at once, by meaning later.
    api.add(base, [{"type": "text", "title": "dog", "external_id": "dog",
                    "content": "A hound guards the gate."}])
    assert server.stop() == 0
    server = start_server(data=server.data)
    poll(lambda: len(found_by_vectors(server.api, base)) == len(NOTES) + 1)
    assert names(ranked(server.api, QUESTION, base))[0] == "cat"
    assert names(ranked(server.api, "watchful puppy", base))[0] == "dog"


def vector_files(server):
    return [p for p in sorted((server.data / "vectors").rglob("*"))
            if p.is_file()]


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_vector_file_is_made_again(start_server, filled, damage):
    server, base, documents = filled
    before = names(ranked(server.api, QUESTION, base, legs="dense"))
    assert server.stop() == 0
    files = vector_files(server)
    assert files
    for path in files:
        data = bytearray(path.read_bytes())
        if damage == "flipped":
            for at in range(0, len(data), 97):
                data[at] ^= 0x5a
            path.write_bytes(data)
        elif damage == "cut":
            path.write_bytes(data[:len(data) // 2])
        else:
            path.unlink()
    server = start_server(data=server.data)
    assert names(ranked(server.api, "flooded cellars", base,
                        legs="lexical"))[0] == "rain"
    poll(lambda: found_by_vectors(server.api, base) ==
         set(documents.values()))
    assert names(ranked(server.api, QUESTION, base, legs="dense")) == before

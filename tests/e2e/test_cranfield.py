"""1,400 abstracts, added and searched through the command line."""

import pytest

from conftest import K, Cli


@pytest.fixture(scope="module")
def cranfield(server, shared, tmp_path_factory):
    cli = Cli(tmp_path_factory.mktemp("home"), server.url)
    corpus = shared / "data/cranfield/corpus.jsonl"
    added = cli.json("add", corpus, "--base", "cranfield", status=1)
    return cli, added, shared / "data/cranfield"


def test_every_abstract_goes_in_and_the_two_empty_lines_are_named(
        server, cranfield):
    _, added, folder = cranfield
    assert added["queued"] == 1398 and added["duplicate"] == 0
    assert sorted(f["path"] for f in added["failed"]) == \
        [f"{folder}/corpus.jsonl:{n}" for n in (471, 995)]
    base = server.api.ok("GET", f"{K}/knowledge-bases/{added['base_id']}")
    assert base["document_count"] == 1398


def test_adding_again_adds_nothing(cranfield):
    cli, added, folder = cranfield
    again = cli.json("add", folder / "corpus.jsonl", "--base", "cranfield",
                     status=1)
    assert again["queued"] == 0 and again["duplicate"] == 1398


def test_the_ranking_is_as_good_as_bm25_is(cranfield):
    cli, _, folder = cranfield
    for more in ((), ("--alpha", "0")):
        figures = cli.json("eval", "--base", "cranfield", "--queries",
                           folder / "queries.jsonl", "--qrels",
                           folder / "qrels.tsv", *more)
        assert figures["queries"] == 225
        assert figures["ndcg@10"] >= 0.37
        assert figures["recall@100"] >= 0.70
        assert figures["mrr@10"] >= 0.50


def test_the_position_of_every_hit_cuts_out_its_content(server, cranfield):
    import json
    _, added, folder = cranfield
    texts, hits = {}, 0
    for line in (folder / "queries.jsonl").read_text().splitlines():
        query = json.loads(line)["text"]
        for hit in server.api.search(query, added["base_id"],
                                     limit=10)["results"]:
            doc = hit["document_id"]
            if doc not in texts:
                texts[doc] = server.api.text_of(doc)
            place = hit["position"]
            assert texts[doc][place["start_char"]:place["end_char"]] == \
                hit["content"]
            hits += 1
    assert hits == 2250


def test_scores_do_not_depend_on_the_limit(server, cranfield):
    _, added, _ = cranfield
    query = "boundary layer on a flat plate"
    full = server.api.search(query, added["base_id"], limit=100)["results"]
    assert len(full) == 100
    for limit in (1, 10, 50):
        part = server.api.search(query, added["base_id"],
                                 limit=limit)["results"]
        assert [(h["chunk_id"], h["score"]) for h in part] == \
            [(h["chunk_id"], h["score"]) for h in full[:limit]]

"""`knowd eval --compare`: two ways of asking over the same judged queries."""

import json

import pytest

from conftest import Cli

TEXTS = {"d1": "copper conducts heat", "d2": "glass lets light through",
         "d3": "water boils under a bell"}
QUERIES = {"q1": "copper", "q2": "glass", "q3": "water"}


def jsonl(path, rows):
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


@pytest.fixture(scope="module")
def judged(server, tmp_path_factory):
    """A base with all the texts, one with none of those asked for."""
    folder = tmp_path_factory.mktemp("eval")
    cli = Cli(folder, server.url)
    cli("add", jsonl(folder / "all.jsonl", [
        {"_id": i, "title": i, "text": t} for i, t in TEXTS.items()]),
        "--base", "all")
    cli("add", jsonl(folder / "other.jsonl", [
        {"_id": "d4", "title": "d4", "text": "a stone"}]), "--base", "poorer")
    queries = jsonl(folder / "queries.jsonl", [
        {"_id": i, "text": t} for i, t in QUERIES.items()])
    qrels = folder / "qrels.tsv"
    qrels.write_text("query-id\tcorpus-id\tscore\n"
                     "q1\td1\t1\nq2\td2\t1\nq3\td3\t1\n")
    return cli, ("eval", "--queries", queries, "--qrels", qrels)


def test_two_ways_that_rank_alike_are_no_loss(judged):
    cli, command = judged
    got = cli.json(*command, "--base", "all", "--compare", "exact=true")
    assert got["first"]["ndcg@10"] == got["second"]["ndcg@10"] == 1
    assert got["second"]["request"] == {"exact": True}
    assert got["queries"] == 3 and got["lost"] is False
    assert got["compare"]["ndcg@10"] == {
        "difference": 0, "better": 0, "worse": 0, "p": 1}


def test_a_loss_beyond_the_bound_is_1_and_is_said(judged):
    cli, command = judged
    done = cli(*command, "--base", "all", "--compare", "base=poorer", "--json",
               status=1)
    got = json.loads(done.stdout)
    assert "lower by 1.0000, more than 0.0050" in done.stderr
    assert got["lost"] is True and got["loss_max"] == 0.005
    # Three losses of one: two patterns of signs out of eight are as far.
    assert got["compare"]["ndcg@10"] == {
        "difference": -1, "better": 0, "worse": 3, "p": 0.25}
    assert [d["query"] for d in got["differences"]] == ["q1", "q2", "q3"]
    assert {d["mrr@10"] for d in got["differences"]} == {-1}


def test_a_loss_within_the_bound_and_a_gain_are_0(judged):
    cli, command = judged
    cli(*command, "--base", "all", "--compare", "base=poorer", "--loss-max",
        "1")
    got = cli.json(*command, "--base", "poorer", "--compare", "base=all")
    assert got["compare"]["ndcg@10"]["difference"] == 1


def test_the_table_names_both_settings(judged):
    cli, command = judged
    lines = cli(*command, "--base", "all", "--alpha", "0", "--compare",
                "alpha=0.5").stdout.splitlines()
    assert lines[0] == "first:  base all, legs lexical"
    assert lines[1] == "second: base all, alpha 0.5"
    assert lines[2].split() == ["first", "second", "difference", "better",
                                "worse", "p"]
    assert [line.split()[0] for line in lines[3:6]] == \
        ["nDCG@10", "recall@100", "MRR@10"]
    assert lines[6] == "(3 queries)"


def test_legs_take_the_place_of_alpha_and_the_other_way_round(judged):
    cli, command = judged
    got = cli.json(*command, "--base", "all", "--alpha", "0.3", "--set",
                   "legs=lexical", "--compare", "alpha=0.7")
    assert got["first"]["request"] == {"legs": "lexical"}
    assert got["second"]["request"] == {"alpha": 0.7}


@pytest.mark.parametrize("words, status, said", [
    (("--compare", "alpha"), 2, "NAME=VALUE"),
    (("--compare", "limit=5"), 2, "sets that itself"),
    (("--set", "exact=true", "--compare", "exact=true"), 2, "the same again"),
    (("--compare", "base=nowhere"), 3, "nowhere"),
    (("--compare", "legs=wings"), 3, "legs"),
    (("--compare", "alpha=7"), 3, "alpha"),
    (("--compare", "exact=true", "--loss-max", "2"), 2, "from 0 to 1")])
def test_what_cannot_be_compared_is_said(judged, words, status, said):
    cli, command = judged
    assert said in cli(*command, "--base", "all", *words, status=status).stderr

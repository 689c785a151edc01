"""What a search answers."""

import sqlite3
import uuid

import pytest

from conftest import K

TEXT = """# Handbook

Intro about étude and naïve 漢字 words.

## Animals

The wolf runs through the forest. A wolf is not a fox.

## Plants

Oak trees grow slowly. The fern likes shade 🌿 and water.
"""


@pytest.fixture(scope="module")
def library(server):
    base = server.api.make_base()
    doc = server.api.add(base, [{"type": "file", "file_index": 0,
                                 "external_id": "handbook"}],
                         [("handbook.md", TEXT.encode())])[0]["document_id"]
    for i in range(30):
        server.api.add_text(base, f"note {i}",
                            f"common words and number{i} " * (i + 1))
    return base, doc


def test_a_hit_carries_every_documented_field(api, library):
    base, doc = library
    hit = api.search("wolf", base)["results"][0]
    assert hit["chunk_id"] == f"{doc}:1:{hit['chunk_index']}"
    assert hit["document_id"] == doc and hit["kb_id"] == base
    assert hit["document_title"] == "handbook.md"
    assert hit["source_type"] == "file"
    assert hit["external_id"] == "handbook"
    assert hit["score"] > 0
    assert hit["position"]["type"] == "text"
    assert hit["location"]["page"] is None and hit["location"]["box"] is None
    assert "explain" not in hit and "marks" not in hit
    assert hit["sensitivity"] == "internal" and hit["sensitivity_level"] == 10


def test_content_is_the_text_at_its_position(api, library):
    base, doc = library
    text = api.text_of(doc)
    for query in ("wolf", "étude", "fern shade", "漢字", "handbook"):
        hits = [h for h in api.search(query, base)["results"]
                if h["document_id"] == doc]
        assert hits, query
        for hit in hits:
            place = hit["position"]
            assert text[place["start_char"]:place["end_char"]] == \
                hit["content"]


def test_the_heading_path_is_that_of_the_passage(api, library):
    base, doc = library
    hit = api.search("fern", base)["results"][0]
    assert hit["location"]["headings"][0] == "Handbook"
    assert "fern" in hit["content"]


def test_results_come_best_first_and_cut_at_the_limit(api, library):
    base, _ = library
    many = api.search("common words", base, limit=20)
    few = api.search("common words", base, limit=5)
    scores = [h["score"] for h in many["results"]]
    assert scores == sorted(scores, reverse=True)
    assert len(few["results"]) == 5
    assert [(h["chunk_id"], h["score"]) for h in few["results"]] == \
        [(h["chunk_id"], h["score"]) for h in many["results"][:5]]
    assert few["total_results"] == many["total_results"] >= 30


def test_words_are_found_by_their_stems_and_in_any_case(api, library):
    base, doc = library
    for query in ("FOXES", "running", "tree", "growing"):
        assert api.search(query, base)["results"], query
    assert api.search("naive", base)["results"][0]["document_id"] == doc


def test_what_is_nowhere_finds_nothing(api, library):
    found = api.search("xylophone", library[0])
    assert found["results"] == [] and found["total_results"] == 0
    assert found["ranking_mode"] == "global_score"
    assert found["grouped_results"] is None


def test_explain_adds_up(api, library):
    base, _ = library
    found = api.search("wolf forest", base, explain=True)
    assert found["explain"]["stages"]
    for stage in found["explain"]["stages"]:
        assert stage["stage"] and stage["ms"] >= 0
    for hit in found["results"]:
        legs = hit["explain"]["legs"]
        assert sum(leg["contribution"] for leg in legs) == \
            pytest.approx(hit["score"], abs=1e-6)
        for leg in legs:
            assert leg["rank"] is None or leg["rank"] >= 1
            if leg["leg"] == "lexical":
                assert {t["term"] for t in leg["terms"]} <= {"wolf", "forest"}
                assert sum(t["weight"] for t in leg["terms"]) == \
                    pytest.approx(leg["raw"], rel=1e-6)
    assert [h["chunk_id"] for h in found["results"]] == \
        [h["chunk_id"] for h in api.search("wolf forest", base)["results"]]


def test_a_heading_asked_for_comes_first_and_explains_why(api):
    base = api.make_base()
    filler = "\n\n".join(f"Words about keys and doors, number {i}, and "
                         "what the house has of them." for i in range(60))
    text = (f"# Keys\n\n## Lost keys\n\nAsk the porter.\n\n{filler}\n\n"
            f"## The keys\n\nKeys, lost keys, keys.\n\n"
            f"## 7 Doors\n\nOak.\n\n{filler}\n\nDoors, doors, doors.")
    api.add(base, [{"type": "file", "file_index": 0}],
            [("house.md", text.encode())])
    for query, heading in (("Lost keys", "Lost keys"), ("doors", "7 Doors"),
                           ("3.2 Doors", "7 Doors")):
        hit, *_ = api.search(query, base, explain=True)["results"]
        assert f"## {heading}\n" in hit["content"], query
        terms = {t["term"]: t["weight"]
                 for t in hit["explain"]["legs"][0]["terms"]}
        assert terms["heading: " + query.removeprefix("3.2 ")] > 0
        assert sum(terms.values()) == pytest.approx(
            hit["explain"]["legs"][0]["raw"], rel=1e-6)
    hit, *_ = api.search("house.md", base)["results"]
    assert hit["position"]["start_char"] == 0


def test_alpha_and_legs_do_not_change_words_only_ranking(api, library):
    base, _ = library
    plain = [h["chunk_id"] for h in
             api.search("common words", base)["results"]]
    for more in ({"alpha": 0.1}, {"alpha": 1.0}, {"legs": "lexical"},
                 {"legs": "hybrid"}, {"rerank": True}, {"exact": True}):
        got = api.search("common words", base, **more)
        assert [h["chunk_id"] for h in got["results"]] == plain, more
        assert got["ranking_mode"] == "global_score"


@pytest.mark.parametrize("body, loc, kind", [
    ({"kb_ids": ["B"]}, ["body", "query"], "missing"),
    ({"query": "q"}, ["body", "kb_ids"], "missing"),
    ({"query": "q", "kb_ids": []}, ["body", "kb_ids"], "too_short"),
    ({"query": "q", "kb_ids": ["x"]}, ["body", "kb_ids", 0], "uuid_parsing"),
    ({"query": 5, "kb_ids": ["B"]}, ["body", "query"], "string_type"),
    ({"query": " ", "kb_ids": ["B"]}, ["body", "query"], None),
    ({"query": "q", "kb_ids": ["B"], "limit": 0}, ["body", "limit"],
     "greater_than_equal"),
    ({"query": "q", "kb_ids": ["B"], "limit": 101}, ["body", "limit"],
     "less_than_equal"),
    ({"query": "q", "kb_ids": ["B"], "limit": "5"}, ["body", "limit"], None),
    ({"query": "q", "kb_ids": ["B"], "alpha": 0}, ["body", "alpha"],
     "greater_than_equal"),
    ({"query": "q", "kb_ids": ["B"], "alpha": 1.1}, ["body", "alpha"],
     "less_than_equal"),
    ({"query": "q", "kb_ids": ["B"], "legs": "left"}, ["body", "legs"],
     "literal_error"),
    ({"query": "q", "kb_ids": ["B"], "rerank": "yes"}, ["body", "rerank"],
     None),
])
def test_a_wrong_request_is_422_at_its_place(api, base, body, loc, kind):
    if "kb_ids" in body:
        body = {**body, "kb_ids": [base if i == "B" else i
                                   for i in body["kb_ids"]]}
    answer = api.post(f"{K}/search", json=body)
    assert answer.status_code == 422, answer.text
    places = {tuple(d["loc"]): d for d in answer.json()["detail"]}
    assert tuple(loc) in places, places
    if kind:
        assert places[tuple(loc)]["type"] == kind


def test_an_unknown_base_is_400_and_named(api, base):
    unknown = str(uuid.uuid4())
    answer = api.post(f"{K}/search", json={"query": "q",
                                           "kb_ids": [base, unknown]})
    assert answer.status_code == 400
    assert answer.json()["error"] == "bad_request"
    assert unknown in answer.json()["message"]


def test_several_bases_are_ranked_together(api, library, base):
    api.add_text(base, "other", "the wolf of another base")
    hits = api.search("wolf", library[0], base)["results"]
    assert {h["kb_id"] for h in hits} == {library[0], base}
    scores = [h["score"] for h in hits]
    assert scores == sorted(scores, reverse=True)


def test_words_are_as_rare_as_in_all_bases_searched_together(api):
    """Where texts stand in two bases, they score as they do in one."""
    def text(i):
        return ("The heron" + " waits" * (i % 4) + " by the water" * (i % 3) +
                (", an egret beside it" if i % 3 == 0 else "") +
                (f"; a lapwing {'calls ' * i}" if i < 2 else "") +
                (". A bittern booms." if i > 18 else "") + f" Day{i}.")
    items = [{"type": "text", "title": f"note {i}", "content": text(i)}
             for i in range(22)]
    # Of unlike size, and what is rare in one is frequent in the other.
    whole, first, second = (api.make_base() for _ in range(3))
    api.add(whole, items)
    api.add(first, items[:5])
    api.add(second, items[5:])

    def scores(query, *bases):
        hits = api.ok("POST", "/knowd/v1/search", json={
            "query": query, "kb_ids": bases, "legs": "lexical",
            "limit": 100, "explain": True})["results"]
        return {h["content"]: (h["score"], h["explain"]["legs"][0]["raw"])
                for h in hits}
    for query, n in (("heron", 22), ("egret", 8), ("lapwing", 2),
                     ("bittern", 3), ("day7", 1), ("heron lapwing", 22),
                     ("bittern egret", 10), ("water calls", 14),
                     ("day3 bittern heron waits", 22)):
        want = scores(query, whole)
        assert len(want) == n, query
        for bases in ((first, second), (second, first)):
            got = scores(query, *bases)
            assert got.keys() == want.keys(), query
            for content in want:
                assert got[content] == pytest.approx(want[content],
                                                     rel=1e-6), query
        # Each alone knows another rarity of them.
        alone = scores(query, first) | scores(query, second)
        assert any(alone[content][1] != pytest.approx(raw, rel=1e-2)
                   for content, (_, raw) in want.items()), query
    for base in (whole, first, second):
        api.delete(f"{K}/knowledge-bases/{base}")


def test_our_route_groups_by_document_and_goes_beyond_a_hundred(api, base):
    for i in range(3):
        text = "\n\n".join(f"# part {p}\n\n" + f"heron word{p} " * 150
                           for p in range(4))
        api.add_text(base, f"t{i}", f"number{i}\n\n" + text)
    body = {"query": "heron", "kb_ids": [base], "limit": 1000}
    flat = api.ok("POST", "/knowd/v1/search", json=body)["results"]
    grouped = api.ok("POST", "/knowd/v1/search",
                     json={**body, "group": "document"})["results"]
    assert len(flat) > 3
    assert len(grouped) == 3
    assert len({h["document_id"] for h in grouped}) == 3
    assert api.post("/knowd/v1/search",
                    json={**body, "limit": 10001}).status_code == 422


def test_marks_show_the_matches_where_they_are_asked_for(api, library):
    base, doc = library
    hit = api.ok("POST", "/knowd/v1/search",
                 json={"query": "foxes", "kb_ids": [base],
                       "marks": True})["results"][0]
    marked = [hit["content"][m["start_char"]:m["end_char"]]
              for m in hit["marks"]]
    assert marked and all(m == "fox" for m in marked)


def test_odd_queries_are_answered(api, library):
    base, _ = library
    for query in ("\u0000", "🌿", "a" * 4096, "the of and", "\"wolf\"",
                  "wolf -fox", "(((", "\\", "'; drop table", "wolf\nfox",
                  " ".join(["wolf"] * 500), "\u202ewolf", "\ufeffwolf"):
        answer = api.post(f"{K}/search", json={"query": query,
                                               "kb_ids": [base]})
        assert answer.status_code in (200, 422), (query[:20], answer.text)
    long = api.post(f"{K}/search", json={"query": "a " * 5000,
                                         "kb_ids": [base]})
    assert long.status_code == 422


def test_a_hit_whose_text_is_damaged_is_left_out_and_says_so(
        start_server, tmp_path):
    data = tmp_path / "data"
    server = start_server(data=data)
    base = server.api.make_base()
    ids = [server.api.add_text(base, name, f"The whimbrel is {name}.")
           for name in ("grey", "brown")]
    assert server.stop() == 0
    db = sqlite3.connect(data / "knowd.db")
    db.execute("UPDATE body SET bytes = zeroblob(length(bytes)) WHERE id IN"
               " (SELECT b.body FROM blob b JOIN version v"
               "  ON v.text_sha = b.sha WHERE v.document = ?)",
               (uuid.UUID(ids[0]).bytes,))
    assert db.total_changes == 1
    db.commit()
    db.close()
    api = start_server(data=data).api

    def search(document):
        got = api.search("whimbrel", base, why_not=document)
        assert [h["document_id"] for h in got["results"]] == [ids[1]]
        return got["explain"]["why_not"]
    lost = search(ids[0])
    assert lost["stage"] == "content" and "damaged" in lost["reason"]
    assert lost["rank"] in (1, 2) and lost["chunk_id"].startswith(ids[0])
    assert search(ids[1])["stage"] == "shown"

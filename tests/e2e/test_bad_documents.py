"""Documents that are broken or hostile: a typed end, bounded memory, and
neighbours unharmed."""

import os

import pytest

from containment import add_file, memory_around

FAILS = {
    "empty": b"", "only white space": b" \r\n\t\n", "only a mark": b"\xef\xbb\xbf",
    "binary": bytes(range(256)) * 100, "zeros": b"\0" * 10000,
    "an ELF file": b"\x7fELF\x02\x01\x01" + b"\0" * 2000,
    "a PNG": b"\x89PNG\r\n\x1a\n" + os.urandom(2000),
}


@pytest.mark.parametrize("case", FAILS)
@pytest.mark.parametrize("name", ["x.txt", "x.md"])
def test_no_text_fails_with_a_sentence(api, base, case, name):
    row = add_file(api, base, name, FAILS[case])
    assert row["status"] == "failed"
    assert len(row["error_message"]) > 8
    assert "\n" not in row["error_message"]


@pytest.mark.parametrize("data", [
    "windmühle wörter".encode("utf-16"),           # with a mark
    b"\xfe\xff" + "windmühle wörter".encode("utf-16-be"),
    ("windmühle wörter and plain words " * 5).encode("utf-16-le"),
    ("windmühle wörter and plain words " * 5).encode("utf-16-be"),
    b"\xef\xbb\xbf" + "windmühle wörter".encode(),
    "windmühle wörter in Latin letters".encode("cp1252"),
], ids=["utf-16 with a mark", "big-endian with a mark",
        "little-endian without", "big-endian without", "utf-8 with a mark",
        "windows-1252"])
def test_encodings_are_recognised(api, base, data):
    row = add_file(api, base, "x.txt", data)
    assert row["status"] == "completed", row
    hit, = api.search("windmühle", base)["results"]
    assert "windmühle wörter" in hit["content"]
    assert "\ufeff" not in hit["content"]


@pytest.mark.parametrize("data", [
    b"good start \xc3\x28 middle \xa0\xa1 end",
    b"cut at the end \xe2\x82", b"surrogate \xed\xa0\x80 inside",
    b"overlong \xc0\xaf slash", b"too high \xf5\x80\x80\x80 point",
    "odd utf-16".encode("utf-16") + b"\x00"])
def test_broken_bytes_are_text_all_the_same(api, base, data):
    row = add_file(api, base, "x.txt", data)
    assert row["status"] == "completed", row
    doc = api.document(row["document_id"])
    text = api.text_of(doc["id"])
    for hit in api.search("good cut surrogate overlong high odd",
                          base)["results"]:
        place = hit["position"]
        assert text[place["start_char"]:place["end_char"]] == hit["content"]


def test_a_line_of_200_mb_is_bounded(start_server):
    server = start_server()
    base = server.api.make_base()
    row = memory_around(
        server, lambda: add_file(server.api, base, "line.txt",
                                 b"endless " * (25 << 20)))
    assert row["status"] == "failed"
    assert "32" in row["error_message"] or "limit" in row["error_message"]
    server.api.add_text(base, "after", "neighbour words")
    assert len(server.api.search("neighbour", base)["results"]) == 1


NESTED = {
    "quotes": b"> " * 1_000_000 + b"deep",
    "quotes without blanks": b">" * 1_000_000 + b"deep",
    "lists": b"- " * 1_000_000 + b"deep",
    "brackets": b"[" * 1_000_000 + b"deep",
    "links": b"[a](" * 500_000 + b"deep",
    "emphasis": b"*a _b " * 300_000 + b"deep",
    "code": b"`" * 1_000_000 + b"deep",
    "html": b"<b>" * 500_000 + b"deep",
    "fences": b"```\n" * 300_000 + b"deep",
    "indented lists": b"".join(b" " * (2 * (i % 500)) + b"- x\n"
                               for i in range(20000)),
    "headings": b"#" * 1_000_000 + b" deep",
    "table": b"|a" * 300_000 + b"|\n" + b"|-" * 300_000 + b"|\n",
}


@pytest.mark.parametrize("case", NESTED)
def test_nested_markdown_ends_in_time_and_memory(server, api, base, case):
    row = memory_around(
        server, lambda: add_file(api, base, "deep.md", NESTED[case]))
    assert row["status"] in ("completed", "failed")
    api.add_text(base, "after", "neighbour words")
    assert api.search("neighbour", base)["results"]


def test_a_long_document_is_found_at_its_end(api, base):
    text = b"".join(b"Paragraph %d about nothing much.\n\n" % i
                    for i in range(50000)) + b"The needle stands here."
    row = add_file(api, base, "long.txt", text)
    assert row["status"] == "completed", row
    hit = api.search("needle", base)["results"][0]
    assert "needle" in hit["content"]
    assert hit["position"]["start_char"] > 1_000_000


def test_many_small_documents_in_one_manifest(api, base):
    items = [{"type": "text", "title": f"t{i}", "content": f"tiny{i} words"}
             for i in range(2000)]
    answer = api.ingest(base, items)
    job = api.wait(answer.json()["ingestion_job_id"], 120)
    assert job["completed"] == 2000
    hit, = api.search("tiny1234", base)["results"]
    assert hit["document_title"] == "t1234"


def test_titles_may_hold_anything(api, base):
    for title in ("\u202etitle", "<script>alert(1)</script>", "a\u0000b",
                  "line\nbreak", "x" * 500):
        answer = api.ingest(base, [{"type": "text", "title": title,
                                    "content": f"words {hash(title)}"}])
        assert answer.status_code in (202, 422), title
        if answer.status_code == 202:
            api.wait(answer.json()["ingestion_job_id"])
            got = api.document(answer.json()["items"][0]["document_id"])
            assert got["title"] == title

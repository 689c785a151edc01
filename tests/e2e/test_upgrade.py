"""Data folders that former versions left are taken over as they are: every
released schema has one in tests/golden/store."""

import contextlib
import hashlib
import json
import sqlite3
import subprocess
import tarfile

import pytest
from conftest import K, KNOWD, ROOT, check_folder, poll
from hub import H, Hub, assert_error
from web import NET

GOLDEN = sorted((ROOT / "tests/golden/store").glob("*.tar.xz"))
WITH_HUB = [path for path in GOLDEN if path.name != "schema-1.tar.xz"]


def name_of(path):
    return path.name.split(".")[0]


def unpacked(golden, to):
    data = to / "data"
    data.mkdir(mode=0o700)
    with tarfile.open(golden) as tar:
        tar.extractall(data)
    return data


@pytest.fixture(params=GOLDEN, ids=name_of)
def folder(request, tmp_path):
    return unpacked(request.param, tmp_path)


@pytest.fixture(params=WITH_HUB, ids=name_of)
def with_hub(request, tmp_path):
    """A folder, and what its server told: keys, lists."""
    notes = request.param.with_name(name_of(request.param) + ".json")
    return unpacked(request.param, tmp_path), json.loads(notes.read_text())


def schema_of(path):
    """The header of SQLite's file says it."""
    return int.from_bytes(path.read_bytes()[60:64], "big")


def documents_in(path):
    with contextlib.closing(sqlite3.connect(f"file:{path}?immutable=1",
                                            uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return db.execute("SELECT hex(id), title, state FROM document"
                          " ORDER BY id").fetchall()


def picture(data):
    return {str(p.relative_to(data)): hashlib.sha256(p.read_bytes()).digest()
            for p in data.rglob("*") if p.is_file()}


def test_everything_in_it_is_there_after_the_upgrade(folder, start_server):
    server = start_server(data=folder)
    api = server.api
    base, = [b for b in api.pages(f"{K}/knowledge-bases")
             if b["name"] == "golden"]
    assert base["document_count"] == 4
    docs = {d["title"]: d for d in api.pages(
        f"{K}/knowledge-bases/{base['id']}/documents")}
    assert {t: d["state"] for t, d in docs.items()} == {
        "guide.md": "active", "long.md": "active", "Café": "active",
        "scan.pdf": "failed"}
    assert docs["guide.md"]["metadata"] == {"k": 1}
    assert docs["Café"]["external_id"] == "ext-1"
    assert docs["Café"]["version_number"] == 2

    # An index of another version is made anew after the start.
    def first(word):
        return poll(lambda: api.search(word, base["id"])["results"])[0]
    hit = first("drips")
    assert hit["document_id"] == docs["guide.md"]["id"]
    assert hit["location"]["headings"] == ["Guide", "Pumps"]
    assert "quokka" in first("quokka")["content"]
    assert first("noir")
    assert not api.search("vert", base["id"])["results"]
    assert api.text_of(docs["guide.md"]["id"]) == \
        "# Guide\n\n## Pumps\n\nThe pump drips in winter.\n"

    got = api.document(docs["guide.md"]["id"])["extraction"]
    assert got["outcome"] == "ok" and got["mime"] == "text/markdown"
    assert got["extractor_version"] >= 1 and got["flags"] == []

    assert server.stop() == 0
    assert check_folder(folder) == []


def test_what_schema_1_did_not_keep_is_unknown(tmp_path, start_server):
    folder = unpacked(GOLDEN[0], tmp_path)
    assert schema_of(folder / "knowd.db") == 1
    api = start_server(data=folder).api
    base, = api.pages(f"{K}/knowledge-bases")
    got = {d["title"]: api.document(d["id"])["extraction"]
           for d in api.pages(f"{K}/knowledge-bases/{base['id']}/documents")}
    assert got["guide.md"]["title"] is None
    assert got["scan.pdf"]["outcome"] == "unsupported"


def test_a_hub_is_what_it_was_after_the_upgrade(with_hub, start_server):
    folder, was = with_hub
    server = start_server(*NET, data=folder)
    hub = Hub(server.url, was["keys"]["admin"])
    for path, rows in was["told"].items():
        # Fields may have been added since.
        now = hub.list(f"{H}/{path}")
        assert [{k: row[k] for k in then}
                for row, then in zip(now, rows, strict=True)] == rows

    ids = {s["title"]: s["id"] for s in was["told"]["sources"]}
    folders = {f["name"]: f["id"] for f in was["told"]["folders"]}
    page, = was["told"]["pages"]
    # Exec's routes.
    got = hub.source(ids["Whimbrel"], include="content")
    assert "The whimbrel wades by night." in got["content"]
    assert [s["id"] for s in hub.sources(folder_id=folders["Waders"])] == \
        [ids["Whimbrel"]]
    got = hub.ok("GET", f"{H}/pages/{page['id']}", params={"include": "draft"})
    assert got["content"] == "A plover runs and stops.\n"
    assert got["draft"]["content"] == "A draft.\n"
    assert [s["id"] for s in got["sources"]] == [ids["Whimbrel"]]
    for word, title in (("whimbrel", "Whimbrel"), ("plover", "Plovers")):
        hits = poll(lambda word=word: hub.find(word))
        assert [h["source_id"] for h in hits] == [ids[title]]
    # Feather's.
    base = hub.base_of(ids["Whimbrel"])
    assert {d["id"]: d["state"] for d in hub.documents(base)} == {
        ids["Whimbrel"]: "active", ids["Plovers"]: "active",
        ids["Gone"]: "failed"}
    assert hub.search("bill", base)["results"][0]["document_id"] == \
        ids["Whimbrel"]
    assert "Its bill is long" in hub.text_of(ids["Whimbrel"])

    # The URL is known as before, and what is changed stays changed.
    url = hub.source(ids["Whimbrel"])["external_url"]
    assert hub.add_url(url, status=200)["id"] == ids["Whimbrel"]
    hub.ok("PATCH", f"{H}/pages/{page['id']}", json={"status": "published"})
    poll(lambda: hub.find("draft"))
    assert server.stop() == 0
    assert check_folder(folder) == []


def test_keys_open_what_they_opened_before_the_upgrade(with_hub, start_server):
    folder, was = with_hub
    server = start_server(data=folder)
    source = was["told"]["sources"][0]["id"]
    reader = Hub(server.url, was["keys"]["reader"])
    assert reader.source(source)["id"] == source
    assert_error(reader.post(f"{H}/folders", json={"name": "f"}), 403,
                 "authorization_error", "insufficient_scope")
    revoked = Hub(server.url, was["keys"]["revoked"])
    assert_error(revoked.get(f"{H}/sources"), 401, "authentication_error")
    # Another organization's.
    assert_error(Hub(server.url).get(f"{H}/sources/{source}"), 404,
                 "not_found")


def test_vectors_are_searched_after_the_upgrade(with_hub, start_server):
    folder, _ = with_hub
    server = start_server(data=folder)
    api = server.api
    base, = [b for b in api.pages(f"{K}/knowledge-bases")
             if b["name"] == "meaning"]
    assert base["embedding_model"] == "small"
    assert base["retrieval_alpha"] is None

    def titles(**more):
        got = api.ok("POST", "/knowd/v1/search", json={
            "query": "second", "kb_ids": [base["id"]], **more})
        return [h["document_title"] for h in got["results"]]
    poll(lambda: sorted(titles(legs="dense")) == ["one", "two"])
    poll(lambda: titles(legs="lexical") == ["two"])
    # And those of a text that came since stand beside them.
    api.add_text(base["id"], "three", "The third of three.")
    poll(lambda: sorted(titles(legs="dense")) == ["one", "three", "two"])
    assert server.stop() == 0
    assert check_folder(folder) == []


def test_the_former_database_is_kept_for_two_weeks(folder, start_server):
    day_ms = 24 * 3600 * 1000
    former = schema_of(folder / "knowd.db")
    documents = documents_in(folder / "knowd.db")
    start_server(data=folder).stop()
    assert schema_of(folder / "knowd.db") > former
    kept, = folder.glob("knowd.db.schema-*")
    assert kept.name == f"knowd.db.schema-{former}"
    assert schema_of(kept) == former
    assert documents_in(kept) == documents and len(documents) >= 4
    start_server(data=folder, env={
        "KNOWD_CLOCK_OFFSET_MS": str(13 * day_ms)}).stop()
    assert kept.exists()
    later = start_server(data=folder, env={
        "KNOWD_CLOCK_OFFSET_MS": str(15 * day_ms)})
    poll(lambda: not kept.exists())
    assert later.stop() == 0


def test_a_check_before_the_upgrade_changes_nothing(folder):
    before = picture(folder)
    done = subprocess.run([KNOWD, "check", "--data", folder],
                          capture_output=True, text=True)
    assert done.returncode in (0, 1)
    assert {k: v for k, v in picture(folder).items() if k in before} == before

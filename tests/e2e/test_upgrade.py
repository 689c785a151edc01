"""Data folders that former versions left are taken over as they are: every
released schema has one in tests/golden/store."""

import contextlib
import hashlib
import sqlite3
import subprocess
import tarfile

import pytest
from conftest import K, KNOWD, ROOT, check_folder, poll

GOLDEN = sorted((ROOT / "tests/golden/store").glob("*.tar.xz"))


@pytest.fixture(params=GOLDEN, ids=lambda p: p.name.split(".")[0])
def folder(request, tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with tarfile.open(request.param) as tar:
        tar.extractall(data)
    return data


def picture(data):
    return {str(p.relative_to(data)): hashlib.sha256(p.read_bytes()).digest()
            for p in data.rglob("*") if p.is_file()}


def test_everything_in_it_is_there_after_the_upgrade(folder, start_server):
    server = start_server(data=folder)
    api = server.api
    base, = api.pages(f"{K}/knowledge-bases")
    assert base["name"] == "golden" and base["document_count"] == 4
    docs = {d["title"]: d for d in api.pages(
        f"{K}/knowledge-bases/{base['id']}/documents")}
    assert {t: d["state"] for t, d in docs.items()} == {
        "guide.md": "active", "long.md": "active", "Café": "active",
        "scan.pdf": "failed"}
    assert docs["guide.md"]["metadata"] == {"k": 1}
    assert docs["Café"]["external_id"] == "ext-1"
    assert docs["Café"]["version_number"] == 2

    hit = api.search("drips", base["id"])["results"][0]
    assert hit["document_id"] == docs["guide.md"]["id"]
    assert hit["location"]["headings"] == ["Guide", "Pumps"]
    assert "quokka" in api.search("quokka", base["id"])["results"][0]["content"]
    assert api.search("noir", base["id"])["results"]
    assert not api.search("vert", base["id"])["results"]
    assert api.text_of(docs["guide.md"]["id"]) == \
        "# Guide\n\n## Pumps\n\nThe pump drips in winter.\n"

    # What was not kept then is unknown now.
    got = api.document(docs["guide.md"]["id"])["extraction"]
    assert got["outcome"] == "ok" and got["mime"] == "text/markdown"
    assert got["extractor_version"] >= 1
    assert got["title"] is None and got["flags"] == []
    assert api.document(docs["scan.pdf"]["id"])["extraction"]["outcome"] == \
        "unsupported"

    assert server.stop() == 0
    assert check_folder(folder) == []


def test_the_former_database_is_kept_for_two_weeks(folder, start_server):
    day_ms = 24 * 3600 * 1000
    start_server(data=folder).stop()
    kept, = folder.glob("knowd.db.schema-*")
    with contextlib.closing(sqlite3.connect(kept)) as db:
        former, = db.execute("PRAGMA user_version").fetchone()
        assert kept.name == f"knowd.db.schema-{former}"
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM document").fetchone() == (4,)
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

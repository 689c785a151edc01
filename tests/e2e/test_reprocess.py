"""Documents that an older extractor read, or could not read, are read again
from their originals; what there is of them is found meanwhile."""

import sqlite3

import pytest
from conftest import Cli, K, check_folder, poll

REPROCESS = "/knowd/v1/bases/{}/reprocess"
TEXT = "# Guide\n\nThe pump drips in winter.\n"


def age(data, where="1"):
    """What an older extractor would have left: the server is stopped."""
    db = sqlite3.connect(data / "knowd.db")
    db.execute(f"UPDATE version SET extractor_version = 0 WHERE {where}")
    db.commit()
    db.close()


@pytest.fixture
def old(start_server, tmp_path):
    """A server whose documents were read by an older one; their base."""
    server = start_server(data=tmp_path / "data")
    base = server.api.make_base(name="old")
    for i in range(5):
        server.api.add_text(base, f"d{i}", f"{TEXT}\nIt is number n{i}.\n")
    server.api.add(base, [{"type": "file", "file_index": 0}],
                   [("data.7z", b"7z\xbc\xaf\x27\x1c not read")],
                   status="failed")
    assert server.stop() == 0
    age(tmp_path / "data")
    return start_server(data=tmp_path / "data"), base


def test_old_documents_are_read_again_once(old):
    server, base = old
    api = server.api
    before = {d["id"]: d for d in api.pages(
        f"{K}/knowledge-bases/{base}/documents")}
    made = api.ok("POST", REPROCESS.format(base), 202, json={})
    assert made["queued"] == 6 and made["next_cursor"] is None
    job = api.wait(made["job_id"])
    assert job["job_type"] == "reprocess"
    assert job["status"] == "partial_failure"
    assert (job["completed"], job["failed"]) == (5, 1)
    listed = api.pages(f"{K}/knowledge-bases/{base}/ingestion-jobs")
    assert [j["job_type"] for j in listed[:1]] == ["reprocess"]

    after = {d["id"]: d for d in api.pages(
        f"{K}/knowledge-bases/{base}/documents")}
    for doc in before:
        for same in ("title", "state", "version_number", "version_count",
                     "active_version_id", "metadata"):
            assert after[doc][same] == before[doc][same]
        got = api.document(doc)["extraction"]
        assert got["extractor_version"] > 0
    for i in range(5):
        hit, = api.search(f"n{i}", base)["results"]
        assert hit["content"] == f"{TEXT}\nIt is number n{i}."
    # Nothing is old now; with `all` everything is read once more.
    again = api.ok("POST", REPROCESS.format(base), 202, json={})
    assert again == {"job_id": None, "queued": 0, "next_cursor": None}
    again = api.ok("POST", REPROCESS.format(base), 202, json={"all": True})
    assert again["queued"] == 6
    api.wait(again["job_id"])
    assert server.stop() == 0
    assert check_folder(server.data) == []


def test_the_command_waits_and_names_what_failed(old, tmp_path):
    server, _ = old
    cli = Cli(tmp_path, server.url)
    got = cli.json("reprocess", "--base", "old", status=1)
    assert got["queued"] == 6 and len(got["job_ids"]) == 1
    failed, = got["failed"]
    assert failed["title"] == "data.7z" and "7z" in failed["reason"]
    assert cli.json("reprocess", "--base", "old")["queued"] == 0
    shown = cli("reprocess", "--base", "old", "--all", status=1)
    assert "5 read again" in shown.stdout
    assert "failed data.7z: " in shown.stderr
    cli("reprocess", status=2)
    cli("reprocess", "--base", "no such base", status=3)


def test_a_kill_in_the_middle_repeats_what_was_not_done(old, start_server):
    server, base = old
    made = server.api.ok("POST", REPROCESS.format(base), 202,
                         json={"all": True})
    server.kill()
    again = start_server(data=server.data)
    assert again.api.wait(made["job_id"])["status"] == "partial_failure"
    for i in range(5):
        assert len(again.api.search(f"n{i}", base)["results"]) == 1
    poll(lambda: again.stop() == 0)
    assert check_folder(again.data) == []


def test_only_managers_may(server, base):
    reader = server.api.ok("POST", "/knowd/v1/keys", 201, json={
        "name": "r", "scopes": ["knowledge_bases:read"]})["key"]
    answer = server.api_with(reader).post(REPROCESS.format(base), json={})
    assert answer.status_code == 403
    assert server.api.post(REPROCESS.format(base),
                           json={"every": True}).status_code == 422
    assert server.api.post(REPROCESS.format(base),
                           json={"cursor": "zzz"}).status_code == 400

"""A full disk: reads, searches and deletes go on, ingest answers 507, writes
come back without a restart. On a small disk of its own, where one can be
mounted."""

import os
import re
import subprocess

import pytest

from conftest import K, check_folder, poll


def run(*command):
    return subprocess.run(command, capture_output=True).returncode == 0


def mount_tmpfs(folder, spare):
    return run("mount", "-t", "tmpfs", "-o", "size=24m", "knowd-test",
               str(folder))


def mount_ext4(folder, spare):
    image = spare / "disk.img"
    with open(image, "wb") as f:
        f.truncate(24 << 20)
    return (run("mkfs.ext4", "-q", "-m", "0", str(image))
            and run("mount", "-o", "loop", str(image), str(folder)))


def mount_few_inodes(folder, spare):
    return run("mount", "-t", "tmpfs", "-o", "size=64m,nr_inodes=48",
               "knowd-test", str(folder))


@pytest.fixture(params=[mount_tmpfs, mount_ext4, mount_few_inodes],
                ids=["tmpfs", "ext4", "inodes"])
def small_disk(request, tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if not request.param(folder, tmp_path):
        pytest.skip("a small disk can't be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def filler(i):
    """What does not compress, in a file of its own."""
    return f"filler{i} ".encode() + os.urandom(300 << 10).hex().encode()


def send(api, base, i):
    return api.ingest(base, [{"type": "file", "file_index": 0}],
                      [(f"f{i}.txt", filler(i))])


def fill(api, base):
    """Sends until it is refused; the refusal."""
    for i in range(400):
        answer = send(api, base, i)
        if answer.status_code != 202:
            return answer
        api.wait(answer.json()["ingestion_job_id"]) if i < 3 else None
    raise AssertionError("the disk was never full")


def test_a_full_disk_refuses_ingest_and_nothing_else(start_server, small_disk):
    server = start_server(data=small_disk / "d")
    api = server.api
    base = api.make_base()
    kept = api.add_text(base, "kept", "what was there before")

    refusal = fill(api, base)
    assert refusal.status_code == 507, refusal.text
    body = refusal.json()
    assert body["error"] == "insufficient_storage" and body["retryable"]
    assert int(refusal.headers["retry-after"]) >= 1
    assert re.search(r"\d+ bytes free, \d+ needed", body["message"])
    assert "deleting" in body["message"] and "search" in body["message"]
    request = refusal.headers["x-request-id"]
    line, = [ln for ln in server.log_text().splitlines() if request in ln]
    assert "status=507" in line and "rc=nospace" in line and "/ingest" in line

    assert api.document(kept)["state"] == "active"
    hits = api.search("what was there before", base)["results"]
    assert kept in [h["document_id"] for h in hits]
    docs = api.pages(f"{K}/knowledge-bases/{base}/documents", limit=200)
    for doc in docs:
        if doc["id"] != kept:
            assert api.delete(f"{K}/documents/{doc['id']}").status_code == 204
    again = poll(lambda: (r := send(api, base, 999)).status_code == 202 and r)
    assert api.wait(again.json()["ingestion_job_id"])["status"] == "completed"
    assert [h["document_id"] for h in api.search("filler999", base)["results"]]
    assert server.stop() == 0
    assert check_folder(small_disk / "d") == []

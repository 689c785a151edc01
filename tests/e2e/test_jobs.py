"""What becomes of what was added."""

import uuid

from conftest import K, UUID


def binary():
    return bytes(range(256)) * 40


def ingest_mixed(api, base):
    """One good document, one that can't be read as text."""
    answer = api.ingest(base, [
        {"type": "text", "title": "good", "content": "plain words"},
        {"type": "file", "file_index": 0, "title": "bad"}],
        [("bad.txt", binary())])
    assert answer.status_code == 202
    return answer.json()


def test_one_bad_document_fails_alone_with_a_plain_sentence(api, base):
    body = ingest_mixed(api, base)
    job = api.wait(body["ingestion_job_id"])
    assert job["status"] == "partial_failure"
    assert (job["completed"], job["failed"], job["progress_pct"]) == (1, 1, 100)
    rows = api.pages(f"{K}/ingestion-jobs/{job['id']}/documents")
    bad, = [r for r in rows if r["status"] == "failed"]
    assert bad["title"] == "bad"
    assert bad["error_message"] and not bad["error_message"].endswith(".")
    good, = [r for r in rows if r["status"] == "completed"]
    assert good["processing_stage"] == "done"
    doc = api.document(bad["document_id"])
    assert doc["state"] == "failed"
    versions = api.ok("GET", f"{K}/documents/{doc['id']}/versions")
    assert versions[0]["error_message"] == bad["error_message"]


def test_a_job_of_failures_only_is_failed(api, base):
    answer = api.ingest(base, [{"type": "file", "file_index": 0}],
                        [("bad.txt", binary())])
    job = api.wait(answer.json()["ingestion_job_id"])
    assert job["status"] == "failed"
    status = api.ok("GET", f"{K}/knowledge-bases/{base}/ingestion-status")
    assert status["failed"] == status["total"] == 1


def test_a_failed_upload_may_be_repeated(api, base):
    for _ in range(2):
        answer = api.ingest(base, [{"type": "file", "file_index": 0}],
                            [("bad.txt", binary())])
        assert answer.json()["items"][0]["result"] == "queued"
        api.wait(answer.json()["ingestion_job_id"])


def test_retry_queues_only_what_failed_under_the_same_id(api, base):
    body = ingest_mixed(api, base)
    job = api.wait(body["ingestion_job_id"])["id"]
    answer = api.post(f"{K}/ingestion-jobs/{job}/retry")
    assert answer.status_code == 202
    assert answer.json()["job_id"] == job
    after = api.wait(job)
    assert after["status"] == "partial_failure"
    assert (after["completed"], after["failed"]) == (1, 1)


def test_retry_of_what_did_not_fail_is_400(api, base):
    body = api.ingest(base, [{"type": "text", "title": "t",
                              "content": "fine"}]).json()
    api.wait(body["ingestion_job_id"])
    answer = api.post(f"{K}/ingestion-jobs/{body['ingestion_job_id']}/retry")
    assert answer.status_code == 400
    assert answer.json()["error"] == "job_not_retryable"


def test_jobs_are_listed_newest_first_and_by_status(api, base):
    jobs = []
    for i in range(3):
        body = api.ingest(base, [{"type": "text", "title": f"t{i}",
                                  "content": f"words {i}"}]).json()
        jobs.append(body["ingestion_job_id"])
        api.wait(jobs[-1])
    bad = ingest_mixed(api, base)["ingestion_job_id"]
    api.wait(bad)
    path = f"{K}/knowledge-bases/{base}/ingestion-jobs"
    rows = api.pages(path, limit=2)
    assert [r["id"] for r in rows] == [bad, *reversed(jobs)]
    assert {r["job_type"] for r in rows} == {"bulk"}
    assert [r["id"] for r in api.pages(path, status="partial_failure")] == [bad]
    assert api.pages(path, status="active") == []
    assert api.get(path, params={"status": "sleeping"}).status_code == 400


def test_logs_are_grouped_by_document_oldest_first(api, base):
    body = ingest_mixed(api, base)
    api.wait(body["ingestion_job_id"])
    groups = api.pages(f"{K}/ingestion-jobs/{body['ingestion_job_id']}/logs")
    assert len(groups) == 2
    for group in groups:
        assert group["logs"]
        times = [line["started_at"] for line in group["logs"]]
        assert times == sorted(times)
        for line in group["logs"]:
            assert UUID.fullmatch(line["id"])
            assert line["task_name"] and line["status"]


def test_an_unknown_job_is_404(api):
    for path in ("", "/documents", "/logs"):
        answer = api.get(f"{K}/ingestion-jobs/{uuid.uuid4()}{path}")
        assert answer.status_code == 404


def test_an_empty_document_fails_and_says_so(api, base):
    answer = api.ingest(base, [{"type": "file", "file_index": 0}],
                        [("empty.txt", b"")])
    assert answer.status_code == 202
    job = api.wait(answer.json()["ingestion_job_id"])
    assert job["status"] == "failed"

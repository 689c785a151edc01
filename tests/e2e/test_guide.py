"""The flow of Feather's ingestion guide: its own commands, pasted, and step by
step for text and Markdown."""

import json
import re
import subprocess

import httpx
import pytest
import pdfs
from conftest import K, TERMINAL, UUID, poll

MANUAL = b"""# Product Guide

## Accounts

### Resetting a password

To reset your password, visit the login page and click 'Forgot password'.
Enter your registered email address and follow the link sent to your inbox.

## Billing

Invoices are sent on the first of each month.
"""

# The guide's product-guide.pdf: a real PDF.
PRODUCT_GUIDE = pdfs.plain([
    [(20, "Product Guide"), "Feather answers your customers, by voice and by",
     "text, from what you have written down."],
    [(16, "Resetting a password"),
     "To reset your password, visit the login page and click",
     "'Forgot password'. Enter your registered email address and follow",
     "the link sent to your inbox."],
    [(16, "Billing"), "Invoices are sent on the first of each month."],
], title="Product Guide").bytes()


def test_a_file_and_a_text_are_uploaded_together_tracked_and_found(api, base):
    answer = api.ingest(base, [
        {"type": "text", "title": "FAQ",
         "content": "What is Feather? Feather is an AI-powered customer "
                    "experience platform."},
        {"type": "file", "file_index": 0, "title": "Product Guide"},
    ], [("product-guide.md", MANUAL)])
    assert answer.status_code == 202
    body = answer.json()
    assert UUID.fullmatch(body["ingestion_job_id"])
    assert [(i["manifest_index"], i["result"]) for i in body["items"]] == \
        [(0, "queued"), (1, "queued")]
    faq, guide = (i["document_id"] for i in body["items"])
    assert UUID.fullmatch(faq) and UUID.fullmatch(guide)

    job = api.wait(body["ingestion_job_id"])
    assert job["id"] == body["ingestion_job_id"]
    assert job["knowledge_base_id"] == base
    assert job["status"] == "completed"
    assert job["total_documents"] == job["completed"] == 2
    assert job["failed"] == 0
    assert job["progress_pct"] == 100

    status = api.ok("GET", f"{K}/knowledge-bases/{base}/ingestion-status")
    assert status == {"knowledge_base_id": base, "pending": 0,
                      "processing": 0, "active": 2, "draft": 0, "archived": 0,
                      "failed": 0, "quarantined": 0, "total": 2}

    found = api.search("How do I reset my password?", base, limit=5)
    assert found["ranking_mode"] == "global_score"
    assert found["total_results"] >= 1
    assert found["answerability"] is None
    hit = found["results"][0]
    assert hit["document_id"] == guide
    assert hit["kb_id"] == base
    assert hit["document_title"] == "Product Guide"
    assert hit["source_type"] == "file"
    assert "click 'Forgot password'" in hit["content"]
    assert isinstance(hit["chunk_index"], int)
    assert hit["location"]["headings"][:2] == ["Product Guide", "Accounts"]


def test_the_same_file_again_is_a_duplicate_that_names_the_first(api, base):
    first = api.add(base, [{"type": "file", "file_index": 0}],
                    [("a.md", MANUAL)])[0]
    answer = api.ingest(base, [{"type": "file", "file_index": 0,
                                "title": "Another title"}],
                        [("b.md", MANUAL)])
    assert answer.status_code == 202
    item = answer.json()["items"][0]
    assert item["result"] == "duplicate"
    assert item["document_id"] is None
    assert item["duplicate_of_document_id"] == first["document_id"]
    assert item["duplicate_of_document_title"] == "a.md"
    assert UUID.fullmatch(item["duplicate_of_version_id"])
    job = api.job(answer.json()["ingestion_job_id"])
    assert job["status"] == "duplicate"
    assert job["duplicate"] == 1


def test_a_duplicate_inside_one_manifest_points_at_the_earlier_item(api, base):
    items = api.add(base, [
        {"type": "text", "title": "one", "content": "the same words"},
        {"type": "text", "title": "two", "content": "the same words"}])
    assert [i["result"] for i in items] == ["queued", "duplicate"]
    assert items[1]["duplicate_of_document_id"] == items[0]["document_id"]


def test_the_edited_file_through_document_id_is_a_new_version(api, base):
    doc = api.add(base, [{"type": "file", "file_index": 0}],
                  [("a.md", MANUAL)])[0]["document_id"]
    item = api.add(base, [{"type": "file", "file_index": 0,
                           "document_id": doc}],
                   [("a.md", MANUAL.replace(b"first", b"second"))])[0]
    assert item["document_id"] == doc
    assert api.document(doc)["version_number"] == 2
    found = api.search("invoices sent", base)["results"]
    assert {h["document_id"] for h in found} == {doc}
    assert any("second of each month" in h["content"] for h in found)
    assert not any("first of each month" in h["content"] for h in found)


def test_the_key_is_taken_as_bearer_too(server, base):
    api = server.api_with(None)
    api.http.headers["authorization"] = "Bearer " + server.api.key
    assert api.get(f"{K}/knowledge-bases/{base}").status_code == 200


# ---- the guide's own commands ----

HOST = "https://api-sandbox.featherhq.com"
STEPS = {"ingest": "/ingest \\", "job": "/ingestion-jobs/", "search": "/search \\",
         "status": "/ingestion-status"}


def examples(text):
    """What the guide shows: step -> (command, answer)."""
    found = {}
    for match in re.finditer(r"^curl ", text, re.M):
        command, lines = "", iter(text[match.start():].split("\n"))
        for line in lines:
            command += line + "\n"
            if not line.endswith("\\") and command.count("'") % 2 == 0:
                break
        rest = text[match.start() + len(command):].lstrip()
        for step, sign in STEPS.items():
            if sign in command.split("\n")[0] and rest.startswith("{"):
                found.setdefault(step, (
                    command, json.JSONDecoder().raw_decode(rest)[0]))
    assert set(found) == set(STEPS)
    return found


def assert_like(got, shown, at=""):
    """Every field that is shown is answered, in its type."""
    if isinstance(shown, dict):
        assert isinstance(got, dict), at
        for key, value in shown.items():
            assert key in got, f"{at}.{key}"
            if key != "answerability":  # null: there is no gate
                assert_like(got[key], value, f"{at}.{key}")
    elif isinstance(shown, list):
        assert isinstance(got, list) and got, at
        for item in got:
            assert_like(item, shown[0], at + "[]")
    elif isinstance(shown, (int, float)):
        assert isinstance(got, (int, float)) and not isinstance(got, bool), at
    else:
        assert isinstance(got, type(shown)), f"{at}: {got!r}"


@pytest.fixture
def paste(server, shared, tmp_path):
    """Runs a command of the guide, changed only in host, key, ids, file."""
    shown = examples(
        (shared / "vendor/feather-ingestion-guide.md").read_text())

    def run(step, **ids):
        command, answer = shown[step]
        command = command.replace(HOST, server.url).replace(
            "curl ", "curl -sS --noproxy '*' ", 1)
        for kind, value in ids.items():
            command = re.sub(rf"{kind}_01[0-9a-z]+", value, command)
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True,
            cwd=tmp_path, timeout=60,
            env={"PATH": "/usr/bin:/bin", "FEATHER_API_KEY": server.api.key})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), answer
    return run


def test_the_commands_of_the_guide_work_as_pasted(api, base, paste, tmp_path):
    (tmp_path / "product-guide.pdf").write_bytes(PRODUCT_GUIDE)
    got, shown = paste("ingest", kb=base)
    assert_like(got, shown)
    assert [i["result"] for i in got["items"]] == ["queued", "queued"]
    guide = got["items"][1]["document_id"]

    def job_ended():
        job, shown = paste("job", job=got["ingestion_job_id"])
        assert_like(job, shown)
        assert job["status"] in TERMINAL | {"queued", "processing"}
        return job if job["status"] in TERMINAL else None
    job = poll(job_ended, every=0.1)
    assert (job["status"], job["completed"], job["failed"],
            job["progress_pct"]) == ("completed", 2, 0, 100)

    status, shown = paste("status", kb=base)
    assert_like(status, shown)
    assert status["active"] == status["total"] == 2

    found, shown = paste("search", kb=base)
    assert_like(found, shown)
    assert found["answerability"] is None
    assert found["ranking_mode"] == "global_score"
    best = found["results"][0]
    assert best["document_id"] == guide
    assert best["document_title"] == "Product Guide"
    assert best["source_type"] == "file"
    assert "click 'Forgot password'" in " ".join(best["content"].split())
    assert 0 < best["score"] <= 1
    # The passage begins with the first page: its three lines.
    assert best["location"]["page"] == 1
    left, top, right, bottom = best["location"]["box"]
    assert 70 < left < 75 and 70 < top < 80 and right < 595 and bottom < 150

    original = api.get(f"{K}/documents/{guide}").json()["download_url"]
    assert httpx.get(original).content == PRODUCT_GUIDE

"""Each kind of document, through a server that has read none before: what a
library does once at its first use must not meet the sandbox."""

import pathlib

import pytest
from conftest import K

GOLDEN = pathlib.Path(__file__).parent.parent / "golden" / "extract"
FILES = sorted(p for p in GOLDEN.iterdir() if p.suffix != ".expected")


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_the_first_document_of_a_server_is_read(start_server, path):
    server = start_server()
    base = server.api.make_base()
    answer = server.api.ingest(
        base, [{"type": "file", "file_index": 0}],
        [(path.name, path.read_bytes())])
    assert answer.status_code == 202
    job = answer.json()["ingestion_job_id"]
    server.api.wait(job)
    document, = server.api.get(f"{K}/ingestion-jobs/{job}/documents"
                               ).json()["items"]
    assert document["error_message"] is None
    assert document["status"] == "completed"

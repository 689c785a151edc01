"""Feather's routes against the vendor's own description of them."""

import json

import pytest

from conftest import K
from described import assert_as_described, built_part
from exclusions import EXCLUSIONS, LEFT_OUT, UNDESCRIBED


def real_ids(api):
    base = api.make_base()
    body = api.ingest(base, [{"type": "text", "title": "t",
                              "content": "some words"}]).json()
    api.wait(body["ingestion_job_id"])
    doc = body["items"][0]["document_id"]
    version = api.ok("GET", f"{K}/documents/{doc}/versions")[0]["id"]
    return {"kb_id": base, "doc_id": doc, "version_id": version,
            "ref": version, "job_id": body["ingestion_job_id"]}


@pytest.mark.parametrize("ids", ["random", "real"])
def test_the_routes_are_as_the_vendor_describes_them(start_server, shared,
                                                     tmp_path, ids):
    server = start_server()
    part = built_part(
        json.loads((shared / "vendor/feather-openapi.json").read_text()),
        "feather", "", UNDESCRIBED, LEFT_OUT)
    assert_as_described(tmp_path, server.url, part,
                        real_ids(server.api) if ids == "real" else {},
                        EXCLUSIONS)
    assert server.api.get("/healthz").status_code == 200

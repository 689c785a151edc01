"""A client written from Feather's published description alone finds nothing
that contradicts it: schemathesis over exactly the routes we built, once with
ids that are there and once with any."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from conftest import ADMIN_KEY, KNOWD, K
from exclusions import CHECKS

ALL_CHECKS = {
    "not_a_server_error", "status_code_conformance",
    "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection",
    "positive_data_acceptance", "missing_required_header",
    "unsupported_method", "allow_header_conformance", "ignored_auth"}


def built_routes():
    out = subprocess.run([KNOWD, "routes", "--json"], check=True,
                         capture_output=True).stdout
    return {(r["method"].lower(), r["path"])
            for r in json.loads(out)["routes"] if r["dialect"] == "feather"}


def subset(shared, tmp_path, drop=()):
    """The description with the built operations only."""
    description = json.loads(
        (shared / "vendor/feather-openapi.json").read_text())
    built, paths = built_routes(), {}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            if (method, path) in built and (method, path) not in drop:
                paths.setdefault(path, {})[method] = operation
    description["paths"] = paths
    file = tmp_path / "feather.json"
    file.write_text(json.dumps(description))
    return file, sum(len(o) for o in paths.values())


def run(server, description, tmp_path, seconds, seed, phases, config=""):
    (tmp_path / "schemathesis.toml").write_text(config)
    done = subprocess.run(
        [str(pathlib.Path(sys.executable).with_name("schemathesis")),
         "--config-file", str(tmp_path / "schemathesis.toml"),
         "run", str(description), "--url", server.url,
         "-H", f"x-api-key: {ADMIN_KEY}", "--phases",
         phases, "-n", "20", "--max-time", str(seconds),
         "--seed", str(seed), "--continue-on-failure", "--generation-database",
         "none", "--checks", ",".join(sorted(ALL_CHECKS - CHECKS))],
        capture_output=True, text=True, timeout=seconds + 240, cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_every_route_keeps_the_description_with_any_ids(server, shared,
                                                        tmp_path):
    description, count = subset(shared, tmp_path)
    assert count >= 28
    out = run(server, description, tmp_path, 40, 1,
              "examples,coverage,fuzzing")
    assert f"{count}/{count}" in out, out[-3000:]


def test_reading_routes_keep_the_description_with_ids_that_are_there(
        server, shared, tmp_path):
    api = server.api
    base = api.make_base()
    doc = api.add_text(base, "Copper", "# Copper\n\nCopper conducts.\n")
    job = api.ok("GET", f"{K}/knowledge-bases/{base}/ingestion-jobs")
    version = api.ok("GET", f"{K}/documents/{doc}/versions")[0]["id"]
    ids = {"kb_id": base, "doc_id": doc, "job_id": job["items"][0]["id"],
           "version_id": version, "ref": version}
    deletes = {(m, p) for m, p in built_routes() if m == "delete"}
    description, _ = subset(shared, tmp_path, deletes)
    config = "[parameters]\n" + "".join(
        f'"path.{name}" = "{value}"\n' for name, value in ids.items())
    # Not the coverage phase: it also sends the methods left out, and DELETE
    # would take away what the other routes are asked about.
    run(server, description, tmp_path, 30, 2, "examples,fuzzing", config)
    assert api.search("copper", base)["results"], "it is still there"

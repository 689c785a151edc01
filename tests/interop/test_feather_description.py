"""The built routes against the vendor's own description of them."""

import json
import os
import subprocess
import sysconfig

import pytest

from conftest import ADMIN_KEY, K, KNOWD, clean_env
from exclusions import EXCLUSIONS, LEFT_OUT, UNDESCRIBED

SEED = 1
EXAMPLES = 25  # of each operation and phase; with the phases bounds the time


def built_part(description):
    """The description with exactly the routes that this version has."""
    routes = json.loads(subprocess.run(
        [KNOWD, "routes", "--json"], capture_output=True, check=True,
        env=clean_env()).stdout)["routes"]
    built = {(r["path"], r["method"].lower()) for r in routes
             if r["dialect"] == "feather"}
    built -= {(path, method.lower()) for method, path, _ in UNDESCRIBED}
    left_out = {name for name, _ in LEFT_OUT}
    paths, covered = {}, set()
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            if (path, method) not in built:
                continue
            operation["parameters"] = [
                p for p in operation.get("parameters", [])
                if p.get("name") not in left_out]
            paths.setdefault(path, {})[method] = operation
            covered.add((path, method))
    assert covered == built, built - covered
    return {**description, "paths": paths}


def config(parameters):
    lines = ["[generation]", "allow-x00 = false", "", "[parameters]"]
    lines += [f'"path.{name}" = "{value}"'
              for name, value in parameters.items()]
    for method, path, checks, _ in EXCLUSIONS:
        lines += ["", "[[operations]]", f'include-path = "{path}"']
        if method != "*":
            lines.append(f'include-method = "{method}"')
        lines += [f"checks.{check}.enabled = false" for check in checks]
    return "\n".join(lines) + "\n"


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
    description = json.loads(
        (shared / "vendor/feather-openapi.json").read_text())
    (tmp_path / "part.json").write_text(json.dumps(built_part(description)))
    (tmp_path / "schemathesis.toml").write_text(
        config(real_ids(server.api) if ids == "real" else {}))
    command = [
        os.path.join(sysconfig.get_path("scripts"), "schemathesis"),
        "--config-file", "schemathesis.toml", "run", "part.json",
        "--url", server.url, "-H", f"x-api-key: {ADMIN_KEY}",
        "--phases", "examples,coverage,fuzzing",
        "-n", str(EXAMPLES), "--seed", str(SEED), "--no-shrink",
        "--continue-on-failure", "--suppress-health-check", "all",
        "--generation-database", "none", "--request-timeout", "20",
        "--warnings", "off"]
    if ids == "real":
        # What is deleted would be missing for the rest.
        command += ["--exclude-method", "DELETE"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True,
                          text=True, timeout=300,
                          env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert server.api.get("/healthz").status_code == 200



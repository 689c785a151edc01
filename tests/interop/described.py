"""The built routes of a dialect against its vendor's own description: what
schemathesis is told, and how it is run."""

import json
import os
import subprocess
import sysconfig

from conftest import ADMIN_KEY, KNOWD, clean_env
from exclusions import CONFIGURED, RUN, RUN_WITH_REAL_IDS

SEED = 1
EXAMPLES = 25  # of each operation and phase; with the phases bounds the time


def built_part(description, dialect, prefix, undescribed, left_out):
    """The description with exactly the routes that this version has; its paths
    come after `prefix`."""
    routes = json.loads(subprocess.run(
        [KNOWD, "routes", "--json"], capture_output=True, check=True,
        env=clean_env()).stdout)["routes"]
    built = {(r["path"], r["method"].lower()) for r in routes
             if r["dialect"] == dialect}
    built -= {(path, method.lower()) for method, path, _ in undescribed}
    built = {(path.removeprefix(prefix), method) for path, method in built}
    assert built, f"no routes of {dialect}"
    dropped = {name for name, _ in left_out}
    paths, covered = {}, set()
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            if (path, method) not in built:
                continue
            operation["parameters"] = [
                p for p in operation.get("parameters", [])
                if p.get("name") not in dropped]
            paths.setdefault(path, {})[method] = operation
            covered.add((path, method))
    assert covered == built, built - covered
    return {**description, "paths": paths}


def config(parameters, exclusions):
    lines = ["[generation]", *(setting for setting, _ in CONFIGURED), "",
             "[parameters]"]
    lines += [f'"path.{name}" = "{value}"'
              for name, value in parameters.items()]
    for method, path, checks, _ in exclusions:
        lines += ["", "[[operations]]", f'include-path = "{path}"']
        if method != "*":
            lines.append(f'include-method = "{method}"')
        lines += [f"checks.{check}.enabled = false" for check in checks]
    return "\n".join(lines) + "\n"


def assert_as_described(folder, url, part, parameters, exclusions,
                        header=f"x-api-key: {ADMIN_KEY}"):
    """Parameters: what real ids there are; none: random ones."""
    (folder / "part.json").write_text(json.dumps(part))
    (folder / "schemathesis.toml").write_text(config(parameters, exclusions))
    command = [
        os.path.join(sysconfig.get_path("scripts"), "schemathesis"),
        "--config-file", "schemathesis.toml", "run", "part.json",
        "--url", url, "-H", header,
        "-n", str(EXAMPLES), "--seed", str(SEED), "--no-shrink",
        "--continue-on-failure", "--generation-database", "none", "--request-timeout", "20",
        "--warnings", "off"]
    for options, _ in RUN + (RUN_WITH_REAL_IDS if parameters else []):
        command += options
    done = subprocess.run(command, cwd=folder, capture_output=True,
                          text=True, timeout=300,
                          env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout[-9000:] + done.stderr[-2000:]

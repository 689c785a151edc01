"""Exec's routes in /openapi.json against the vendor's own description."""

import pytest
import yaml

from exclusions import EXEC_STRICTER

PREFIXES = ("/workspace", "/knowledge-hub/")


@pytest.fixture(scope="module")
def vendor(shared):
    return yaml.safe_load((shared / "vendor/exec-openapi.yml").read_text())


@pytest.fixture(scope="module")
def ours(server):
    return server.api.ok("GET", "/openapi.json")


def operations(description, root=""):
    for path, methods in description["paths"].items():
        if path.startswith(tuple(root + p for p in PREFIXES)):
            for method, operation in methods.items():
                yield path.removeprefix(root), method, operation


def resolved(description, schema):
    """A schema as one object: references followed, parts of allOf joined."""
    while "$ref" in schema:
        found = description
        for name in schema["$ref"].split("/")[1:]:
            found = found[name]
        schema = found
    if "anyOf" in schema:  # ours: or null
        return resolved(description, schema["anyOf"][0])
    joined = {**schema, "properties": dict(schema.get("properties", {}))}
    for part in schema.get("allOf", []):
        part = resolved(description, part)
        joined["type"] = part["type"]
        joined["properties"].update(part["properties"])
    return joined


def compare(vendor, ours, theirs, mine, where):
    theirs, mine = resolved(vendor, theirs), resolved(ours, mine)
    assert mine["type"] == theirs["type"], where
    if "enum" in theirs:
        assert mine["enum"] == theirs["enum"], where
    for name, schema in theirs["properties"].items():
        assert name in mine["properties"], (where, name)
        compare(vendor, ours, schema, mine["properties"][name],
                (*where, name))
    if theirs["type"] == "array":
        compare(vendor, ours, theirs["items"], mine["items"], where)


def json_schema(part):
    return part["content"]["application/json"]["schema"]


def test_every_operation_is_there_under_its_name_and_chapter(vendor, ours):
    mine = {(path, method): operation for path, method, operation
            in operations(ours, "/rest/v1")}
    wanted = list(operations(vendor))
    assert len(wanted) == 3 + 13
    for path, method, operation in wanted:
        got = mine[path, method]
        assert got["operationId"] == operation["operationId"]
        assert got["tags"] == operation["tags"]
        names = {(p["in"], p["name"]) for p in operation.get("parameters", [])}
        assert names <= {(p["in"], p["name"]) for p in got["parameters"]}


def test_answers_and_bodies_have_every_field_the_vendor_names(vendor, ours):
    mine = {o["operationId"]: o for _, _, o in operations(ours, "/rest/v1")}
    stricter = {name: fields for name, fields, _ in EXEC_STRICTER}
    assert set(stricter) <= set(mine)
    for _, _, operation in operations(vendor):
        name = operation["operationId"]
        for status, answer in operation["responses"].items():
            if not status.startswith("2"):
                continue
            compare(vendor, ours, json_schema(answer),
                    json_schema(mine[name]["responses"][status]), (name,))
        if "requestBody" not in operation:
            continue
        theirs = json_schema(operation["requestBody"])
        body = json_schema(mine[name]["requestBody"])
        compare(vendor, ours, theirs, body, (name, "body"))
        assert set(resolved(ours, body)["required"]) == \
            set(theirs.get("required", [])) | stricter.get(name, set())

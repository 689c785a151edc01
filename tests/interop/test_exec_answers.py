"""What Exec's routes answer, against the vendor's own description."""

import pytest
import yaml

from conftest import ADMIN_KEY, K
from described import assert_as_described, built_part
from exclusions import (EXEC_BOUNDED, EXEC_EXCLUSIONS, EXEC_LEFT_OUT,
                        EXEC_UNDESCRIBED)
from hub import Hub, R
from web import NET, Web, html


def nullable(part):
    """`nullable` beside a $ref, said so that it counts: what stands beside a
    $ref is not looked at, but the vendor does mean that it may be null."""
    found = [part]
    while found:
        one = found.pop()
        if isinstance(one, dict):
            if "$ref" in one and one.pop("nullable", False):
                one["allOf"] = [{"$ref": one.pop("$ref")}]
                one["nullable"] = True
            found += one.values()
        elif isinstance(one, list):
            found += one
    return part


def bounded(part):
    bounds = {name: value for name, value, _ in EXEC_BOUNDED}
    for operations in part["paths"].values():
        for operation in operations.values():
            for parameter in operation["parameters"]:
                if parameter.get("name") in bounds:
                    parameter["schema"]["maximum"] = bounds[parameter["name"]]
    return part


def real_ids(hub, web):
    """One of everything, with what it may have filled in."""
    web.pages["/page"] = html("Page", "Some words about pages.")
    folder = hub.make_folder("f", emoji="💼")["id"]
    source = hub.ready(hub.add_url(web.url("/page"),
                                   folder_ids=[folder])["id"])["id"]
    hub.add_text(hub.base_of(source), "a note", "words of a note")
    page = hub.make_page("p", content="words", status="published",
                         folder_ids=[folder], source_ids=[source])["id"]
    hub.ok("PATCH", f"{R}/knowledge-hub/pages/{page}",
           json={"content": "a draft"})
    return {"folder_id": folder, "source_id": source, "page_id": page}


@pytest.mark.parametrize("ids", ["random", "real"])
def test_answers_are_as_the_vendor_describes_them(start_server, shared,
                                                     tmp_path, ids):
    server = start_server(*NET)
    hub = Hub(server.url)
    web = Web()
    part = nullable(bounded(built_part(
        yaml.safe_load((shared / "vendor/exec-openapi.yml").read_text()),
        "exec", R, EXEC_UNDESCRIBED, EXEC_LEFT_OUT)))
    assert_as_described(tmp_path, server.url + R, part,
                        real_ids(hub, web) if ids == "real" else {},
                        EXEC_EXCLUSIONS,
                        header=f"Authorization: Bearer {ADMIN_KEY}")
    assert hub.get("/healthz").status_code == 200
    assert hub.get(f"{K}/knowledge-bases").status_code == 200
    web.close()

"""Every route x principal x {own, foreign, missing}, generated from the route
table itself (`knowd routes --json`)."""

import datetime
import json
import re
import subprocess
import uuid

import httpx
import pytest

from conftest import K, KNOWD, clean_env, poll

ROUTES = json.loads(subprocess.run(
    [KNOWD, "routes", "--json"], capture_output=True, check=True,
    env=clean_env()).stdout)["routes"]
SCOPES = {"read": {"knowledge_bases:read"},
          "manage": {"knowledge_bases:read", "knowledge_bases:manage"},
          "org": {"knowledge_bases:read", "knowledge_bases:manage",
                  "org:manage"}}
HUB = "/rest/v1/knowledge-hub"
OPEN = ("open", "local")  # no key, or none on a loopback listener
# What a body must hold to get past validation.
BODIES = {
    f"POST {K}/knowledge-bases": {"name": "made"},
    f"PUT {K}/knowledge-bases/{{kb_id}}": {"description": "d"},
    f"PATCH {K}/documents/{{doc_id}}": {"metadata": {}},
    f"POST {K}/documents/{{doc_id}}/promote": lambda i: {
        "version_id": i["version_id"]},
    f"POST {K}/documents/{{doc_id}}/versions/{{version_id}}/release": {
        "reason": "looked at"},
    f"POST {K}/search": lambda i: {"query": "canary", "kb_ids": [i["kb_id"]]},
    "POST /knowd/v1/search": lambda i: {"query": "canary",
                                        "kb_ids": [i["kb_id"]]},
    "POST /v1/identity/api-keys": {"name": "made"},
    "POST /knowd/v1/keys": {"name": "made"},
    "POST /knowd/v1/bases/{kb_id}/reprocess": {},
    "POST /knowd/v1/bases/{kb_id}/model": {"model": "none"},
    "POST /knowd/v1/bases/{kb_id}/urls": {
        "urls": [{"url": "https://made.invalid/"}]},
    f"POST {HUB}/sources": lambda i: {
        "type": "url", "title": "made",
        "url": f"https://made.invalid/{uuid.uuid4().hex}"},
    f"PATCH {HUB}/sources/{{source_id}}": {"cover": "made"},
    f"POST {HUB}/folders": {"name": "made"},
    f"PATCH {HUB}/folders/{{folder_id}}": {"emoji": "*"},
    f"POST {HUB}/pages": {"title": "made", "content": "more"},
    f"PATCH {HUB}/pages/{{page_id}}": {"content": "changed"},
    f"PUT {HUB}/pages/{{page_id}}": {"content": "changed again"},
    f"POST {HUB}/search": {"query": "canary"},
}
CANARY = "canaryxyzzy"
# What belongs to the server as a whole, not to an organization.
SHARED = ("/knowd/v1/models",)


def needs(route):
    assert route["access"] in (*OPEN, "key", "read", "manage", "org"), route
    return {route["scope"]} if route["scope"] else set()


def name_of(route):
    return f"{route['method']} {route['path']}"


class World:
    """A tenant with one of everything."""

    def __init__(self, api, canary):
        self.api = api
        base = api.make_base(name=f"base {canary}")
        body = api.ingest(base, [{"type": "text", "title": f"title {canary}",
                                  "content": f"canary words {canary}",
                                  "metadata": {"c": canary}}]).json()
        job = api.wait(body["ingestion_job_id"])
        doc = body["items"][0]["document_id"]
        version = api.ok("GET", f"{K}/documents/{doc}/versions")[0]["id"]
        key = api.ok("POST", "/v1/identity/api-keys", 201,
                     json={"name": f"key {canary}",
                           "scopes": ["knowledge_bases:read"]})["id"]
        self.ids = {"kb_id": base, "doc_id": doc, "job_id": job["id"],
                    "version_id": version, "ref": version, "key_id": key,
                    **self.hub(canary)}

    def hub(self, canary):
        """Its library: a folder, with a page and a source in it."""
        def make(what, body):
            return self.api.ok("POST", f"{HUB}/{what}", 201, json=body)["id"]
        folder = make("folders", {"name": f"folder {canary}"})
        return {
            "folder_id": folder,
            "source_id": make("sources", {
                "type": "url", "title": f"source {canary}",
                "url": f"https://{canary}.invalid/",
                "folder_ids": [folder]}),
            "page_id": make("pages", {
                "title": f"page {canary}", "folder_ids": [folder],
                "content": f"canary words {canary}",
                "status": "published"})}


@pytest.fixture(scope="module")
def worlds(server):
    first = server.api
    made = first.ok("POST", "/knowd/v1/keys", 201, json={
        "name": "other", "tenant": "other-" + uuid.uuid4().hex[:6]})
    other = server.api_with(made["key"])
    return World(first, "own" + CANARY), World(other, "foreign" + CANARY)


@pytest.fixture(scope="module")
def principals(server, worlds):
    """name -> (key, scopes it has or None where the key counts for nothing)"""
    api = server.api

    def key(*scopes):
        return api.ok("POST", "/v1/identity/api-keys", 201, json={
            "name": "p", "scopes": list(scopes)})
    revoked = key("org:manage")
    api.delete(f"/v1/identity/api-keys/{revoked['id']}")
    soon = datetime.datetime.now(datetime.timezone.utc) + \
        datetime.timedelta(seconds=3)
    expired = api.ok("POST", "/v1/identity/api-keys", 201, json={
        "name": "old", "expires_at": soon.isoformat(timespec="milliseconds")})
    with_it = server.api_with(expired["plain_text_key"])
    poll(lambda: with_it.get("/v1/identity/whoami").status_code == 401)
    return {
        "none": (None, None),
        "malformed": ("not-a-key", None),
        "expired": (expired["plain_text_key"], None),
        "revoked": (revoked["plain_text_key"], None),
        "read-only": (key(*SCOPES["read"])["plain_text_key"],
                      SCOPES["read"]),
        "manager": (key(*SCOPES["manage"])["plain_text_key"],
                    SCOPES["manage"]),
        "admin": (api.key, SCOPES["org"]),
    }


def params_of(route):
    return re.findall(r"\{(\w+)\}", route["path"])


def call(server, route, key, ids):
    path = route["path"]
    for name in params_of(route):
        path = path.replace("{%s}" % name, ids.get(name, "x"))
    more = {}
    body = BODIES.get(name_of(route))
    if body is not None:
        more["json"] = body(ids) if callable(body) else body
    elif route["body"] == "multipart":
        more["files"] = [("manifest", (None, json.dumps(
            [{"type": "text", "title": "t",
              "content": "more " + uuid.uuid4().hex}])))]
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        headers = {"x-api-key": key} if key else {}
        return http.request(route["method"], path, headers=headers, **more)


def missing_ids():
    return {name: str(uuid.uuid4()) for name in
            ("kb_id", "doc_id", "job_id", "version_id", "ref", "key_id",
             "source_id", "folder_id", "page_id")}


def without(ids, text):
    """Exec names the id it was asked for: all are as long as one another."""
    for some in ids.values():
        text = text.replace(some, "ID")
    return text


def test_every_route_states_who_may_call_it():
    assert len(ROUTES) > 20
    for route in ROUTES:
        assert route["path"].startswith("/")
        assert needs(route) <= SCOPES["org"]
        # What an id names is never open to every key.
        assert needs(route) or not params_of(route) or \
            route["access"] in OPEN


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_keys_that_count_for_nothing_get_401(server, worlds, principals,
                                             route):
    for name in ("none", "malformed", "expired", "revoked"):
        key, _ = principals[name]
        for ids in (worlds[0].ids, worlds[1].ids, missing_ids()):
            answer = call(server, route, key, ids)
            # On loopback /metrics needs no key, but one that is sent must
            # be good.
            asks = route["access"] == "local" and name != "none"
            if route["access"] in OPEN and not asks:
                assert answer.status_code != 401, (name, answer.text)
            else:
                assert answer.status_code == 401, (name, answer.text)
            assert CANARY not in answer.text


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_keys_without_the_scope_get_403_whatever_the_id(
        server, worlds, principals, route):
    for name in ("read-only", "manager"):
        key, scopes = principals[name]
        if needs(route) <= scopes:
            continue
        for ids in (worlds[0].ids, worlds[1].ids, missing_ids()):
            answer = call(server, route, key, ids)
            assert answer.status_code == 403, (name, answer.text)
            assert CANARY not in answer.text


@pytest.mark.parametrize("route", [r for r in ROUTES if params_of(r)
                                   and r["access"] not in OPEN
                                   and not r["path"].startswith(SHARED)],
                         ids=name_of)
def test_foreign_and_missing_answer_the_same_bytes(server, worlds, principals,
                                                   route):
    own, foreign = worlds
    key = principals["admin"][0]
    a = call(server, route, key, foreign.ids)
    missing = missing_ids()
    b = call(server, route, key, missing)
    assert a.status_code == b.status_code == 404, (a.text, b.text)
    drop = {"date", "x-request-id"}
    if route["dialect"] == "exec":
        assert without(foreign.ids, a.text) == without(missing, b.text)
        assert a.json()["error"]["type"] == "not_found"
    else:
        for name in params_of(route):
            assert foreign.ids.get(name, "?") not in a.text
        assert a.content == b.content
    assert CANARY not in a.text
    assert {k: v for k, v in a.headers.items() if k not in drop} == \
        {k: v for k, v in b.headers.items() if k not in drop}
    # Nothing happened to what the other tenant has.
    for path in (f"{K}/knowledge-bases/{foreign.ids['kb_id']}",
                 f"{K}/documents/{foreign.ids['doc_id']}",
                 f"{HUB}/sources/{foreign.ids['source_id']}",
                 f"{HUB}/folders/{foreign.ids['folder_id']}",
                 f"{HUB}/pages/{foreign.ids['page_id']}"):
        assert foreign.api.get(path).status_code == 200


@pytest.mark.parametrize("route", [r for r in ROUTES if r["method"] == "GET"
                                   and r["access"] not in OPEN],
                         ids=name_of)
def test_no_answer_holds_a_foreign_canary(server, worlds, principals, route):
    own, foreign = worlds
    for name in ("read-only", "manager", "admin"):
        key, scopes = principals[name]
        if not needs(route) <= scopes:
            continue
        answer = call(server, route, key, own.ids)
        assert answer.status_code == 200, answer.text
        assert "foreign" + CANARY not in answer.text


@pytest.mark.parametrize("route", [r for r in ROUTES
                                   if r["method"] != "DELETE"
                                   and r["access"] not in OPEN],
                         ids=name_of)
def test_own_things_are_served_to_those_with_the_scope(
        server, worlds, principals, route):
    own, _ = worlds
    for name in ("read-only", "manager", "admin"):
        key, scopes = principals[name]
        if needs(route) <= scopes:
            answer = call(server, route, key, own.ids)
            # A refusal for another reason than who asks (a job that can't be
            # retried) is fine.
            assert answer.status_code in (200, 201, 202, 204, 400), \
                (name, answer.text)


def test_deleting_foreign_things_does_nothing_deleting_own_does(server,
                                                                principals):
    api = server.api
    fresh = World(api, "gone")
    order = ["key_id", "version_id", "doc_id", "kb_id", "source_id",
             "page_id", "folder_id"]
    deletes = sorted((r for r in ROUTES if r["method"] == "DELETE"
                      and not r["path"].startswith(SHARED)),
                     key=lambda r: order.index(params_of(r)[-1]))
    for route in deletes:
        answer = call(server, route, api.key, fresh.ids)
        # The only version is active: deleting it is refused.
        assert answer.status_code in (
            (400,) if "version_id" in params_of(route) else (200, 204)), \
            (name_of(route), answer.text)


@pytest.mark.parametrize("route", [r for r in ROUTES if params_of(r)
                                   and r["path"].startswith(SHARED)],
                         ids=name_of)
def test_what_all_share_is_the_first_organizations_to_change(server, worlds,
                                                             route):
    answer = call(server, route, worlds[1].api.key, worlds[1].ids)
    assert answer.status_code == 403, answer.text
    answer = call(server, route, worlds[0].api.key, worlds[0].ids)
    assert answer.status_code in (400, 404), answer.text

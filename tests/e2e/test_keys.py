"""API keys, scopes and tenants."""

import concurrent.futures
import datetime
import uuid

import pytest

from conftest import ADMIN_KEY, K

KEYS = "/v1/identity/api-keys"


def make_key(api, **fields):
    fields.setdefault("name", "k-" + uuid.uuid4().hex[:8])
    return api.ok("POST", KEYS, 201, json=fields)


def in_an_hour():
    at = datetime.datetime.now(datetime.timezone.utc) + \
        datetime.timedelta(hours=1)
    return at.isoformat(timespec="milliseconds")


@pytest.fixture
def tenant(server, api):
    """The api of an admin key of another tenant."""
    made = api.ok("POST", "/knowd/v1/keys", 201, json={
        "name": "admin", "tenant": "tenant-" + uuid.uuid4().hex[:8]})
    other = server.api_with(made["key"])
    yield other
    other.close()


def test_a_new_key_is_shown_once_and_works(server, api):
    made = make_key(api)
    text = made["plain_text_key"]
    assert text.startswith(made["key_prefix"])
    assert len(text) >= 40 + len("fth_live_") - 9
    assert server.api_with(text).get(f"{K}/knowledge-bases").status_code == 200
    listed = {k["id"]: k for k in api.ok("GET", KEYS)}
    assert "plain_text_key" not in listed[made["id"]]
    assert text not in api.get(KEYS).text
    assert text not in server.log_text()


def test_a_revoked_key_is_refused_by_the_next_request(server, api):
    made = make_key(api)
    user = server.api_with(made["plain_text_key"])
    assert user.get(f"{K}/knowledge-bases").status_code == 200
    assert api.delete(f"{KEYS}/{made['id']}").status_code == 204
    assert user.get(f"{K}/knowledge-bases").status_code == 401


def test_an_expired_key_is_refused(start_server, tmp_path):
    server = start_server(data=tmp_path / "d")
    key = make_key(server.api, expires_at=in_an_hour())["plain_text_key"]
    assert server.api_with(key).get(f"{K}/config").status_code == 200
    assert server.stop() == 0
    later = start_server(data=tmp_path / "d",
                         env={"KNOWD_CLOCK_OFFSET_MS": "3600001"})
    assert later.api.get(f"{K}/config").status_code == 200
    assert later.api_with(key).get(f"{K}/config").status_code == 401


@pytest.mark.parametrize("headers", [
    {}, {"x-api-key": ""}, {"x-api-key": "wrong"},
    {"x-api-key": ADMIN_KEY + "x"}, {"x-api-key": ADMIN_KEY[:-1]},
    {"authorization": "Bearer wrong"}, {"authorization": ADMIN_KEY},
    {"authorization": "Basic " + ADMIN_KEY},
    {"x-api-key": ADMIN_KEY, "authorization": "Bearer other"}])
def test_without_a_valid_key_it_is_401(server, headers):
    anonymous = server.api_with(None)
    answer = anonymous.get(f"{K}/knowledge-bases", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"] == "authentication_required"
    assert ADMIN_KEY not in answer.text


def test_reading_keys_read_and_change_nothing(server, api, base):
    made = make_key(api, scopes=["knowledge_bases:read"])
    reader = server.api_with(made["plain_text_key"])
    doc = api.add_text(base, "t", "words to read")
    assert reader.get(f"{K}/documents/{doc}").status_code == 200
    assert len(reader.search("words", base)["results"]) == 1
    for answer in (reader.post(f"{K}/knowledge-bases", json={"name": "x"}),
                   reader.ingest(base, [{"type": "text", "title": "t",
                                         "content": "c"}]),
                   reader.delete(f"{K}/documents/{doc}"),
                   reader.get(KEYS),
                   reader.post(KEYS, json={"name": "x"})):
        assert answer.status_code == 403, answer.request.url
        assert answer.json()["error"] == "forbidden"
    assert api.get(f"{K}/documents/{doc}").status_code == 200


def test_managing_keys_change_bases_and_no_keys(server, api):
    made = make_key(api, scopes=["knowledge_bases:read",
                                 "knowledge_bases:manage"])
    manager = server.api_with(made["plain_text_key"])
    base = manager.make_base()
    manager.add_text(base, "t", "managed words")
    assert manager.get(KEYS).status_code == 403


def test_no_key_grants_more_than_it_has(server, api):
    made = make_key(api, scopes=["knowledge_bases:read"])
    reader = server.api_with(made["plain_text_key"])
    assert reader.post(KEYS, json={"name": "x", "scopes": ["org:manage"]}) \
        .status_code == 403


def test_an_unknown_scope_is_refused(api):
    answer = api.post(KEYS, json={"name": "x", "scopes": ["everything"]})
    assert answer.status_code in (400, 422)


def test_whoami_names_the_tenant(api, tenant):
    own = api.ok("GET", "/v1/identity/whoami")
    other = tenant.ok("GET", "/v1/identity/whoami")
    assert own["organization_id"] != other["organization_id"]
    assert own["kb_acl_enabled"] is False or own["kb_acl_enabled"] is True


def test_tenants_see_nothing_of_each_other(api, tenant, base):
    doc = api.add_text(base, "mine", "zebra words")
    foreign = tenant.make_base()
    tenant.add_text(foreign, "theirs", "zebra words")
    assert base not in [b["id"] for b in
                        tenant.pages(f"{K}/knowledge-bases")]
    assert tenant.get(f"{K}/documents/{doc}").status_code == 404
    answer = tenant.post(f"{K}/search",
                         json={"query": "zebra", "kb_ids": [base]})
    assert answer.status_code == 400
    answer = tenant.post(f"{K}/search",
                         json={"query": "zebra", "kb_ids": [foreign, base]})
    assert answer.status_code == 400
    hits = tenant.search("zebra", foreign)["results"]
    assert {h["kb_id"] for h in hits} == {foreign}
    assert len(tenant.ok("GET", KEYS)) == 1


def test_only_the_first_tenant_makes_tenants(tenant):
    answer = tenant.post("/knowd/v1/keys",
                         json={"name": "x", "tenant": "another"})
    assert answer.status_code == 403


def test_revoking_under_load_is_effective_at_once(server, api):
    made = make_key(api)
    user = server.api_with(made["plain_text_key"])
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        before = list(pool.map(
            lambda _: user.get(f"{K}/config").status_code, range(40)))
        api.delete(f"{KEYS}/{made['id']}")
        after = list(pool.map(
            lambda _: user.get(f"{K}/config").status_code, range(40)))
    assert set(before) == {200} and set(after) == {401}

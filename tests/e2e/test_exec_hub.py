"""The hub around its sources: folders, pages, the workspace, and who may."""

import concurrent.futures
import datetime
import time
import uuid

import pytest

from conftest import K, poll
from hub import (FOLDER_FIELDS, H, Hub, PAGE_FIELDS, R, SOURCE_FIELDS, UNKNOWN,
                 USER_FIELDS, assert_error, assert_id, assert_time)

BODY = "## Handling objections\n\nLead with the **value** of a plover.\n"
CHANGES = {"created", "ai_generation", "manual_edit", "restore", "clone"}
MISSING = str(uuid.uuid4())


def tenant_of(server, **fields):
    name = "t-" + uuid.uuid4().hex[:8]
    made = server.api.ok("POST", "/knowd/v1/keys", 201, json={
        "name": "admin", "tenant": name, **fields})
    return Hub(server.url, made["key"])


@pytest.fixture
def hub(server):
    """Of a tenant of its own."""
    hub = tenant_of(server)
    yield hub
    hub.close()


def add_note(hub, title="note", text="a note about the dunlin"):
    """A source without the web; the hub is there by then."""
    hub.make_page("for the hub")
    base, = [b["id"] for b in hub.pages(f"{K}/knowledge-bases")]
    return hub.add_text(base, title, text)


def folder(hub, one):
    return hub.ok("GET", f"{H}/folders/{one}")


def page(hub, one, **query):
    return hub.ok("GET", f"{H}/pages/{one}", params=query)


def names(rows):
    return [row.get("name") or row.get("title") for row in rows]


# ---- folders ----

def test_a_folder_has_every_documented_field(hub):
    made = hub.make_folder("Sales", emoji="💼")
    assert set(made) == FOLDER_FIELDS
    assert_id(made["id"])
    assert (made["name"], made["emoji"], made["parent"]) == \
        ("Sales", "💼", None)
    assert made["visibility"] == "workspace"
    assert made["item_count"] == made["subfolder_count"] == 0
    assert assert_time(made["created_at"]) <= assert_time(made["updated_at"])
    assert folder(hub, made["id"]) == made
    assert hub.list(f"{H}/folders") == [made]
    plain = hub.make_folder("plain")
    assert plain["emoji"] is None


@pytest.mark.parametrize("visibility", ["private", "workspace", "global"])
def test_a_key_sees_folders_of_every_visibility(hub, visibility):
    made = hub.make_folder("f", visibility=visibility)
    assert made["visibility"] == visibility
    assert [f["id"] for f in hub.list(f"{H}/folders")] == [made["id"]]
    other = "private" if visibility != "private" else "global"
    got = hub.ok("PATCH", f"{H}/folders/{made['id']}",
                 json={"visibility": other})
    assert got["visibility"] == other


def test_folders_make_a_tree(hub):
    top = hub.make_folder("top")["id"]
    left = hub.make_folder("left", parent_id=top)
    right = hub.make_folder("right", parent_id=top)["id"]
    leaf = hub.make_folder("leaf", parent_id=left["id"])["id"]
    assert left["parent"] == top
    assert folder(hub, top)["subfolder_count"] == 2  # direct ones
    assert folder(hub, left["id"])["subfolder_count"] == 1
    for name in ("parent_id", "parent"):
        rows = hub.list(f"{H}/folders", **{name: top})
        assert {f["id"] for f in rows} == {left["id"], right}
        assert [f["id"] for f in hub.list(f"{H}/folders", **{
            name: left["id"]})] == [leaf]
        assert hub.list(f"{H}/folders", **{name: leaf}) == []
    assert len(hub.list(f"{H}/folders")) == 4  # all, not only the roots
    assert len(hub.list(f"{H}/folders", page_size=3)) == 4
    assert [f["id"] for f in hub.list(f"{H}/folders", query="LEFT")] == \
        [left["id"]]
    assert hub.list(f"{H}/folders", query="%") == []
    assert [f["id"] for f in hub.list(f"{H}/folders", query="e",
                                      parent_id=left["id"])] == [leaf]
    for wrong in ("page_size=101", "page=0", "page_size=x"):
        assert_error(hub.get(f"{H}/folders?{wrong}"), 400, "invalid_request",
                     "invalid_pagination")


def test_a_folder_is_changed_field_by_field(hub):
    top = hub.make_folder("top")["id"]
    made = hub.make_folder("one", emoji="💼", visibility="private")
    path = f"{H}/folders/{made['id']}"
    got = hub.ok("PATCH", path, json={"name": "two"})
    assert {**got, "updated_at": 0} == {**made, "name": "two", "updated_at": 0}
    got = hub.ok("PATCH", path, json={"emoji": "🦆", "parent_id": top})
    assert (got["name"], got["emoji"], got["parent"]) == ("two", "🦆", top)
    got = hub.ok("PATCH", path, json={"emoji": None, "parent_id": None})
    assert (got["name"], got["emoji"], got["parent"]) == ("two", None, None)
    assert hub.ok("PATCH", path, json={"emoji": "🦆" * 32})["emoji"] == \
        "🦆" * 32  # characters are counted, not bytes
    assert_error(hub.patch(path, json={"emoji": "🦆" * 33}), 400,
                 "invalid_request", "emoji_too_long")
    assert hub.ok("PATCH", path, json={})["name"] == "two"
    assert folder(hub, made["id"])["name"] == "two"


def test_no_folder_is_put_under_itself(hub):
    chain = [hub.make_folder("0")["id"]]
    for i in range(1, 5):
        chain.append(hub.make_folder(str(i), parent_id=chain[-1])["id"])
    for child in chain:
        answer = hub.patch(f"{H}/folders/{chain[0]}",
                           json={"parent_id": child})
        assert_error(answer, 400, "invalid_request", "folder_cycle")
    assert folder(hub, chain[0])["parent"] is None
    # Sideways and up is fine.
    hub.ok("PATCH", f"{H}/folders/{chain[4]}", json={"parent_id": chain[0]})
    hub.ok("PATCH", f"{H}/folders/{chain[1]}", json={"parent_id": chain[4]})
    assert folder(hub, chain[0])["subfolder_count"] == 1


@pytest.mark.parametrize("body", [
    {}, {"name": ""}, {"name": 5}, {"name": None}, {"name": "x" * 100_000},
    {"name": "f", "visibility": "secret"}, {"name": "f", "visibility": 5},
    {"name": "f", "emoji": 5}, {"name": "f", "parent_id": 5},
    {"name": "f", "parent_id": UNKNOWN}, {"name": "f", "parent_id": MISSING}])
def test_a_wrong_folder_is_400(hub, body):
    assert_error(hub.post(f"{H}/folders", json=body), 400, "invalid_request")
    assert hub.list(f"{H}/folders") == []


@pytest.mark.parametrize("method, body", [
    ("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)])
def test_a_folder_that_is_none_is_404(hub, method, body):
    for one in (UNKNOWN, MISSING, "x"):
        more = {} if body is None else {"json": body}
        answer = hub.request(method, f"{H}/folders/{one}", **more)
        assert assert_error(answer, 404, "not_found") == \
            f"Folder not found: {one}"


def test_a_thing_may_lie_in_several_folders(hub):
    one, two = (hub.make_folder(n)["id"] for n in ("one", "two"))
    note = add_note(hub)
    hub.ok("PATCH", f"{H}/sources/{note}", json={"folder_ids": [one, two]})
    article = hub.make_page("both", folder_ids=[two, one])
    assert {f["id"] for f in article["folders"]} == {one, two}
    for where in (one, two):
        assert names(hub.sources(folder_id=where)) == ["note"]
        assert names(hub.list(f"{H}/pages", folder_id=where)) == ["both"]
        assert folder(hub, where)["item_count"] == 1  # pages alone
    hub.ok("DELETE", f"{H}/pages/{article['id']}")
    assert folder(hub, one)["item_count"] == 0


def test_what_lies_in_a_deleted_folder_stays_and_folders_move_up(hub):
    top = hub.make_folder("top")["id"]
    middle = hub.make_folder("middle", parent_id=top)["id"]
    leaf = hub.make_folder("leaf", parent_id=middle)["id"]
    note = add_note(hub)
    hub.ok("PATCH", f"{H}/sources/{note}", json={"folder_ids": [middle, leaf]})
    article = hub.make_page("p", folder_ids=[middle])["id"]
    assert hub.ok("DELETE", f"{H}/folders/{middle}") == {
        "id": middle, "deleted": True}
    assert hub.get(f"{H}/folders/{middle}").status_code == 404
    assert folder(hub, leaf)["parent"] == top
    assert [f["id"] for f in hub.source(note)["folders"]] == [leaf]
    assert page(hub, article)["folders"] == []
    assert len(hub.find("dunlin")) == 1
    hub.ok("DELETE", f"{H}/folders/{top}")
    assert folder(hub, leaf)["parent"] is None
    assert_error(hub.post(f"{H}/pages", json={
        "title": "x", "folder_ids": [top]}), 400, "invalid_request",
        "folder_not_found")


# ---- pages ----

def test_a_page_goes_from_draft_to_published_to_the_next(hub):
    made = hub.make_page("Objections", content=BODY)
    assert set(made) >= PAGE_FIELDS | {"content", "sources"}
    assert "draft" not in made or made["draft"] is None
    assert made["status"] == "draft" and made["visibility"] == "workspace"
    assert made["version"] is made["published_at"] is made["content"] is None
    assert (made["folders"], made["skills"], made["sources"]) == ([], [], [])
    assert made["source_count"] == 0 and made["cover"] == ""
    assert set(made["owner"]) == USER_FIELDS
    one = made["id"]
    assert page(hub, one, include="draft")["draft"] == {
        "title": "Objections", "content": BODY}
    assert "draft" not in page(hub, one)

    first = hub.ok("PATCH", f"{H}/pages/{one}", json={"status": "published"})
    assert first["status"] == "published" and first["content"] == BODY
    assert first["version"] >= 1
    assert_time(first["published_at"])
    assert page(hub, one, include="draft")["draft"] is None

    edited = hub.ok("PATCH", f"{H}/pages/{one}", json={"content": "godwit"})
    assert edited["status"] == "published" and edited["content"] == BODY
    assert edited["version"] == first["version"]
    assert page(hub, one, include="moon,draft")["draft"] == {
        "title": "Objections", "content": "godwit"}

    second = hub.ok("PATCH", f"{H}/pages/{one}",
                    json={"status": "published", "title": "Answers"})
    assert second["content"] == "godwit" and second["title"] == "Answers"
    assert second["version"] == first["version"] + 1
    assert assert_time(second["published_at"]) >= \
        assert_time(first["published_at"])
    assert second["created_at"] == made["created_at"]

    rows = hub.list(f"{H}/pages/{one}/versions")
    for row in rows:
        assert set(row) == {"version", "title", "change_type", "created_by",
                            "created_at", "updated_at"}
        assert row["change_type"] in CHANGES
        assert_time(row["created_at"])
    numbers = [row["version"] for row in rows]
    assert numbers == sorted(set(numbers), reverse=True)
    assert rows[0]["version"] == second["version"]
    assert rows[0]["title"] == "Answers"
    assert rows[0]["change_type"] == "manual_edit"
    assert rows[-1]["title"] == "Objections"
    assert rows[-1]["change_type"] == "created"
    assert hub.list(f"{H}/pages/{one}/versions", page_size=1) == rows
    assert_error(hub.get(f"{H}/pages/{one}/versions?page_size=101"), 400,
                 "invalid_request", "invalid_pagination")


def test_a_page_is_published_at_once_where_that_is_asked(hub):
    made = hub.make_page("now", content=BODY, status="published",
                         visibility="private")
    assert made["status"] == "published" and made["content"] == BODY
    assert made["version"] == 1 and made["visibility"] == "private"
    assert names(hub.list(f"{H}/pages")) == ["now"]  # private ones too


def found(hub, words):
    return {hit["source_id"]: hit["content"] for hit in hub.find(words)}


def wait_found(hub, words):
    """A page is a document, read a moment later."""
    return poll(lambda: found(hub, words), 30, 0.05)


def test_a_published_page_is_found_as_what_it_says_now(hub):
    one = hub.make_page("Birds", content=BODY)["id"]
    time.sleep(0.3)
    assert found(hub, "plover") == {}  # a draft is nobody's business
    hub.ok("PATCH", f"{H}/pages/{one}", json={"status": "published"})
    (source, text), = wait_found(hub, "value plover").items()
    assert "plover" in text
    row, = hub.sources(type="page")
    assert row["id"] == source and row["title"] == "Birds"
    assert row["external_url"] is None and row["status"] == "ready"
    base = hub.base_of(source)
    hit, = hub.search("plover", base)["results"]
    assert hit["document_id"] == source and hit["source_type"] == "page"

    # It lies where its page does, and nowhere else.
    there, aside = (hub.make_folder(n)["id"] for n in ("there", "aside"))
    hub.ok("PATCH", f"{H}/pages/{one}", json={"folder_ids": [there]})
    row, = hub.sources(folder_id=there)
    assert row["id"] == source
    assert [f["id"] for f in row["folders"]] == [there]
    assert hub.source(source)["folders"] == row["folders"]
    assert hub.sources(folder_id=aside) == []

    hub.ok("PATCH", f"{H}/pages/{one}", json={"content": "a word on knots"})
    time.sleep(0.3)
    assert found(hub, "knots") == {} and len(found(hub, "plover")) == 1
    hub.ok("PATCH", f"{H}/pages/{one}", json={"status": "published"})
    assert list(wait_found(hub, "knots")) == [source]
    poll(lambda: not found(hub, "plover"), 30, 0.05)
    assert len(hub.sources(type="page")) == 1

    assert hub.ok("DELETE", f"{H}/pages/{one}") == {"id": one,
                                                    "deleted": True}
    assert found(hub, "knots") == {}
    assert hub.search("knots", base)["results"] == []
    assert hub.sources(type="page") == []


def test_an_archived_page_is_in_no_list_but_its_own(hub):
    kept = hub.make_page("kept")["id"]
    gone = hub.make_page("gone", content=BODY, status="published")["id"]
    hub.ok("DELETE", f"{H}/pages/{gone}")
    assert [p["id"] for p in hub.list(f"{H}/pages")] == [kept]
    row, = hub.list(f"{H}/pages", status="archived")
    assert row["id"] == gone and row["status"] == "archived"
    assert hub.list(f"{H}/pages", status="published") == []
    answer = hub.get(f"{H}/pages/{gone}")
    if answer.status_code == 200:
        assert answer.json()["status"] == "archived"
    else:
        assert_error(answer, 404, "not_found")
    assert_error(hub.patch(f"{H}/pages/{gone}", json={"status": "archived"}),
                 *((404, "not_found") if answer.status_code == 404 else
                   (400, "invalid_request")))


def test_put_is_patch(hub):
    one = hub.make_page("one", content=BODY, status="published")["id"]
    where = hub.make_folder("f")["id"]
    got = hub.ok("PUT", f"{H}/pages/{one}", json={"folder_ids": [where]})
    assert (got["title"], got["content"]) == ("one", BODY)
    assert [f["id"] for f in got["folders"]] == [where]
    got = hub.ok("PUT", f"{H}/pages/{one}",
                 json={"title": "two", "status": "published"})
    assert got["title"] == "two" and got["content"] == BODY
    assert [f["id"] for f in got["folders"]] == [where]
    for method in ("PUT", "PATCH"):
        same = hub.ok(method, f"{H}/pages/{one}", json={})
        assert {**same, "updated_at": 0} == {**got, "updated_at": 0}


def test_arrays_replace_and_what_is_left_out_stays(hub):
    a, b, c = (hub.make_folder(n)["id"] for n in "abc")
    first = add_note(hub, "first", "of the ruff")
    second = add_note(hub, "second", "of the reeve")
    one = hub.make_page("p", folder_ids=[a, b], source_ids=[first])["id"]

    def state():
        got = page(hub, one)
        assert got["source_count"] == len(got["sources"])
        for source in got["sources"]:
            assert SOURCE_FIELDS - set(source) == set()
            assert "content" not in source
        return ({f["id"] for f in got["folders"]},
                {s["id"] for s in got["sources"]})
    assert state() == ({a, b}, {first})
    hub.ok("PATCH", f"{H}/pages/{one}", json={"folder_ids": [c]})
    assert state() == ({c}, {first})
    hub.ok("PATCH", f"{H}/pages/{one}", json={"source_ids": [second, second]})
    assert state() == ({c}, {second})
    assert names(hub.sources(page_id=one)) == ["second"]
    hub.ok("PATCH", f"{H}/pages/{one}", json={"title": "q"})
    assert state() == ({c}, {second})
    hub.ok("DELETE", f"{H}/sources/{second}")
    assert state() == ({c}, set())
    hub.ok("PATCH", f"{H}/pages/{one}",
           json={"folder_ids": [], "source_ids": [], "skill_ids": []})
    assert state() == (set(), set())


@pytest.mark.parametrize("field, code", [
    ("folder_ids", "folder_not_found"), ("source_ids", "source_not_found"),
    ("skill_ids", "skill_not_found")])
def test_unknown_ids_are_refused_and_nothing_is_done(hub, field, code):
    one = hub.make_page("one", content=BODY)["id"]
    before = page(hub, one, include="draft")
    for wrong in (UNKNOWN, MISSING, "x", one):
        body = {"title": "two", field: [wrong]}
        assert_error(hub.post(f"{H}/pages", json=body), 400,
                     "invalid_request", code)
        assert_error(hub.patch(f"{H}/pages/{one}", json=body), 400,
                     "invalid_request", code)
    assert page(hub, one, include="draft") == before
    assert names(hub.list(f"{H}/pages")) == ["one"]


@pytest.mark.parametrize("method, suffix, body", [
    ("GET", "", None), ("PATCH", "", {"title": "x"}),
    ("PUT", "", {"title": "x"}), ("DELETE", "", None),
    ("GET", "/versions", None)])
def test_a_page_that_is_none_is_404(hub, method, suffix, body):
    for one in (UNKNOWN, MISSING, "x"):
        more = {} if body is None else {"json": body}
        answer = hub.request(method, f"{H}/pages/{one}{suffix}", **more)
        assert assert_error(answer, 404, "not_found") == \
            f"Page not found: {one}"


@pytest.mark.parametrize("body, code", [
    ({}, "missing_field"), ({"title": 5}, None), ({"title": ""}, None),
    ({"title": None}, None), ({"title": "t", "status": "archived"},
                              "invalid_status"),
    ({"title": "t", "status": "done"}, "invalid_status"),
    ({"title": "t", "status": 5}, None),
    ({"title": "t", "visibility": "global"}, None),
    ({"title": "t", "visibility": "secret"}, None),
    ({"title": "t", "content": 5}, None),
    ({"title": "t", "folder_ids": "f"}, None),
    ({"title": "t", "source_ids": [5]}, None)])
def test_a_wrong_page_is_400(hub, body, code):
    assert_error(hub.post(f"{H}/pages", json=body), 400, "invalid_request",
                 code)
    assert hub.list(f"{H}/pages") == []


def test_lists_of_pages_are_filtered_and_sorted(hub):
    where = hub.make_folder("f")["id"]
    rows = []
    for title, more in (("banana", {"folder_ids": [where]}),
                        ("Apple", {"status": "published", "content": BODY}),
                        ("cherry", {"visibility": "private"})):
        rows.append(hub.make_page(title, **more))
        time.sleep(0.01)  # the clock has milliseconds
    first, second, third = rows
    hub.ok("PATCH", f"{H}/pages/{first['id']}", json={"content": "later"})

    def titles(**query):
        return names(hub.list(f"{H}/pages", **query))
    assert titles() == titles(sort="updated_at") == \
        ["banana", "cherry", "Apple"]
    assert titles(sort="created_at") == ["cherry", "Apple", "banana"]
    assert titles(sort="title") == ["Apple", "banana", "cherry"]
    assert titles(sort="title", page_size=1) == titles(sort="title")
    assert titles(folder_id=where) == ["banana"]
    assert titles(status="draft") == ["banana", "cherry"]
    assert titles(status="published") == ["Apple"]
    assert titles(query="AN") == ["banana"] and titles(query="_") == []
    assert len(titles(owner_id=first["owner"]["id"])) == 3
    assert titles(owner_id=UNKNOWN) == titles(skill_id=UNKNOWN) == []
    at = page(hub, second["id"])["updated_at"]
    assert titles(updated_before=at) == ["Apple"]  # inclusive
    assert set(titles(updated_after=at)) == {"banana", "cherry", "Apple"}
    assert titles(updated_after=at, updated_before=at) == ["Apple"]
    moment = assert_time(at).astimezone(datetime.timezone(
        datetime.timedelta(hours=2))).isoformat(timespec="milliseconds")
    assert titles(updated_before=moment) == ["Apple"]
    assert titles(updated_after="2100-01-01T00:00:00Z") == []
    assert len(titles(updated_after="2020-01-01")) == 3
    for row in hub.list(f"{H}/pages"):
        assert set(row) == PAGE_FIELDS
    for wrong, code in (("sort=size", None), ("status=done", "invalid_status"),
                        ("updated_after=soon", None),
                        ("updated_after=", "invalid_updated_after"),
                        ("updated_before=", "invalid_updated_before"),
                        ("page=0", "invalid_pagination"),
                        ("page_size=101", "invalid_pagination")):
        assert_error(hub.get(f"{H}/pages?{wrong}"), 400, "invalid_request",
                     code)


def test_odd_markdown_comes_back_as_it_was(hub):
    for text in ("", "\u0000a", "<script>alert(1)</script>", "# ü 漢字 🌿\n",
                 "a" * 500_000, "\r\n \t\r\n", "[x](javascript:alert(1))"):
        answer = hub.post(f"{H}/pages", json={
            "title": "odd", "content": text, "status": "published"})
        if answer.status_code == 201:
            assert answer.json()["content"] == text
        else:
            assert_error(answer, 400, "invalid_request")
            assert "\u0000" in text or not text.strip()


# ---- the workspace ----

def test_the_workspace_names_itself(hub):
    got = hub.ok("GET", f"{R}/workspace")
    assert set(got) == {"id", "name", "url_slug", "created_at"}
    assert_id(got["id"])
    assert got["name"].startswith("t-") and got["url_slug"] == got["name"]
    assert_time(got["created_at"])
    assert hub.ok("GET", f"{R}/workspace") == got


def test_members_are_flat_and_whoever_makes_something_is_one(hub):
    hub.ok("POST", "/v1/identity/api-keys", 201, json={
        "name": "reader", "scopes": ["knowledge_bases:read"]})
    rows = hub.list(f"{R}/workspace/members")
    assert len(rows) == 2
    for row in rows:
        assert set(row) == USER_FIELDS | {"role", "created_at"}
        assert row["role"] in ("admin", "staff", "member")
        assert row["email"] == "" or "@" in row["email"]
        assert_time(row["created_at"])
    roles = {row["id"]: row["role"] for row in rows}
    assert sorted(roles.values()) == ["admin", "member"]
    owner = hub.make_page("mine")["owner"]
    assert roles[owner["id"]] == "admin"
    member, = [row for row in rows if row["id"] == owner["id"]]
    assert {k: member[k] for k in USER_FIELDS} == owner
    assert hub.list(f"{R}/workspace/members", page_size=1) == rows
    assert_error(hub.get(f"{R}/workspace/members?page_size=101"), 400,
                 "invalid_request", "invalid_pagination")


def test_groups_filter_members(hub):
    hub.ok("POST", "/v1/identity/api-keys", 201, json={
        "name": "reader", "scopes": ["knowledge_bases:read"]})
    groups = hub.list(f"{R}/workspace/groups")
    assert groups
    everyone = hub.list(f"{R}/workspace/members")
    seen = []
    for group in groups:
        assert set(group) == {"id", "name", "created_at"}
        members = hub.list(f"{R}/workspace/members", group_ids=group["id"])
        assert all(member in everyone for member in members)
        seen += members
    assert {m["id"] for m in seen} == {m["id"] for m in everyone}
    every = ",".join(group["id"] for group in groups)
    assert hub.list(f"{R}/workspace/members", group_ids=every) == everyone
    answer = hub.get(f"{R}/workspace/members", params={"group_ids": UNKNOWN})
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert answer.json()["data"] == []


# ---- keys, tenants, rates ----

def exec_spelling(key):
    """The same key as Exec's clients know keys: a prefix is for display."""
    return "exec_live_" + key[-40:]


def test_a_key_has_an_exec_spelling(hub, server):
    spelled = exec_spelling(hub.key)
    other = Hub(server.url, spelled)
    got = other.ok("GET", f"{R}/workspace")
    assert got == hub.ok("GET", f"{R}/workspace")
    made = hub.ok("POST", "/v1/identity/api-keys", 201, json={"name": "k"})
    text = made["plain_text_key"]
    third = Hub(server.url, exec_spelling(text))
    assert third.ok("GET", f"{R}/workspace") == got
    assert hub.delete(f"/v1/identity/api-keys/{made['id']}") \
        .status_code == 204
    for form in (text, exec_spelling(text)):
        assert Hub(server.url, form).get(f"{R}/workspace") \
            .status_code == 401
    wrong = spelled[:-1] + ("a" if spelled[-1] != "a" else "b")
    assert Hub(server.url, wrong).get(f"{R}/workspace").status_code == 401


def everything(hub):
    """(method, path, body) of all that changes something."""
    where = hub.make_folder("f")["id"]
    article = hub.make_page("p", content=BODY)["id"]
    source = add_note(hub)
    return [("POST", "/sources", {"type": "url", "title": "t",
                                  "url": "http://name.invalid/"}),
            ("PATCH", f"/sources/{source}", {"title": "x"}),
            ("DELETE", f"/sources/{source}", None),
            ("POST", "/folders", {"name": "x"}),
            ("PATCH", f"/folders/{where}", {"name": "x"}),
            ("DELETE", f"/folders/{where}", None),
            ("POST", "/pages", {"title": "x"}),
            ("PATCH", f"/pages/{article}", {"title": "x"}),
            ("PUT", f"/pages/{article}", {"title": "x"}),
            ("DELETE", f"/pages/{article}", None)]


def ask(hub, method, path, body):
    return hub.request(method, H + path,
                       **({} if body is None else {"json": body}))


def test_a_reading_key_reads_and_changes_nothing(hub, server):
    changes = everything(hub)
    key = hub.ok("POST", "/v1/identity/api-keys", 201, json={
        "name": "reader", "scopes": ["knowledge_bases:read"]})
    reader = Hub(server.url, key["plain_text_key"])
    before = [hub.list(f"{H}/{what}") for what in
              ("sources", "folders", "pages")]
    for method, path, body in changes:
        answer = ask(reader, method, path, body)
        assert_error(answer, 403, "authorization_error")
    after = [reader.list(f"{H}/{what}") for what in
             ("sources", "folders", "pages")]
    assert before == after
    assert len(reader.find("dunlin")) == 1
    assert reader.get(f"{R}/workspace").status_code == 200


def test_a_managing_key_changes_the_hub(hub, server):
    changes = everything(hub)
    key = hub.ok("POST", "/v1/identity/api-keys", 201, json={
        "name": "manager", "scopes": ["knowledge_bases:read",
                                      "knowledge_bases:manage"]})
    manager = Hub(server.url, key["plain_text_key"])
    for method, path, body in changes:
        assert ask(manager, method, path, body).status_code in (200, 201), \
            (method, path)


def test_an_empty_hub_is_read_by_a_key_that_may_not_make_it(hub, server):
    key = hub.ok("POST", "/v1/identity/api-keys", 201, json={
        "name": "reader", "scopes": ["knowledge_bases:read"]})
    reader = Hub(server.url, key["plain_text_key"])
    for what in ("sources", "folders", "pages"):
        assert reader.list(f"{H}/{what}") == []
    assert reader.find("anything") == []
    assert reader.get(f"{H}/sources/{UNKNOWN}").status_code == 404


def test_tenants_see_nothing_of_each_other(hub, server):
    other = tenant_of(server)
    changes = everything(hub)
    foreign = {path.split("/")[1]: path.split("/")[2]
               for _, path, _ in changes if path.count("/") == 2}
    before = {what: hub.list(f"{H}/{what}") for what in foreign}
    for what, one in foreign.items():
        assert other.list(f"{H}/{what}") == []
        theirs = other.get(f"{H}/{what}/{one}")
        missing = other.get(f"{H}/{what}/{MISSING}")
        assert theirs.status_code == missing.status_code == 404
        assert theirs.text.replace(one, "I") == \
            missing.text.replace(MISSING, "I")
    for method, path, body in changes:
        if path.count("/") == 2:
            assert ask(other, method, path, body).status_code == 404
    for field, what in (("folder_ids", "folders"), ("source_ids", "sources")):
        answer = other.post(f"{H}/pages", json={"title": "x",
                                                field: [foreign[what]]})
        assert_error(answer, 400, "invalid_request")
    assert other.find("dunlin") == []
    assert {what: hub.list(f"{H}/{what}") for what in foreign} == before
    assert other.ok("GET", f"{R}/workspace")["id"] != \
        hub.ok("GET", f"{R}/workspace")["id"]
    ids = {m["id"] for m in hub.list(f"{R}/workspace/members")}
    assert not ids & {m["id"] for m in other.list(f"{R}/workspace/members")}
    other.close()


def test_the_hub_is_one_base_however_many_ask_first(hub, server):
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        made = list(pool.map(lambda i: hub.post(
            f"{H}/folders", json={"name": f"f{i}"}).status_code, range(20)))
    assert made == [201] * 20
    assert len(hub.pages(f"{K}/knowledge-bases")) == 1
    assert len(hub.list(f"{H}/folders")) == 20


def test_each_workspace_has_its_own_rate(start_server):
    server = start_server("--rate-limit", "exec=5/min")
    first, second = Hub(server.url), tenant_of(server)
    for hub in (first, second):
        answers = [hub.get(f"{H}/sources") for _ in range(7)]
        assert [a.status_code for a in answers] == [200] * 5 + [429] * 2
        last = answers[-1]
        wait = int(last.headers["retry-after"])
        assert 50 <= wait <= 60
        body = last.json()
        assert body["error"]["type"] == "rate_limited"
        assert body["error"]["code"] == "rate_limit_exceeded"
        assert body["error"]["retry_after"] == body["retry_after"] == wait
        assert body["error"]["message"]
        assert last.headers["ratelimit-policy"] == '"exec";q=5;w=60'
        assert last.headers["ratelimit"] == f'"exec";r=0;t={wait}'
        assert last.headers["ratelimit-limit"] == "5"
        assert last.headers["ratelimit-remaining"] == "0"
        assert abs(int(last.headers["ratelimit-reset"]) - time.time() -
                   wait) < 30
        assert_error(hub.post(f"{H}/sources", json={}), 429, "rate_limited")
        # Others are not counted with it.
        assert hub.get("/healthz").status_code == 200
        assert hub.get(f"{K}/config").status_code == 200


def test_the_hub_survives_a_restart(start_server, tmp_path):
    server = start_server(data=tmp_path / "d")
    hub = Hub(server.url)
    where = hub.make_folder("f", emoji="🦆")["id"]
    one = hub.make_page("p", content=BODY, status="published",
                        folder_ids=[where])["id"]
    hub.ok("PATCH", f"{H}/pages/{one}", json={"content": "next"})
    wait_found(hub, "plover")
    seen = (folder(hub, where), page(hub, one, include="draft"),
            hub.list(f"{H}/pages/{one}/versions"),
            hub.ok("GET", f"{R}/workspace"))
    server.kill()
    hub = Hub(start_server(data=tmp_path / "d").url)
    assert seen == (folder(hub, where), page(hub, one, include="draft"),
                    hub.list(f"{H}/pages/{one}/versions"),
                    hub.ok("GET", f"{R}/workspace"))
    assert found(hub, "plover")

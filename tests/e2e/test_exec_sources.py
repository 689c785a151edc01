"""Sources of the hub: pages of the web by Exec's dialect, which are documents
like any others."""

import concurrent.futures
import collections
import threading
import time
import uuid

import pytest

from conftest import ADMIN_KEY, K, Server, UUID, check_folder, poll
from hub import (CODE, H, Hub, SOURCE_FIELDS, UNKNOWN, USER_FIELDS,
                 assert_error, assert_id, assert_plain, assert_time)
from web import HTML, NET, Web, html, redirect

PRICES = html("Prices", "The heron plan costs nine crowns a month.",
              "The bittern plan costs <b>twenty</b> crowns.")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("hub") / "data", *NET)
    yield server
    assert server.stop() == 0, server.log_text()[-2000:]
    assert check_folder(server.data) == []


@pytest.fixture(scope="module")
def web():
    web = Web()
    yield web
    web.close()


@pytest.fixture
def hub(server, api):
    """Of a tenant of its own."""
    key = api.ok("POST", "/knowd/v1/keys", 201, json={
        "name": "admin", "tenant": "t-" + uuid.uuid4().hex[:8]})["key"]
    hub = Hub(server.url, key)
    yield hub
    hub.close()


@pytest.fixture
def page(web):
    """A path of its own, and a page there."""
    path = "/" + uuid.uuid4().hex[:12]
    web.pages[path] = PRICES
    return path


def add_ready(hub, web, path, title="a page", **fields):
    return hub.ready(hub.add_url(web.url(path), title, **fields)["id"])


# ---- what is asked of a page's server ----

def test_a_host_is_asked_for_eight_pages_at_once(hub, web):
    """Each waits two seconds for a ninth."""
    seen, more = {"now": 0, "most": 0}, threading.Condition()

    def answer(peer, asked):
        with more:
            seen["now"] += 1
            seen["most"] = max(seen["most"], seen["now"])
            more.notify_all()
            more.wait_for(lambda: seen["most"] > 8, 2)
            seen["now"] -= 1
        return PRICES
    paths = [f"/at-once-{i}" for i in range(12)]
    web.pages.update(dict.fromkeys(paths, answer))
    sources = [hub.add_url(web.url(path)) for path in paths]
    for source in sources:
        hub.ready(source["id"])
    assert 2 <= seen["most"] <= 8  # a slow machine may not get to eight


def at_second(web, path, first):
    """The page answers so at first, then with PRICES; when it was asked."""
    times = []

    def answer(peer, asked):
        times.append(time.monotonic())
        return first if len(times) == 1 else PRICES
    web.pages[path] = answer
    return times


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503, 520, 529])
def test_what_may_pass_is_tried_again(hub, web, status):
    times = at_second(web, f"/passes-{status}", (status, HTML, b"later"))
    add_ready(hub, web, f"/passes-{status}")
    assert len(times) == 2


def test_a_server_is_not_asked_before_it_says(hub, web):
    times = at_second(web, "/in-three",
                      (503, {**HTML, "Retry-After": "3"}, b"later"))
    add_ready(hub, web, "/in-three")
    assert times[1] - times[0] >= 3


def test_a_tag_is_told_to_the_page_that_gave_it(api, web):
    """Pages that a redirect leads to one after the other may have one tag."""
    base, shown = api.make_base(), {"to": "/tag-one"}

    def page(word):
        def answer(peer, asked):
            if "if-none-match" in asked.headers:
                return 304, {}, b""
            return html("News", f"The {word} is what it is about.",
                        headers={"ETag": '"1"'})
        return answer
    web.pages.update({"/tag": lambda peer, asked: redirect(shown["to"]),
                      "/tag-one": page("whimbrel"),
                      "/tag-two": page("curlew")})

    def fetched():
        made = api.ok("POST", f"/knowd/v1/bases/{base}/urls", 202,
                      json={"urls": [{"url": web.url("/tag")}]})
        api.wait(made["job_id"])
        return api.text_of(made["items"][0]["document_id"])
    assert "whimbrel" in fetched()
    assert "whimbrel" in fetched()  # 304
    assert web.asked[-1].headers["if-none-match"] == '"1"'
    shown["to"] = "/tag-two"
    assert "curlew" in fetched()


def test_a_source_goes_from_pending_by_processing_to_ready(hub, web):
    """Several, as each is soon done."""
    paths = ["/" + uuid.uuid4().hex for _ in range(12)]
    for n, path in enumerate(paths):
        web.pages[path] = html(f"Long {n}", *(
            f"Heron number {i} of {n} stands in the reeds and waits."
            for i in range(3000)))
    added = [hub.add_url(web.url(path), path) for path in paths]
    seen = {a["id"]: [a["status"]] for a in added}
    until = time.monotonic() + 60
    while any(s[-1] != "ready" for s in seen.values()) and \
            time.monotonic() < until:
        for source in hub.sources():
            states = seen[source["id"]]
            if source["status"] != states[-1]:
                states.append(source["status"])
    whole = ["pending", "processing", "ready"]
    assert all(s == [x for x in whole if x in s] and s[-1] == "ready"
               for s in seen.values()), seen
    assert whole in seen.values()


# ---- the vendor's document, from its first line to its last ----

def test_a_url_is_taken_in_as_the_document_says(hub, web, page):
    folder = hub.make_folder("Sales")["id"]
    body = {"type": "url", "title": "Competitor pricing page",
            "url": web.url(page), "folder_ids": [folder]}
    first = hub.ok("POST", f"{H}/sources", 201, json=body)
    assert SOURCE_FIELDS - set(first) <= {"content"}
    assert first["status"] in ("pending", "processing")
    assert_id(first["id"])
    assert first["title"] == "Competitor pricing page"
    assert first["source_type"] == "url"
    assert first["external_url"] == web.url(page)
    assert first["cover"] == "" and first["summary"] is None
    assert first["processed_at"] is None and "content" not in first
    assert [(f["id"], f["name"], f["emoji"]) for f in first["folders"]] == \
        [(folder, "Sales", None)]

    again = hub.ok("POST", f"{H}/sources", 200, json=body)
    assert again["id"] == first["id"]

    got = hub.ready(first["id"])
    assert got["content_format"] in ("markdown", "plain_text")
    assert got["token_count"] > 5 and got["has_images"] is False
    assert assert_time(got["created_at"]) <= assert_time(got["processed_at"])
    assert_time(got["updated_at"])
    assert set(got["created_by"]) == USER_FIELDS
    assert "content" not in got and got.get("error_message") is None
    assert len(got["summary"]) > 20

    full = hub.source(first["id"], include="content")
    assert "The heron plan costs nine crowns a month." in full["content"]
    assert "<p>" not in full["content"]
    assert got["summary"] in " ".join(full["content"].split())  # extractive
    assert {k: v for k, v in full.items() if k != "content"} == got
    # What nobody knows to include is no reason to refuse.
    assert "content" in hub.source(first["id"], include="moon,content")
    assert "content" not in hub.source(first["id"], include="moon")

    message = assert_error(hub.get(f"{H}/sources?page_size=0"), 400,
                           "invalid_request", "invalid_pagination")
    assert "pagination" in message.lower()
    assert hub.post(f"{H}/sources", json=body).status_code == 200
    assert [r for r in web.paths() if r == page] == [page]  # fetched once


@pytest.mark.parametrize("headers, word", [
    ({}, "authorization"), ({"authorization": "Bearer exec_live_" + "x" * 40},
                            "key"),
    ({"authorization": "Bearer"}, ""), ({"authorization": ADMIN_KEY}, ""),
    ({"x-api-key": "wrong"}, ""),
    ({"authorization": "Bearer " + ADMIN_KEY, "x-api-key": "other"}, "")])
@pytest.mark.parametrize("method, path", [
    ("POST", "/sources"), ("GET", "/sources"), ("GET", f"/sources/{UNKNOWN}"),
    ("DELETE", f"/sources/{UNKNOWN}"), ("GET", "/folders"), ("GET", "/pages")])
def test_without_a_key_it_is_401(server, headers, word, method, path):
    nobody = Hub(server.url, None)
    message = assert_error(
        nobody.request(method, H + path, headers=headers), 401,
        "authentication_error", "invalid_api_key")
    assert word in message.lower()
    assert ADMIN_KEY not in message
    nobody.close()


def test_the_key_may_stand_in_either_header(server, api):
    plain = server.api.get(f"{H}/sources")
    assert plain.status_code == 200  # x-api-key
    bearer = Hub(server.url)
    assert bearer.get(f"{H}/sources").status_code == 200
    assert bearer.get(f"{K}/knowledge-bases").status_code == 200
    bearer.close()


# ---- one URL, one source ----

def test_fifty_at_once_make_one_source(hub, web):
    # Whichever spelling comes first is the one that is fetched.
    fetched = {f"/{path}/%2{slash}{end}?q=1" for path in (
        "a~b-c", "a%7eb-c", "%61%7Eb%2dc") for slash in "Ff"
               for end in ("x", "%78")}
    web.pages.update(dict.fromkeys(fetched, PRICES))
    host = f"{web.address}:{web.port}"
    spellings = [
        f"{scheme}://{host}/{path}/%2{slash}{end}?q=1{fragment}"
        for scheme in ("http", "HTTP", "hTtP") for end in ("x", "%78")
        for path in ("a~b-c", "a%7eb-c", "%61%7Eb%2dc", "y/../a~b-c", "./a~b-c")
        for slash in "Ff" for fragment in ("", "#", "#top")][:50]
    assert len(set(spellings)) == 50
    bodies = [{"type": "url", "title": f"number {i}", "url": url}
              for i, url in enumerate(spellings)]
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(
            lambda body: hub.post(f"{H}/sources", json=body), bodies))
    assert collections.Counter(a.status_code for a in answers) == \
        {201: 1, 200: 49}, [a.text for a in answers][:3]
    source, = {a.json()["id"] for a in answers}
    made, = [a.json() for a in answers if a.status_code == 201]
    # The first wins, and what the others said of it counts for nothing.
    assert {a.json()["title"] for a in answers} == {made["title"]}
    assert [s["id"] for s in hub.sources()] == [source]
    hub.ready(source)
    assert len([p for p in web.paths() if p in fetched]) == 1


@pytest.mark.parametrize("one, same", [
    ("http://127.0.0.9:80/x", "http://127.0.0.9/x"),
    ("http://127.0.0.9", "http://127.0.0.9:80/"),
    ("http://name.invalid/x", "http://NAME.Invalid:80/x#y"),
    ("https://name.invalid/a%2fb", "https://name.invalid:443/a%2Fb"),
])
def test_default_ports_and_cases_are_one_url(hub, one, same):
    first = hub.add_url(one)
    assert hub.add_url(same, "another title", 200)["id"] == first["id"]


@pytest.mark.parametrize("one, other", [
    ("http://name.invalid/x", "http://name.invalid/x?"),
    ("http://name.invalid/x", "http://name.invalid/x/"),
    ("http://name.invalid/x", "http://name.invalid/X"),
    ("http://name.invalid/x?a=1&b=2", "http://name.invalid/x?b=2&a=1"),
    ("http://name.invalid/x", "https://name.invalid/x"),
    ("http://name.invalid/a/b", "http://name.invalid/a%2Fb"),
    ("http://name.invalid/x", "http://www.name.invalid/x"),
])
def test_other_urls_are_other_sources(hub, one, other):
    first = hub.add_url(one)
    if one + "?" == other:  # an empty query: the same or not, but no fault
        assert hub.post(f"{H}/sources", json={
            "type": "url", "title": "t", "url": other}).status_code in (
                200, 201)
        return
    assert hub.add_url(other)["id"] != first["id"]


def test_a_hit_leaves_the_source_as_it_is(hub, web, page):
    folder = hub.make_folder("one")["id"]
    other = hub.make_folder("two")["id"]
    first = add_ready(hub, web, page, "first", cover="c1", folder_ids=[folder])
    web.pages[page] = html("Prices", "Something else by now.")
    again = hub.add_url(web.url(page), "second", 200, cover="c2",
                        folder_ids=[other])
    assert again == first
    assert hub.source(first["id"]) == first
    assert "heron" in hub.source(first["id"], include="content")["content"]
    assert web.paths().count(page) == 1


def test_a_deleted_one_no_longer_counts(hub, web, page):
    first = add_ready(hub, web, page)
    hub.ok("DELETE", f"{H}/sources/{first['id']}")
    web.pages[page] = html("Prices", "The egret plan is new.")
    second = add_ready(hub, web, page)
    assert second["id"] != first["id"]
    assert "egret" in hub.source(second["id"], include="content")["content"]
    assert hub.get(f"{H}/sources/{first['id']}").status_code == 404


def test_a_failed_one_posted_again_is_fetched_again(hub, web):
    path = "/" + uuid.uuid4().hex
    source = hub.add_url(web.url(path))["id"]
    failed = hub.failed(source)
    asked = web.paths().count(path)
    assert asked >= 1
    web.pages[path] = PRICES
    again = hub.add_url(web.url(path), "another title", 200)
    assert again["id"] == source and again["title"] == "a page"
    got = poll(lambda: (s := hub.source(source))["status"] == "ready" and s,
               90, 0.05)
    assert got["error_message"] is None
    assert got["created_at"] == failed["created_at"]
    assert web.paths().count(path) == asked + 1
    assert hub.find("heron")[0]["source_id"] == source


def test_tenants_share_no_sources(hub, web, page, server, api):
    key = api.ok("POST", "/knowd/v1/keys", 201, json={
        "name": "admin", "tenant": "t-" + uuid.uuid4().hex[:8]})["key"]
    other = Hub(server.url, key)
    mine = hub.add_url(web.url(page))
    theirs = other.add_url(web.url(page))
    assert mine["id"] != theirs["id"]
    other.close()


# ---- lists ----

def test_lists_are_newest_first_in_pages_with_totals(hub, web):
    ids = []
    for i in range(7):
        path = f"/list-{uuid.uuid4().hex[:8]}"
        web.pages[path] = PRICES
        ids.append(hub.add_url(web.url(path), f"page {i}")["id"])
    for size in (1, 3, 7, 50, 100):
        assert [s["id"] for s in hub.sources(page_size=size)] == ids[::-1]
    for row in hub.sources():
        assert SOURCE_FIELDS - set(row) == set() and "content" not in row
    beyond = hub.ok("GET", f"{H}/sources", params={"page": 99})
    assert beyond["data"] == [] and beyond["pagination"]["total_count"] == 7
    far = hub.ok("GET", f"{H}/sources",
                 params={"page": 1_000_000_000, "page_size": 100})
    assert far["data"] == []


def test_an_empty_hub_has_empty_lists(hub):
    got = hub.ok("GET", f"{H}/sources")
    assert got == {"data": [], "pagination": {
        "page": 1, "page_size": 50, "total_count": 0, "total_pages": 0}}
    assert hub.find("anything") == []


def test_every_filter_filters(hub, web, page):
    folder = hub.make_folder("f")["id"]
    empty = hub.make_folder("empty")["id"]
    good = add_ready(hub, web, page, "The GOOD one", folder_ids=[folder])["id"]
    bad = hub.failed(hub.add_url(web.url("/none-" + uuid.uuid4().hex),
                                 "Straße 100%_bad")["id"])["id"]
    article = hub.make_page("with a source", source_ids=[good])["id"]

    def ids(**query):
        return [s["id"] for s in hub.sources(**query)]
    assert ids() == [bad, good]
    assert ids(type="url") == [bad, good]
    for kind in ("upload", "notion", "google_drive", "guru", "page",
                 "integration"):
        assert ids(type=kind) == [], kind
    assert ids(status="ready") == [good] and ids(status="failed") == [bad]
    assert ids(status="pending") == ids(status="processing") == []
    assert ids(folder_id=folder) == [good] and ids(folder_id=empty) == []
    assert ids(page_id=article) == [good]
    assert ids(query="good") == ids(query="GOOD ONE") == [good]
    assert ids(query="heron") == []  # titles only
    for text in ("%", "_", "straße", "STRASSE", "100%_"):
        assert ids(query=text) in ([bad], []), text
    assert ids(query="%") == ids(query="_") == [bad]
    assert ids(query="no such") == ids(query="' or 1=1 --") == []
    assert ids(type="url", status="ready", folder_id=folder, query="good",
               page_id=article) == [good]
    assert ids(type="url", status="failed", folder_id=folder) == []
    for name in ("folder_id", "page_id"):
        answer = hub.get(f"{H}/sources", params={name: UNKNOWN})
        assert answer.status_code in (200, 400), answer.text
        if answer.status_code == 200:
            assert answer.json()["data"] == []


def test_filtered_lists_show_what_was_just_written(hub, web, page):
    source = add_ready(hub, web, page, "old")["id"]
    path = f"{H}/sources/{source}"

    def titles(query):
        return [s["title"] for s in hub.sources(query=query)]
    for name in ("osprey", "Merlin", "KITE"):
        assert titles(name) == titles(name) == []
        hub.ok("PATCH", path, json={"title": name})
        assert titles(name.lower()) == titles(name) == [name]
        assert titles("old") == []
    hub.ok("DELETE", path)
    assert titles("kite") == hub.sources(type="url") == []


def test_files_of_the_hub_are_sources_too(hub, web, page):
    url = add_ready(hub, web, page)["id"]
    base = hub.base_of(url)
    hub.add_text(base, "a note", "the crake of the note")
    note, = hub.sources(type="upload")
    assert note["title"] == "a note" and note["status"] == "ready"
    assert note["external_url"] is None
    assert hub.source(note["id"], include="content")["content"].strip() == \
        "the crake of the note"
    assert [s["source_type"] for s in hub.sources()] == ["upload", "url"]


# ---- one truth in two dialects ----

def test_a_source_is_a_document_of_the_hub(hub, web, page):
    source = add_ready(hub, web, page, "prices")
    assert UUID.fullmatch(source["id"])
    bases = {b["id"]: b for b in hub.pages(f"{K}/knowledge-bases")}
    base, = bases  # one hub, made by itself
    assert bases[base]["document_count"] == 1
    document, = hub.documents(base)
    assert document["id"] == source["id"]
    assert document["title"] == "prices"
    assert document["source_type"] == "url" and document["state"] == "active"
    assert document["token_count"] == source["token_count"]
    version, = hub.versions(source["id"])
    assert version["source_type"] == "url"
    assert version["source_url"] == web.url(page)
    assert version["error_message"] is None
    assert hub.text_of(source["id"]) == \
        hub.source(source["id"], include="content")["content"]


def test_what_a_page_says_of_itself_is_in_its_extraction(hub, web, page):
    """The source's title and address stay as they were given."""
    canonical = web.url(f"{page}/own?lang=de#top")
    web.pages[page] = (200, HTML, f"""<!doctype html><html lang="de-AT"><head>
<title>Reiher am See</title><link rel="canonical" href="{canonical}">
<meta property="article:published_time" content="2023-04-05T06:07:08+02:00">
<meta property="article:modified_time" content="2024-02-29T23:59:00Z"></head>
<body><main><p>Der Reiher steht still, bis ein Fisch kommt.</p></main></body>
</html>""".encode())
    source = add_ready(hub, web, page, "herons")
    document = hub.document(source["id"])
    assert {name: document["extraction"][name] for name in (
        "title", "canonical_url", "language", "created", "modified")} == {
            "title": "Reiher am See", "canonical_url": canonical,
            "language": "de-AT", "created": "2023-04-05T06:07:08+02:00",
            "modified": "2024-02-29T23:59:00Z"}
    assert document["title"] == "herons"
    assert source["external_url"] == web.url(page)
    assert f"{page}/own?lang=de" not in web.paths()


def test_both_searches_find_it_and_nobody_else_does(hub, web, page):
    source = add_ready(hub, web, page, "prices")
    base = hub.base_of(source["id"])
    hit, = hub.find("bittern plan")
    assert set(hit) >= {"source_id", "title", "content", "score", "position",
                        "location"}
    assert hit["source_id"] == source["id"] and hit["title"] == "prices"
    text = hub.source(source["id"], include="content")["content"]
    assert "bittern" in hit["content"] and hit["content"] in text
    place = hit["position"]
    assert text[place["start_char"]:place["end_char"]] == hit["content"]
    other, = hub.search("bittern plan", base)["results"]
    assert other["document_id"] == source["id"]
    assert (other["content"], other["score"]) == \
        (hit["content"], hit["score"])
    assert hub.find("xylophone") == []


def test_search_takes_a_folder_and_a_limit(hub, web):
    top = hub.make_folder("top")["id"]
    below = hub.make_folder("below", parent_id=top)["id"]
    ids = {}
    for name, folders in (("in", [top]), ("under", [below]), ("out", [])):
        path = f"/{name}-{uuid.uuid4().hex[:8]}"
        web.pages[path] = html(name, f"The pipit sings {name}.")
        ids[name] = add_ready(hub, web, path, name, folder_ids=folders)["id"]

    def found(**more):
        return {h["source_id"] for h in hub.find("pipit", **more)}
    assert found() == set(ids.values())
    assert found(folder_id=top) == {ids["in"], ids["under"]}
    assert found(folder_id=below) == {ids["under"]}
    assert len(hub.find("pipit", limit=2)) == 2
    for wrong in ({}, {"query": ""}, {"query": 5}, {"query": "x", "limit": 0},
                  {"query": "x", "limit": "5"},
                  {"query": "x", "limit": 10 ** 9},
                  {"query": "x" * 10_000}):
        assert_error(hub.post(f"{H}/search", json=wrong), 400,
                     "invalid_request")
    answer = hub.post(f"{H}/search", json={"query": "x",
                                           "folder_id": UNKNOWN})
    assert answer.status_code in (400, 404), answer.text


def assert_gone(hub, source, base):
    message = assert_error(hub.get(f"{H}/sources/{source}"), 404, "not_found")
    assert message == f"Source not found: {source}"
    assert hub.get(f"{K}/documents/{source}").status_code == 404
    assert hub.delete(f"{H}/sources/{source}").status_code == 404
    assert hub.delete(f"{K}/documents/{source}").status_code == 404
    assert hub.sources() == [] and hub.documents(base) == []
    assert hub.find("heron") == []
    assert hub.search("heron", base)["results"] == []


def test_deleted_in_one_it_is_gone_from_both(hub, web, page):
    source = add_ready(hub, web, page)["id"]
    base = hub.base_of(source)
    assert hub.ok("DELETE", f"{H}/sources/{source}") == {
        "id": source, "deleted": True}
    assert_gone(hub, source, base)

    source = add_ready(hub, web, page)["id"]
    assert hub.delete(f"{K}/documents/{source}").status_code == 204
    assert_gone(hub, source, base)


def test_one_that_is_being_fetched_may_be_deleted(hub, web):
    path = "/" + uuid.uuid4().hex
    web.pages[path] = web.silent(seconds=20)
    source = hub.add_url(web.url(path))["id"]
    poll(lambda: path in web.paths(), 30)
    assert hub.source(source)["status"] in ("pending", "processing")
    assert hub.ok("DELETE", f"{H}/sources/{source}")["deleted"] is True
    assert hub.get(f"{H}/sources/{source}").status_code == 404
    assert hub.sources() == []
    web.pages[path] = PRICES
    assert add_ready(hub, web, path)["id"] != source


def test_why_it_failed_stands_in_both(hub, web):
    source = hub.failed(hub.add_url(web.url("/no-" + uuid.uuid4().hex))["id"])
    assert "404" in source["error_message"] or \
        "not there" in source["error_message"] or \
        "not found" in source["error_message"].lower()
    version = hub.versions(source["id"])[0]
    assert version["state"] == "failed"
    assert version["error_message"] == source["error_message"]
    listed, = hub.sources()
    assert listed["error_message"] == source["error_message"]
    assert hub.find("anything") == []


def test_a_page_that_moved_is_read_where_it_is(hub, web, page):
    web.pages["/moved" + page] = redirect(page, 301)
    source = add_ready(hub, web, "/moved" + page)
    assert source["external_url"] == web.url("/moved" + page)
    assert "heron" in hub.source(source["id"], include="content")["content"]


def test_sources_survive_a_restart(start_server, tmp_path, web, page):
    server = start_server(*NET, data=tmp_path / "d")
    hub = Hub(server.url)
    done = add_ready(hub, web, page)
    slow = "/" + uuid.uuid4().hex
    web.pages[slow] = web.silent(seconds=5)
    waiting = hub.add_url(web.url(slow))["id"]
    poll(lambda: slow in web.paths(), 30)
    web.pages[slow] = PRICES
    server.kill()
    hub = Hub(start_server(*NET, data=tmp_path / "d").url)
    assert hub.source(done["id"]) == done
    assert hub.ready(waiting)["title"] == "a page"
    assert len(hub.find("heron")) == 2
    assert hub.add_url(web.url(page), status=200)["id"] == done["id"]


def test_a_source_is_changed_by_our_patch(hub, web, page):
    one, two = (hub.make_folder(n)["id"] for n in ("one", "two"))
    source = add_ready(hub, web, page, "old", folder_ids=[one])
    path = f"{H}/sources/{source['id']}"
    got = hub.ok("PATCH", path, json={"title": "new", "folder_ids": [two]})
    assert got["title"] == "new" and got["cover"] == ""
    assert [f["id"] for f in got["folders"]] == [two]
    got = hub.ok("PATCH", path, json={"cover": "c", "folder_ids": []})
    assert (got["title"], got["cover"], got["folders"]) == ("new", "c", [])
    # Characters are counted, not bytes.
    assert hub.ok("PATCH", path, json={"cover": "🌿" * 4096})["cover"] == \
        "🌿" * 4096
    assert assert_error(hub.patch(path, json={"cover": "c" * 4097}), 400,
                        "invalid_request", "cover_too_long") == \
        "cover must be 4096 characters or fewer"
    assert hub.document(source["id"])["title"] == "new"
    assert hub.find("heron")[0]["title"] == "new"
    assert_error(hub.patch(path, json={"folder_ids": [UNKNOWN]}), 400,
                 "invalid_request", "folder_not_found")
    assert_error(hub.patch(path, json={"title": 5}), 400, "invalid_request")
    assert_error(hub.patch(f"{H}/sources/{UNKNOWN}", json={"title": "x"}),
                 404, "not_found")


# ---- ids ----

def test_both_forms_of_an_id_are_taken(start_server, tmp_path, web, page):
    server = start_server(*NET, data=tmp_path / "d")
    hub = Hub(server.url)
    folder = hub.make_folder("f")["id"]
    long = add_ready(hub, web, page, folder_ids=[folder])["id"]
    article = hub.make_page("p", source_ids=[long])["id"]
    for text in (long, folder, article):
        assert UUID.fullmatch(text), text
    assert server.stop() == 0

    server = start_server(*NET, "--exec-ids", "short", data=tmp_path / "d")
    hub = Hub(server.url)
    source, = hub.sources()
    short = source["id"]
    assert CODE.fullmatch(short) and short.startswith("s")
    shown = {"folders": folder, "pages": article, "sources": long}
    codes = {}
    for kind, text in shown.items():
        got = hub.ok("GET", f"{H}/{kind}/{text}")
        assert CODE.fullmatch(got["id"]), got["id"]
        assert hub.ok("GET", f"{H}/{kind}/{got['id']}") == got
        codes[kind] = got["id"]
    assert len(set(codes.values())) == 3
    for text in (folder, codes["folders"]):
        assert [s["id"] for s in hub.sources(folder_id=text)] == [short]
    for text in (article, codes["pages"]):
        assert [s["id"] for s in hub.sources(page_id=text)] == [short]
    assert hub.find("heron")[0]["source_id"] == short
    assert hub.add_url(web.url(page), status=200)["id"] == short
    # A code names one kind of thing.
    assert hub.get(f"{H}/folders/{short}").status_code == 404
    # Feather knows its documents by UUIDs alone.
    assert hub.document(long)["id"] == long
    assert hub.get(f"{K}/documents/{short}").status_code == 422
    assert server.stop() == 0

    hub = Hub(start_server(*NET, data=tmp_path / "d").url)
    assert hub.source(short)["id"] == hub.source(long)["id"] == long
    assert hub.ok("DELETE", f"{H}/sources/{short}")["deleted"] is True
    assert hub.get(f"{H}/sources/{long}").status_code == 404


@pytest.mark.parametrize("text", [
    UNKNOWN, "01a2254a-c70b-78cc-9520-b7dfce8f729f", "x", "S0000000000Z",
    "s" * 5000, "%00", "s000%000000z", "..%2f..%2fetc", "%ff%fe", "'or'1'='1",
    "🌿", "-1", "null"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_id_that_is_none_is_404(hub, method, text):
    answer = hub.request(method, f"{H}/sources/{text}")
    assert_error(answer, 404, "not_found")


# ---- bad input and faults ----

GOOD = {"type": "url", "title": "t", "url": "http://name.invalid/"}


@pytest.mark.parametrize("change, code", [
    ({"type": "file"}, "invalid_type"), ({"type": "upload"}, "invalid_type"),
    ({"type": "URL"}, "invalid_type"), ({"type": ""}, "invalid_type"),
    ({"type": 5}, None), ({"type": None}, None),
    ({"type": ...}, "missing_field"), ({"title": ...}, "missing_field"),
    ({"url": ...}, "missing_field"), ({"title": 5}, None),
    ({"title": None}, None), ({"title": ""}, None), ({"title": " "}, None),
    ({"title": "x" * 100_000}, None), ({"url": None}, None),
    ({"url": 5}, None), ({"url": ""}, None),
    ({"url": "http://name.invalid/" + "x" * 9_980}, "url_too_long"),
    ({"url": "name.invalid"}, "invalid_url"),
    ({"url": "/relative"}, "invalid_url"), ({"url": "http://"}, "invalid_url"),
    ({"url": "http://na me.invalid/"}, "invalid_url"),
    ({"url": "http://[::1/"}, "invalid_url"),
    ({"url": "http://name.invalid:99999/"}, "invalid_url"),
    ({"url": "file:///etc/passwd"}, "invalid_url"),
    ({"url": "ftp://name.invalid/"}, "invalid_url"),
    ({"url": "javascript:alert(1)"}, "invalid_url"),
    ({"url": "data:text/html,x"}, "invalid_url"),
    ({"folder_ids": [UNKNOWN]}, "folder_not_found"),
    ({"folder_ids": [str(uuid.uuid4())]}, "folder_not_found"),
    ({"folder_ids": ["x" * 1000]}, None),
    ({"folder_ids": "f"}, None), ({"folder_ids": [5]}, None),
    ({"folder_ids": [None]}, None), ({"cover": 5}, None),
])
def test_a_wrong_body_is_400_and_makes_nothing(hub, change, code):
    body = {k: v for k, v in {**GOOD, **change}.items() if v is not ...}
    answer = hub.post(f"{H}/sources", json=body)
    message = assert_error(answer, 400, "invalid_request", code)
    assert len(message) < 1000
    if code == "missing_field":
        assert message == f"{next(iter(change))} is required"
    assert hub.sources() == []


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b'"url"', b"5", b"\xff\xfe", b'{"a":1}{"b":2}',
    b'{"type":"url","title":"\\ud800","url":"http://name.invalid/"}',
    b"[" * 100_000])
def test_a_body_that_is_no_object_is_400(hub, body):
    answer = hub.post(f"{H}/sources", content=body,
                      headers={"content-type": "application/json"})
    assert_error(answer, 400, "invalid_request")
    assert hub.sources() == []


def test_unknown_fields_are_no_fault_and_doubles_count_once(hub):
    folder = hub.make_folder("f")["id"]
    got = hub.add_url("http://name.invalid/", "t", moon=1,
                      folder_ids=[folder, folder])
    assert [f["id"] for f in got["folders"]] == [folder]


@pytest.mark.parametrize("query, code", [
    ("page_size=101", "invalid_pagination"),
    ("page_size=0", "invalid_pagination"),
    ("page_size=-1", "invalid_pagination"),
    ("page_size=x", "invalid_pagination"),
    ("page_size=", "invalid_pagination"),
    ("page_size=5.5", "invalid_pagination"),
    ("page_size=99999999999999999999", "invalid_pagination"),
    ("page=0", "invalid_pagination"), ("page=-1", "invalid_pagination"),
    ("page=x", "invalid_pagination"),
    ("page=99999999999999999999", "invalid_pagination"),
    ("page=1000000001", "invalid_pagination"),
    ("type=file", "invalid_type"), ("type=", "invalid_type"),
    ("type=URL", "invalid_type"), ("status=done", "invalid_status"),
    ("status=", "invalid_status"), ("status=archived", "invalid_status")])
def test_a_wrong_query_is_400(hub, query, code):
    assert_error(hub.get(f"{H}/sources?{query}"), 400, "invalid_request",
                 code)


@pytest.mark.parametrize("url", [
    "http://user:s3cret@127.0.0.1/", "file:///etc/passwd",
    "http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0/",
    "http://0.0.0.0/", "http://[fd00:ec2::254]/", "gopher://127.0.0.1/",
    "http://192.168.0.1:22/", "http://100.64.0.1/", "http://[::]/"])
def test_where_nothing_may_go_nothing_goes(hub, url):
    answer = hub.post(f"{H}/sources", json={"type": "url", "title": "t",
                                            "url": url})
    assert "s3cret" not in answer.text
    if answer.status_code == 400:
        assert_plain(assert_error(answer, 400, "invalid_request",
                                  "invalid_url"))
    else:
        assert answer.status_code == 201, answer.text
        hub.failed(answer.json()["id"])


def test_a_redirect_does_not_lead_there_either(hub, web):
    for target in ("http://10.0.0.1/", "http://169.254.169.254/",
                   f"http://[::ffff:127.0.0.1]:{web.port}/", "http://0:80/"):
        path = "/" + uuid.uuid4().hex
        web.pages[path] = redirect(target)
        hub.failed(hub.add_url(web.url(path))["id"])


def test_by_itself_loopback_is_out_of_reach(start_server, web, page):
    hub = Hub(start_server().url)
    answer = hub.post(f"{H}/sources", json={"type": "url", "title": "t",
                                            "url": web.url(page)})
    if answer.status_code != 400:
        hub.failed(answer.json()["id"])
    assert page not in web.paths()


def test_what_is_not_built_is_404_in_this_dialect(hub):
    for method, path in (("GET", f"{H}/moon"), ("GET", "/rest/v1/nothing"),
                         ("POST", f"{H}/sources/{UNKNOWN}/moon"),
                         ("GET", "/rest/v1/")):
        assert_error(hub.request(method, path), 404, "not_found")
    answer = hub.put(f"{H}/sources", json={})
    assert answer.status_code in (404, 405) and "error" in answer.json()


def test_a_large_body_is_413(hub):
    answer = hub.post(f"{H}/sources", json={**GOOD, "moon": "x" * (2 << 20)})
    assert answer.status_code == 413
    assert isinstance(answer.json()["error"], dict)


def test_the_log_names_no_key(server, hub, web, page):
    add_ready(hub, web, page)
    assert hub.key not in server.log_text()


def test_html_that_says_otherwise_is_text_all_the_same(hub, web):
    path = "/" + uuid.uuid4().hex
    web.pages[path] = (200, {**HTML, "Content-Type": "text/html; "
                             "charset=iso-8859-1"},
                       "<title>Käse</title><p>Die Rohrdommel kauft Käse."
                       .encode("latin-1"))
    source = add_ready(hub, web, path)
    assert "Käse" in hub.source(source["id"], include="content")["content"]

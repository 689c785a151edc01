"""Sources whose web servers are odd, broken or hostile: each ends, in time and
with a sentence for whoever named it, and holds up nobody. All are posted at
once at the beginning; the tests look at how they ended."""

import time

import pytest

from conftest import Server, check_folder, poll
from containment import MEMORY_BYTES_MAX, Watch
from hub import Hub, assert_plain
from pdfs import Pdf, show
from web import (HTML, NET, Web, gzip_bomb, gzipped, html, raw, redirect,
                 send)

GOOD = html("Waders", "The whimbrel wades where it likes.")
SHELL = (200, HTML, b"<!doctype html><html><head><title>App</title>"
         b"<script src=/static/app.8f3a.js></script></head><body>"
         b"<noscript>You need to enable JavaScript to run this app.</noscript>"
         b"<div id=root></div></body></html>")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
SECONDS = 90  # the bound for each, from when it was posted


def pdf():
    made = Pdf()
    made.page(show(72, 700, "The curlew calls from a file of pages."))
    return made.bytes()


def redirects(web):
    """A loop of two, one of itself, one without an end."""
    web.pages["/loop-a"] = redirect("/loop-b")
    web.pages["/loop-b"] = redirect("/loop-a")
    web.pages["/self"] = redirect("/self", 301)
    for n in range(60):
        web.pages[f"/endless?{n}"] = redirect(f"/endless?{n + 1}")


def hostile(web):
    """path -> page, of those that keep who asks waiting."""
    return {
        "/endless-body": web.endless(HEAD + b"\r\n", b"<p>more " * 8192),
        "/endless-chunks": web.endless(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
            b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        "/dripping-body": web.endless(HEAD + b"Content-Length: 100000\r\n\r\n",
                                      b"x", 0.5),
        "/slow-headers": web.endless(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.5),
        "/endless-headers": web.endless(b"HTTP/1.1 200 OK\r\n",
                                        b"X-More: y\r\n" * 1000),
        "/silent": web.silent(),
        "/silent-body": web.silent(HEAD + b"Content-Length: 100\r\n\r\nhalf"),
    }


def failing(web):
    """path -> (page, a word of the reason or None)."""
    redirects(web)
    good = GOOD[2]
    return {
        "/too-short": (raw(HEAD + b"Content-Length: 1000\r\n\r\n<p>short"),
                       None),
        "/cut-chunk": (raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
                           b"64\r\n<p>short"), None),
        "/negative-length": (raw(HEAD + b"Content-Length: -5\r\n\r\nx"), None),
        "/huge-length": (raw(HEAD + b"Content-Length: 99999999999999\r\n\r\n"
                             b"<p>little"), None),
        "/gzip-gzip": ((200, {**HTML, "Content-Encoding": "gzip, gzip"},
                        gzipped(gzipped(good))), None),
        "/gzip-inside": ((200, {**HTML, "Content-Encoding": "gzip"},
                          gzipped(gzipped(good))), None),
        "/gzip-bomb": ((200, {**HTML, "Content-Encoding": "gzip"},
                        gzip_bomb()), None),
        "/gzip-cut": ((200, {**HTML, "Content-Encoding": "gzip"},
                       gzipped(good)[:-20]), None),
        "/gzip-lie": ((200, {**HTML, "Content-Encoding": "gzip"}, good), None),
        "/unknown-coding": ((200, {**HTML, "Content-Encoding": "moon"}, good),
                            None),
        "/loop-a": (redirect("/loop-b"), "redirect"),
        "/self": (redirect("/self"), "redirect"),
        "/endless?0": (redirect("/endless?1"), "redirect"),
        "/to-file": (redirect("file:///etc/passwd"), None),
        "/to-mapped": (redirect(f"http://[::ffff:127.0.0.1]:{web.port}/good"),
                       None),
        "/to-private": (redirect("http://10.0.0.1/"), None),
        "/to-nowhere": (redirect(""), None),
        "/to-password": (redirect(f"http://u:s3cret@127.0.0.1:{web.port}/"),
                         None),
        "/404": ((404, HTML, b"<p>whimbrel"), "404"),
        "/410": ((410, HTML, b"<p>whimbrel"), "410"),
        "/403": ((403, HTML, b"<p>whimbrel"), "403"),
        "/401": ((401, {**HTML, "WWW-Authenticate": "Basic"}, b"x"), "401"),
        "/429-odd": ((429, {**HTML, "Retry-After": "soon"}, b"x"), "429"),
        "/500": ((500, HTML, b"<p>whimbrel"), "500"),
        "/503": ((503, HTML, b""), "503"),
        "/304": ((304, {"ETag": '"x"'}, b""), None),
        "/204": (raw(b"HTTP/1.1 204 No Content\r\n\r\n"), None),
        "/206": ((206, HTML, b"<p>a part of it"), None),
        "/999": ((999, HTML, b"<p>whimbrel"), None),
        "/empty": ((200, HTML, b""), None),
        "/blank": ((200, HTML, b" \r\n\t "), None),
        "/no-words": ((200, HTML, b"<title></title><body><img src=x></body>"),
                      None),
        "/garbage": (raw(bytes(range(256)) * 10), None),
        "/hangs-up": (raw(b""), None),
        "/binary": ((200, {"Content-Type": "application/x-thing"},
                     bytes(range(256)) * 64), None),
        "/zip-slip": ((200, HTML, b"PK\x03\x04" + bytes(200)), None),
        "/shell": (SHELL, "javascript"),
        "/shell-app": ((200, HTML, b"<!doctype html><title>x</title><body>"
                        b"<div id=app></div><script>" + b"var a=1;" * 2000 +
                        b"</script><noscript>Please enable JavaScript."
                        b"</noscript>"), "javascript"),
    }


def busy():
    """path -> page, of those that say when to come back."""
    return {
        "/429": (429, {**HTML, "Retry-After": "3"}, b"x"),
        "/429-long": (429, {**HTML, "Retry-After": "86400"}, b"x"),
        "/503": (503, {"Retry-After": "1"}, b""),
        "/503-long": (503, {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"},
                      b""),
    }


def reading():
    """path -> (page, words that are found in it)."""
    good = GOOD[2]
    # Nothing in it ends what is read: more of it would be text as well.
    open_end = b"<p>The whimbrel has no page around it."
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(good[i:i + 7]), good[i:i + 7])
                       for i in range(0, len(good), 7)) + b"0\r\n\r\n"
    return {
        "/good": (GOOD, "whimbrel"),
        "/pdf-as-html": ((200, HTML, pdf()), "curlew"),
        "/pdf": ((200, {"Content-Type": "application/pdf"}, pdf()), "curlew"),
        "/html-as-octets": ((200, {"Content-Type":
                                   "application/octet-stream"}, good),
                            "whimbrel"),
        "/html-as-image": ((200, {"Content-Type": "image/png"}, good),
                           "whimbrel"),
        "/no-type": ((200, {}, good), "whimbrel"),
        "/text": ((200, {"Content-Type": "text/plain"},
                   b"The whimbrel stands in plain text."), "whimbrel"),
        "/markdown": ((200, {"Content-Type": "text/markdown"},
                       b"# Birds\n\nThe *whimbrel* again.\n"), "whimbrel"),
        "/gzip": ((200, {**HTML, "Content-Encoding": "gzip"}, gzipped(good)),
                  "whimbrel"),
        "/gzip-members": ((200, {**HTML, "Content-Encoding": "gzip"},
                           gzipped(b"<!doctype html><title>Two</title><body>"
                                   b"<p>" + b"One part comes first. " * 20) +
                           gzipped(b"The whimbrel stands in the other.</p>")),
                          "whimbrel"),
        "/by-proxy": ((203, HTML, good), "whimbrel"),
        "/chunked": (raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" +
                         chunked), "whimbrel"),
        "/no-length": (raw(HEAD + b"\r\n" + good), "whimbrel"),
        "/longer": (raw(HEAD + b"Content-Length: %d\r\n\r\n" %
                        len(open_end) + open_end +
                        b"<p>It was smuggled in behind the end of it."),
                    "whimbrel"),
        "/hops": (redirect("/hop-2"), "whimbrel"),
        "/refresh": ((200, {**HTML, "Refresh": "0; url=/never"}, good),
                     "whimbrel"),
        "/points": ((200, HTML, b"<meta http-equiv=refresh content='0;"
                     b"url=/never'><link rel=canonical href=/never>"
                     b"<link rel=icon href=/never><img src=/never>"
                     b"<iframe src=/never></iframe>" + good), "whimbrel"),
        "/forbidden-by-robots": (GOOD, "whimbrel"),
        "/noscript-aside": ((200, HTML, good + b"<div id=root></div><noscript>"
                             b"<img src=/never></noscript>"), "whimbrel"),
        "/charset-of-header": (
            (200, {"Content-Type": "text/html; charset=koi8-r"},
             "<!doctype html><html lang=ru><title>x</title><body><p>"
             "Большой кулик ходит по болоту и не боится.".encode("koi8-r")),
            "кулик"),
        "/fragment": ((200, HTML, open_end), "whimbrel"),
        "/latin1": ((200, {"Content-Type": "text/html; charset=latin1"},
                     "<title>x</title><p>Der Käfer und der whimbrel."
                     .encode("latin-1")), "Käfer"),
    }


class World:
    """Everything posted at once, and how it ended."""

    def __init__(self, server):
        self.hub = Hub(server.url)
        self.bad = [Web(f"127.0.0.{n}") for n in (2, 3)]
        self.web = Web()
        self.web.pages["/robots.txt"] = (
            200, {"Content-Type": "text/plain"},
            b"User-agent: *\nDisallow: /\n")
        self.web.pages["/hop-2"] = redirect("/hop-3", 308)
        self.web.pages["/hop-3"] = redirect(self.web.url("/good"), 307)
        self.failing, self.reading = failing(self.web), reading()
        self.hostile, self.busy = {}, {}
        self.ids, self.ended, self.took = {}, {}, {}
        for path, (page, _) in {**self.failing, **self.reading}.items():
            self.web.pages[path] = page
        began = time.monotonic()
        for n, web in enumerate(self.bad):  # many at once, of several hosts
            for path, page in hostile(web).items():
                web.pages[path] = page
                self.hostile[f"{path} of {n}"] = web.url(path)
        for name, url in self.hostile.items():
            self.ids[name] = self.hub.add_url(url, name)["id"]
        poll(lambda: all(web.asked for web in self.bad), 30)
        # A page that nothing is wrong with, while those hang.
        mark = time.monotonic()
        self.web.pages["/meanwhile"] = GOOD
        self.hub.ready(self.hub.add_url(self.web.url("/meanwhile"))["id"], 60)
        self.good_took = time.monotonic() - mark
        self.hanging_then = sum(
            self.hub.source(i)["status"] in ("pending", "processing")
            for i in self.ids.values())
        for path in [*self.reading, *self.failing]:
            self.ids[path] = self.hub.add_url(self.web.url(path), path)["id"]
        for n, (path, page) in enumerate(busy().items()):  # a host each
            web = self.busy[path] = Web(f"127.0.1.{n + 1}")
            web.pages.update({path: page, "/good": GOOD})
            self.ids[f"busy {path}"] = \
                self.hub.add_url(web.url(path), f"busy {path}")["id"]
        poll(lambda: all(web.asked for web in self.busy.values()), 60)
        for path, web in self.busy.items():
            name = f"beside {path}"
            self.ids[name] = self.hub.add_url(web.url("/good"), name)["id"]
        posted = time.monotonic()
        while time.monotonic() - posted < SECONDS and \
                len(self.ended) < len(self.ids):
            for got in self.hub.sources(page_size=100):
                name = got["title"]
                if name in self.ids and name not in self.ended and \
                        got["status"] in ("ready", "failed"):
                    self.ended[name] = got
                    self.took[name] = time.monotonic() - (
                        began if name in self.hostile else posted)
            time.sleep(0.2)

    def close(self):
        for web in (self.web, *self.bad, *self.busy.values()):
            web.close()

    def end_of(self, name):
        assert name in self.ended, \
            f"{name}: {self.hub.source(self.ids[name])}"
        return self.ended[name]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("web") / "data", *NET)
    with Watch(server) as watch:
        world = World(server)
    world.peak = watch.peak
    yield world
    world.close()
    assert server.stop(60) == 0, server.log_text()[-2000:]
    assert check_folder(server.data) == []


class Paths:
    """The names to parametrize by, without a server: the same functions."""
    web = type("NoWeb", (), {
        "pages": {}, "port": 0, "endless": lambda *_, **k: None,
        "silent": lambda *_, **k: None})()
    hostile = list(hostile(web))
    failing = list(failing(web))
    reading = list(reading())


def test_a_good_page_is_ready_while_the_others_hang(world):
    assert world.hanging_then > 0
    assert world.good_took < 30


@pytest.mark.parametrize("path", Paths.hostile)
def test_what_keeps_one_waiting_is_given_up(world, path):
    for n in range(len(world.bad)):
        got = world.end_of(f"{path} of {n}")
        assert got["status"] == "failed", got
        assert_plain(got["error_message"])
        assert world.took[f"{path} of {n}"] <= SECONDS + 5


@pytest.mark.parametrize("path", Paths.failing)
def test_what_cannot_be_read_fails_and_says_why(world, path):
    got = world.end_of(path)
    assert got["status"] == "failed", got
    assert_plain(got["error_message"])
    assert "whimbrel" not in got["error_message"]
    word = world.failing[path][1]
    assert word is None or word in got["error_message"].lower(), got
    assert got["token_count"] in (None, 0)
    version = world.hub.versions(got["id"])[0]
    assert version["error_message"] == got["error_message"]
    full = world.hub.source(got["id"], include="content")
    assert not full["content"]


@pytest.mark.parametrize("path", Paths.reading)
def test_what_can_be_read_is_read_by_its_content(world, path):
    got = world.end_of(path)
    assert got["status"] == "ready", got
    word = world.reading[path][1]
    full = world.hub.source(got["id"], include="content")
    assert word in full["content"]
    assert "smuggled" not in full["content"]
    assert "<p>" not in full["content"] and "%PDF" not in full["content"]


def test_nothing_that_a_page_points_to_is_asked_for(world):
    assert "/never" not in world.web.paths()
    assert "/favicon.ico" not in world.web.paths()


def test_only_what_is_ready_is_found(world):
    ready = {world.ids[path] for path, (_, word) in world.reading.items()
             if word == "whimbrel"}
    found = {hit["source_id"] for hit in
             world.hub.find("whimbrel", limit=100)}
    assert ready <= found
    assert world.hub.find("smuggled") == []
    failed = {got["id"] for got in world.ended.values()
              if got["status"] == "failed"}
    assert failed and not found & failed


@pytest.mark.parametrize("path", list(busy()))
def test_a_busy_server_is_asked_no_more_than_a_few_times(world, path):
    got = world.end_of(f"busy {path}")
    assert got["status"] == "failed", got
    assert_plain(got["error_message"])
    assert path[1:4] in got["error_message"]
    asked = world.busy[path].paths().count(path)
    assert 1 <= asked <= (2 if "long" in path else 30)


@pytest.mark.parametrize("path", list(busy()))
def test_pages_that_were_named_are_not_paced(world, path):
    """One page's Retry-After is not the other's, nor one's failure."""
    got = world.end_of(f"beside {path}")
    assert got["status"] == "ready", got


def test_what_will_not_pass_is_not_tried_again(world):
    for path in ("/401", "/403", "/404", "/410", "/to-file", "/shell"):
        assert world.web.paths().count(path) == 1, path
    for path in ("/500", "/503", "/hangs-up"):
        assert 1 <= world.web.paths().count(path) <= 10, path


def test_who_asks_says_who_it_is_and_no_more(world):
    for asked in world.web.asked:
        assert asked.method == "GET"
        assert "knowd" in asked.headers["user-agent"].lower()
        assert not {"authorization", "cookie", "x-api-key", "referer"} & \
            set(asked.headers)


def test_memory_stays_within_bounds(world):
    print(f"peak {world.peak >> 20} MiB")
    assert 0 < world.peak < 2 * MEMORY_BYTES_MAX


def test_a_page_that_did_not_change_fails_as_before_and_then_reads(
        world):
    """Answered 304 where it is asked with conditions; there is no text to
    keep, so `unchanged` is no reason to be ready."""
    hub, web = world.hub, world.web
    version = {"shown": (SHELL[0], {**HTML, "ETag": '"one"', "Last-Modified":
                                    "Mon, 06 Jul 2026 10:00:00 GMT"},
                         SHELL[2])}

    def answer(peer, asked):
        page = version["shown"]
        if asked.headers.get("if-none-match") == page[1]["ETag"]:
            return 304, {"ETag": page[1]["ETag"]}, b""
        if "if-none-match" not in asked.headers and \
                asked.headers.get("if-modified-since") == \
                page[1]["Last-Modified"]:
            return 304, {}, b""
        send(peer, *page)
        return None
    web.pages["/conditional"] = answer
    url = web.url("/conditional")
    first = hub.failed(hub.add_url(url)["id"])
    assert "javascript" in first["error_message"].lower()

    def asked():
        return web.paths().count("/conditional")
    before = asked()
    assert hub.add_url(url, status=200)["id"] == first["id"]
    poll(lambda: asked() > before, 30)
    again = hub.failed(first["id"])
    assert "javascript" in again["error_message"].lower()
    version["shown"] = (200, {**HTML, "ETag": '"two"', "Last-Modified":
                              "Tue, 07 Jul 2026 10:00:00 GMT"}, GOOD[2])
    hub.add_url(url, status=200)
    poll(lambda: hub.source(first["id"])["status"] == "ready", SECONDS, 0.1)
    assert "whimbrel" in hub.source(first["id"],
                                    include="content")["content"]

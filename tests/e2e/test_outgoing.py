"""What goes out: net/fetch in the namespace of outgoing_lab.py."""

import time

import pytest

import outgoing_urls as urls
from outgoing_lab import opened


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    yield from opened(tmp_path_factory.mktemp("lab"))


# ---- forbidden ----

def assert_refused(url, got):
    """By the guard, not because nobody was at home."""
    faults = {"forbidden", "bad url"}
    if "nothing.example" in url or "empty.test" in url:
        faults = {"unresolved"}
    assert got["rc"] != "ok" and got["fault"] in faults, (url, got)


def test_five_hundred_forbidden_urls_are_refused(lab):
    all_of_them = urls.forbidden()
    assert len(all_of_them) >= 500
    for url in all_of_them:
        assert_refused(url, lab.ask(url))
    lab.assert_nothing_reached()


@pytest.mark.parametrize("hops", [1, 5])
def test_redirects_to_them_are_refused(lab, hops):
    assert len(lab.targets) >= 500
    for n, target in enumerate(lab.targets):
        got = lab.ask(f"http://allowed.test/hop?k={hops}&n={n}")
        assert_refused(target, got)
        assert got["hops"] in (hops, hops - 1), (target, got)
    lab.assert_nothing_reached()


def download_to(file):
    return {"download": str(file), "bytes_max": 1 << 20}


@pytest.mark.parametrize("hops", [1, 5])
def test_a_download_is_led_to_none_of_them(lab, tmp_path, hops):
    """Its user names a host; what that one points to is anybody's URL."""
    ask = download_to(tmp_path / "file")
    before = lab.counts()["queries"].get(("allowed.test", 1), 0)
    for n, target in enumerate(lab.targets):
        got = lab.ask({"url": f"http://allowed.test/hop?k={hops}&n={n}",
                       **ask})
        assert got["rc"] in ("denied", "invalid", "remote"), (target, got)
    # They were led that far: each hop's name is looked up anew.
    assert lab.counts()["queries"]["allowed.test", 1] - before >= \
        hops * len(lab.targets)
    assert list(tmp_path.iterdir()) == []
    lab.assert_nothing_reached()


def test_a_download_that_is_led_somewhere_good_is_made(lab, tmp_path):
    got = lab.ask({"url": "http://allowed.test/moved",
                   **download_to(tmp_path / "file")})
    assert got["rc"] == "ok", got
    assert (tmp_path / "file").read_text() == "<p>good</p>" * 10


def test_forty_allowed_ones_pass(lab):
    allowed = urls.allowed()
    assert len(allowed) >= 40
    for url in allowed:
        got = lab.ask(url)
        assert (got["rc"], got["status"], got["body_bytes"]) == (
            "ok", 200, 110), (url, got)
    lab.assert_nothing_reached()


# ---- names that mean something else a moment later ----

@pytest.mark.parametrize("name,rounds", [("flip", 1000), ("flip6", 200),
                                         ("flap", 200)])
def test_a_name_that_flips_reaches_nothing(lab, name, rounds):
    before = lab.packets()["public_tcp"]
    got = [lab.ask(f"http://{name}.test/page") for _ in range(rounds)]
    fetched = [g for g in got if g["rc"] == "ok"]
    refused = [g for g in got if g["fault"] == "forbidden"]
    assert len(fetched) + len(refused) == rounds
    if name != "flap":  # there each round has a forbidden one
        assert len(fetched) > rounds // 4
    assert len(refused) >= rounds // 2 - 1
    # One query a round: what was judged is what was connected to.
    assert lab.counts()["queries"][f"{name}.test", 1] == rounds
    # A connection may be kept, but none is made for a round that is refused.
    assert lab.packets()["public_tcp"] - before <= len(fetched)
    lab.assert_nothing_reached()


def test_one_forbidden_address_among_many_is_enough(lab):
    for name in ("mixed", "mixed6", "many", "chain"):
        got = lab.ask(f"http://{name}.test/")
        assert (got["rc"], got["fault"]) == ("denied", "forbidden"), name
    lab.assert_nothing_reached()


# ---- redirects, statuses, conditions ----

def test_redirects_have_an_end(lab):
    got = lab.ask("http://allowed.test/moved")
    assert (got["status"], got["hops"], got["moved"]) == (200, 1, True)
    assert got["url"] == "http://allowed.test/page"
    for path in ("self", "endless"):
        got = lab.ask(f"http://allowed.test/{path}")
        assert (got["rc"], got["fault"]) == ("remote", "redirects")
    assert lab.ask("http://allowed.test/loopback")["fault"] == "bad url"
    assert lab.ask("http://allowed.test/file")["fault"] == "bad url"
    assert lab.ask("http://allowed.test/secure")["status"] == 200
    assert lab.ask("https://allowed.test/secure")["status"] == 200
    assert lab.ask("https://allowed.test/insecure")["fault"] == "forbidden"
    got = lab.ask("http://allowed.test/refresh")
    assert (got["status"], got["hops"]) == (200, 0)
    assert lab.ask("http://bad.test/bare-cr")["rc"] != "ok"
    assert lab.ask("http://bad.test/smuggled")["rc"] != "ok"


def test_certificates_are_verified(lab):
    assert lab.ask("https://allowed.test/page")["rc"] == "ok"
    for host in ("www.test", "45.33.0.1"):  # not those it is for
        got = lab.ask(f"https://{host}/page")
        assert (got["rc"], got["fault"]) == ("remote", "bad tls")


def test_statuses_are_answers(lab):
    assert lab.ask("http://allowed.test/gone")["status"] == 410
    assert lab.ask("http://allowed.test/none")["status"] == 404
    assert lab.ask("http://allowed.test/broken")["status"] == 503
    got = lab.ask("http://allowed.test/busy")
    assert (got["status"], got["retry_ms"]) == (429, 7000)


def test_what_did_not_change_costs_nothing(lab):
    first = lab.ask("http://allowed.test/page")
    assert first["etag"] and first["last_modified"]
    for known in ({"etag": first["etag"]},
                  {"last_modified": first["last_modified"]}):
        got = lab.ask({"url": "http://allowed.test/page", **known})
        assert (got["rc"], got["status"], got["body_bytes"]) == ("ok", 304, 0)
    got = lab.ask({"url": "http://allowed.test/page", "etag": '"else"'})
    assert got["status"] == 200


# ---- bodies ----

def test_bombs_end_at_the_limit(lab):
    limit = {"bytes_max": 4 << 20}
    began = time.monotonic()
    got = lab.ask({"url": "http://allowed.test/bomb", **limit})
    assert (got["rc"], got["fault"]) == ("limit", "too large")
    got = lab.ask({"url": "http://allowed.test/bomb2", **limit})
    assert (got["rc"], got["fault"]) == ("remote", "broken")
    assert time.monotonic() - began < 10
    got = lab.ask({"url": "http://allowed.test/bomb-small", **limit})
    assert (got["rc"], got["body_bytes"]) == ("ok", 5000)
    got = lab.ask({"url": "http://allowed.test/deflated", **limit})
    assert (got["rc"], got["body_bytes"]) == ("ok", 7000)


@pytest.mark.parametrize("path,faults", [
    ("cut", {"broken"}), ("cut-chunk", {"broken"}), ("garbage", {"broken"}),
    ("no-end", {"too large"}), ("no-end-of-head", {"too large"}),
    ("no-end-of-line", {"too large", "broken"}),
    ("no-end-of-continues", {"too large"}),
    ("no-end-of-trailer", {"too large", "broken"}),
    ("no-end-of-chunk-head", {"timed out", "broken", "too large"}),
    ("dripping", {"timed out"}), ("dripping-head", {"timed out"}),
    ("silent", {"timed out"})])
def test_a_server_that_breaks_its_word_is_told_by_it(lab, path, faults):
    got = lab.ask({"url": f"http://bad.test/{path}", "timeout_ms": 2000,
                   "bytes_max": 1 << 20})
    assert got["fault"] in faults, got
    assert got["ms"] < 4000
    assert got["text"]
    assert lab.ask("http://allowed.test/page")["rc"] == "ok"


def test_a_redirect_is_followed_before_its_body_ends(lab):
    got = lab.ask({"url": "http://bad.test/redirect-no-end",
                   "timeout_ms": 5000})
    assert (got["rc"], got["status"], got["hops"]) == ("ok", 200, 1)


def test_what_is_too_slow_is_given_up(lab):
    got = lab.ask({"url": "http://allowed.test/slow", "stall_ms": 2000,
                   "bytes_per_s": 2000, "timeout_ms": 20000})
    assert got["fault"] == "timed out" and got["ms"] < 8000
    got = lab.ask({"url": "http://silent.test/", "timeout_ms": 700})
    assert got["fault"] in ("timed out", "unresolved") and got["ms"] < 2000


# ---- allowed by the operator: last, as from here on the counters count ----

def test_an_allowed_network_is_reached_and_no_other(lab):
    mine = lab.start_driver("10.0.0.0/8", "fd00:ec2::/32")
    for url in ("http://192.168.0.1/", "http://169.254.169.254/",
                "http://[::ffff:10.0.0.1]/", "http://0/", "http://[::1]/",
                "http://127.0.0.1:8080/", "http://allowed.test:8080/"):
        assert lab.ask(url, mine)["rc"] in ("denied", "invalid"), url
    lab.assert_nothing_reached()
    before = len(lab.counts()["connects"])
    for url in ("http://10.0.0.1/", "http://10.0.0.1:8080/",
                "http://a-10-0-0-1.test/", "http://[fd00:ec2::254]/"):
        assert lab.ask(url, mine)["fault"] == "broken", url  # dummies hang up
    assert len(lab.counts()["connects"]) - before >= 4
    assert lab.packets()["forbidden"] > 0  # the counters do count
    mine.stdin.close()


def test_the_operator_goes_anywhere(lab):
    got = lab.ask({"url": "http://10.0.0.1:8080/", "operator": True})
    assert got["fault"] == "broken"  # a dummy hung up
    got = lab.ask("http://10.0.0.1/")  # and nobody else, on the same handle
    assert got["fault"] == "forbidden"

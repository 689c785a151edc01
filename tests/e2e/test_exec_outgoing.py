"""The server as a path out: sources posted to knowd in the namespace of
outgoing_lab.py. What must not be reached isn't, and what may be is read."""

import collections
import os
import time

import pytest

import outgoing_urls as urls
from conftest import poll
from hub import H, assert_error, assert_plain
from outgoing_lab import opened

BATCH = 100  # posted before it is waited for


class Path:
    """Posts URLs and waits for what becomes of them."""

    def __init__(self, lab, hub):
        self.lab, self.hub = lab, hub

    def post(self, url, n):
        return self.hub.post(f"{H}/sources", json={
            "type": "url", "title": f"number {n}", "url": url})

    def ended(self, ids, seconds):
        """id -> source, once each is ready or has failed."""
        got = {}

        def look():
            for one in ids - set(got):
                source = self.hub.source(one)
                if source["status"] in ("ready", "failed"):
                    got[one] = source
            return len(got) == len(ids)
        poll(look, seconds, 0.2)
        return got

    def run(self, urls, seconds=90):
        """[(url, source or None where it was 400)] in their order."""
        results = []
        for at in range(0, len(urls), BATCH):
            batch = urls[at:at + BATCH]
            answers = [self.post(url, at + n) for n, url in enumerate(batch)]
            for url, answer in zip(batch, answers):
                if answer.status_code == 400:
                    assert_plain(assert_error(answer, 400, "invalid_request"))
                else:
                    assert answer.status_code in (200, 201), (url, answer.text)
            ids = [None if a.status_code == 400 else a.json()["id"]
                   for a in answers]
            ends = self.ended({i for i in ids if i is not None}, seconds)
            results += [(url, ends.get(i)) for url, i in zip(batch, ids)]
        return results


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    yield from opened(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def path(lab, tmp_path_factory):
    hub = lab.start_knowd(tmp_path_factory.mktemp("knowd") / "data")
    return Path(lab, hub)


def assert_all_refused(lab, results):
    for url, source in results:
        if source is not None:
            assert source["status"] == "failed", (url, source)
            assert_plain(source["error_message"])
    print(collections.Counter(
        "400" if source is None else source["error_message"].split(":")[0]
        for _, source in results).most_common(8))
    lab.assert_nothing_reached()


def test_five_hundred_forbidden_urls_are_refused(lab, path):
    forbidden = urls.forbidden()
    assert len(forbidden) >= 500
    before = lab.packets()["public_tcp"]
    assert_all_refused(lab, lab.asking(path.run, forbidden))
    assert lab.packets()["public_tcp"] == before


@pytest.mark.parametrize("hops", [1, 5])
def test_redirects_to_them_are_refused(lab, path, hops):
    posted = [f"http://allowed.test/hop?k={hops}&n={n}"
              for n in range(len(lab.targets))]
    assert len(posted) >= 500
    before = lab.counts()["queries"].get(("allowed.test", 1), 0)
    results = lab.asking(path.run, posted)
    assert all(source is not None for _, source in results)
    assert_all_refused(lab, results)
    # They were asked for, and each hop's name was looked up anew.
    assert lab.counts()["queries"]["allowed.test", 1] - before >= \
        hops * len(posted)


def test_forty_allowed_ones_become_ready(lab, path):
    allowed = urls.allowed()
    assert len(allowed) >= 40
    results = lab.asking(path.run, allowed)
    for url, source in results:
        assert source is not None and source["status"] == "ready", \
            (url, source)
    # Spellings of one URL are one source, and each has what the page says.
    ids = {source["id"] for _, source in results}
    assert 10 < len(ids) < len(allowed)
    for one in ids:
        full = lab.asking(path.hub.source, one, include="content")
        assert full["content"].count("good") == 10
    lab.assert_nothing_reached()


def test_default_ports_and_the_hosts_case_are_one_source(lab, path):
    ids = {lab.asking(path.post, url, 0).json()["id"] for url in (
        "http://allowed.test/page", "HTTP://ALLOWED.test:80/page",
        "http://allowed.test:080/page#x", "http://allowed.test/%70age")}
    assert len(ids) == 1


@pytest.mark.parametrize("name", ["flip", "flip6", "flap"])
def test_a_name_that_flips_reaches_nothing(lab, path, name):
    rounds = 50
    posted = [f"http://{name}.test/page?n={n}" for n in range(rounds)]
    before = lab.packets()["public_tcp"]
    queries = lab.counts()["queries"].get((f"{name}.test", 1), 0)
    results = lab.asking(path.run, posted)
    ends = collections.Counter(source["status"] for _, source in results)
    print(name, ends)
    assert sum(ends.values()) == rounds
    assert ends["failed"] >= 1
    if name != "flap":  # there each round has a forbidden one
        assert ends["ready"] >= rounds // 4
    asked = lab.counts()["queries"][f"{name}.test", 1] - queries
    assert asked >= rounds  # each is judged anew
    assert lab.packets()["public_tcp"] - before <= asked
    lab.assert_nothing_reached()


def test_one_forbidden_address_among_many_is_enough(lab, path):
    results = lab.asking(path.run, [
        f"http://{name}.test/only" for name in
        ("mixed", "mixed6", "many", "chain")])
    assert_all_refused(lab, results)


def test_pages_point_nowhere(lab, path):
    before = lab.packets()["public_tcp"]
    (_, source), = lab.asking(path.run, ["http://allowed.test/refresh"])
    assert source["status"] == "ready", source
    assert lab.packets()["public_tcp"] - before <= 2
    lab.assert_nothing_reached()


def test_a_server_that_breaks_its_word_fails_in_time(lab, path):
    began = time.monotonic()
    bad = ["no-end", "no-end-of-head", "no-end-of-line"]
    if os.environ.get("KNOWD_CHECK_FULL"):  # tried again, for a minute
        bad += ["cut", "cut-chunk", "garbage", "dripping", "silent",
                "smuggled", "bare-cr"]
    results = lab.asking(path.run, [f"http://bad.test/{one}" for one in bad])
    assert_all_refused(lab, results)
    assert time.monotonic() - began < 95


# ---- allowed by the operator: last, as from here on the counters count ----

def test_an_allowed_network_is_reached_and_no_other(lab, tmp_path_factory):
    hub = lab.start_knowd(tmp_path_factory.mktemp("knowd") / "data",
                          "--allow-net", "10.0.0.0/8")
    mine = Path(lab, hub)
    assert_all_refused(lab, lab.asking(mine.run, [
        "http://192.168.0.1/", "http://169.254.169.254/",
        "http://[::ffff:10.0.0.1]/", "http://0/", "http://[::1]/",
        "http://127.0.0.1:8080/", "http://allowed.test:8080/"]))
    before = len(lab.counts()["connects"])
    results = lab.asking(mine.run, ["http://10.0.0.1/", "http://10.0.0.1:8080/",
                                    "http://a-10-0-0-1.test/"])
    for url, source in results:  # dummies hang up
        assert source["status"] == "failed", url
    assert len(lab.counts()["connects"]) - before >= 3
    assert lab.packets()["forbidden"] > 0  # the counters do count

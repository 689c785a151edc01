"""A hub of 10,000 sources in Exec's dialect: how long lists and reads take, over
one connection that stays. GET /healthz beside them is what a request costs that
asks nothing of the database, this client included.

All kinds of request are asked in turns, so that other work hurts all alike.
Before those "after a write" a source gets another title, which isn't timed.

    SOURCES=1000 REQUESTS=50    less of it"""

import http.client
import json
import os
import random
import time
import urllib.parse

from server import KEY, Server, table

SOURCES = int(os.environ.get("SOURCES", "10000"))
REQUESTS = int(os.environ.get("REQUESTS", "500"))
GROUP = 1000
IN_FOLDER = 10  # every so many sources
H = "/rest/v1/knowledge-hub"
K = "/v1/knowledge-base"
WORDS = ("segment posting recall cursor checkpoint tombstone ledger anchor "
         "harbour willow copper lantern meadow").split()
# About one title in 2,000 has it; in none.
RARE, ABSENT = "Quartz", "no such title"
GOAL_MS = 2.0  # of lists while nothing is written
AFTER = "after a write: "


class Http:
    """One connection that stays."""

    def __init__(self, url):
        self.c = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)

    def ask(self, method, path, body=None, kind="application/json"):
        """(status, bytes, ms)"""
        began = time.perf_counter()
        self.c.request(method, path, body,
                       {"x-api-key": KEY, "content-type": kind})
        answer = self.c.getresponse()
        text = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {text[:300]}")
        return answer.status, text, took

    def call(self, method, path, body=None):
        return json.loads(self.ask(
            method, path, None if body is None else json.dumps(body))[1])


def title_of(i):
    rare = f" {RARE}" if i % 2000 == 7 else ""
    return f"{WORDS[i % len(WORDS)].title()} notes of {WORDS[i % 7]}{rare}, {i}"


def text_of(rng, i):
    """Some 1,200 letters in six paragraphs."""
    return f"Note {i}.\n\n" + "\n\n".join(
        " ".join(rng.choices(WORDS, k=27)) + "." for _ in range(6))


def ingest(c, base, items):
    c.ask("POST", f"{K}/knowledge-bases/{base}/ingest",
          '--b\r\nContent-Disposition: form-data; name="manifest"\r\n\r\n'
          f"{json.dumps(items)}\r\n--b--\r\n",
          "multipart/form-data; boundary=b")


def fill(c):
    """A folder's id; every tenth source lies in it."""
    folder = c.call("POST", H + "/folders", {"name": "Every tenth"})["id"]
    base = c.call("GET", K + "/knowledge-bases")["items"][0]["id"]
    rng = random.Random(3)
    for first in range(0, SOURCES, GROUP):
        ingest(c, base, [
            {"type": "text", "title": title_of(i), "content": text_of(rng, i)}
            for i in range(first, min(first + GROUP, SOURCES))])
    while c.call("GET", H + "/sources?status=ready&page_size=1")[
            "pagination"]["total_count"] < SOURCES:
        time.sleep(0.2)
    ids = []
    while len(ids) < SOURCES:
        page = len(ids) // 100 + 1
        ids += [s["id"] for s in c.call(
            "GET", f"{H}/sources?page_size=100&page={page}")["data"]]
    for one in ids[::IN_FOLDER]:
        c.call("PATCH", f"{H}/sources/{one}", {"folder_ids": [folder]})
    return folder, ids


def kinds(folder):
    """(name, what is asked: a path, {} in it a source's id)"""
    lists = [("page 1 of 50", "page=1&page_size=50"),
             ("page 1 of 100", "page=1&page_size=100"),
             ("page 100 of 50", "page=100&page_size=50"),
             ("page 100 of 100", "page=100&page_size=100"),
             ("status ready (all)", "status=ready"),
             ("status failed (none)", "status=failed"),
             ("status ready, page 100 of 100",
              "status=ready&page=100&page_size=100"),
             ("type upload (all)", "type=upload"),
             ("query, 1 in 13", "query=willow+NOTES"),
             ("query, 1 in 2,000", "query=" + RARE.lower()),
             ("query, none", "query=" + urllib.parse.quote_plus(ABSENT)),
             ("folder, 1 in 10", "folder_id=" + folder),
             ("folder, page 10 of 100",
              f"folder_id={folder}&page=10&page_size=100"),
             ("folder, status, query",
              f"folder_id={folder}&status=ready&query=willow")]
    return [("GET /healthz", "/healthz"),
            *((f"list: {name}", f"{H}/sources?{q}") for name, q in lists),
            (AFTER + "query, none",
             f"{H}/sources?query={urllib.parse.quote_plus(ABSENT)}"),
            ("get", H + "/sources/{}"),
            ("get, include=content", H + "/sources/{}?include=content")]


def main():
    server = Server()
    try:
        c = Http(server.url)
        folder, ids = fill(c)
        asked, rng = kinds(folder), random.Random(4)
        took = {name: [] for name, _ in asked}
        size = {}
        for i in range(REQUESTS + 5):
            for name, path in asked:
                if name.startswith(AFTER):
                    c.call("PATCH", f"{H}/sources/{rng.choice(ids)}",
                           {"title": title_of(i)})
                _, text, ms = c.ask("GET", path.format(rng.choice(ids)))
                size[name] = len(text)
                if i >= 5:
                    took[name].append(ms)
        rows = []
        for name, _ in asked:
            ms = sorted(took[name])
            p50 = ms[len(ms) // 2]
            rows.append([name, f"{p50:.2f}", f"{ms[len(ms) * 95 // 100]:.2f}",
                         f"{ms[0]:.2f}", size[name],
                         "over" if p50 > GOAL_MS and name.startswith("list")
                         else ""])
        table(f"exec: {SOURCES} sources, {REQUESTS} requests of each in turns; "
              f"goal: p50 <= {GOAL_MS:.0f} ms",
              ["what", "p50 ms", "p95 ms", "least", "bytes", ""], rows)
    finally:
        server.stop()


if __name__ == "__main__":
    main()

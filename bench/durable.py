"""Durable small-text ingest over HTTP, 64 clients that wait for their 202:
commits in groups against the same program with groups of one."""

import http.client
import json
import threading
import time
import urllib.parse

from server import KEY, Server, median, table

CLIENTS = 64
SECONDS = 4.0
ROUNDS = 5


def load(server, base):
    """Documents acknowledged a second, and documents an fsync."""
    where = urllib.parse.urlparse(server.url)
    stop = time.monotonic() + SECONDS
    counts = [0] * CLIENTS
    errors = []

    def client(me):
        link = http.client.HTTPConnection(where.hostname, where.port,
                                          timeout=60)
        while time.monotonic() < stop:
            text = f"note {me} {counts[me]} {time.monotonic_ns()} of a client"
            manifest = json.dumps([{"type": "text", "title": "note",
                                    "content": text}])
            body = ("--b\r\nContent-Disposition: form-data; name=\"manifest\""
                    "\r\n\r\n" + manifest + "\r\n--b--\r\n").encode()
            link.request("POST", "/v1/knowledge-base/knowledge-bases/"
                         f"{base}/ingest", body,
                         {"x-api-key": KEY, "content-type":
                          "multipart/form-data; boundary=b"})
            answer = link.getresponse()
            answer.read()
            if answer.status != 202:
                errors.append(answer.status)
                return
            counts[me] += 1

    commits = server.metric("knowd_store_commits_total")
    began = time.monotonic()
    threads = [threading.Thread(target=client, args=(i,))
               for i in range(CLIENTS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    took = time.monotonic() - began
    commits = server.metric("knowd_store_commits_total") - commits
    if errors:
        raise SystemExit(f"unexpected status {errors[0]}")
    return sum(counts) / took, sum(counts) / max(commits, 1)


def main():
    results = {"groups": [], "one": []}
    for _ in range(ROUNDS):
        for name, options in (("groups", []), ("one", ["--commit-group", "1"])):
            server = Server(*options)
            base = server.call("POST", "/v1/knowledge-base/knowledge-bases",
                               {"name": "bench"})["id"]
            results[name].append(load(server, base))
            server.stop()
    groups, one = results["groups"], results["one"]
    ratio = median([g[0] / o[0] for g, o in zip(groups, one)])
    table(f"durable: {CLIENTS} clients, median of {ROUNDS} interleaved rounds",
          ["commits", "documents/s", "documents a commit", "ratio"],
          [["in groups", f"{median([g[0] for g in groups]):.0f}",
            f"{median([g[1] for g in groups]):.1f}", f"{ratio:.2f}x"],
           ["one by one", f"{median([o[0] for o in one]):.0f}",
            f"{median([o[1] for o in one]):.1f}", "1x"]])


if __name__ == "__main__":
    main()

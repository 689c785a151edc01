#!/usr/bin/env python3
"""Kills the server again and again and holds it to what it acknowledged.

Writers upload, replace and delete through HTTP and keep a journal: each
intention and each acknowledgement is a line that is fsynced before going on.
At a random moment the server's whole process group gets SIGKILL. Then:

  * `knowd check --deep` on the folder as the kill left it finds nothing wrong;
  * the next start becomes ready;
  * every acknowledged upload is there with the same bytes and is found by a
    token only it holds; every acknowledged delete is gone from GET and search;
  * what was never acknowledged is wholly there or not at all.

    tests/torture/kill.py --kills 50 --seed 7

The last line is 'N passed, N failed'; a failure names the seed and keeps the
folder.
"""

import argparse
import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
KEY = "torture-admin-key-0123456789-0123456789"
K = "/v1/knowledge-base"
WRITERS = 4


class Died(Exception):
    """The server went away under a request."""


class Server:
    def __init__(self, binary, data):
        self.binary, self.data = binary, data
        self.process, self.port = None, 0

    def start(self):
        self.log = open(self.data + ".log", "ab")
        self.process = subprocess.Popen(
            [self.binary, "serve", "--data", self.data, "--listen",
             "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=self.log,
            env=dict(os.environ, KNOWD_ADMIN_KEY=KEY),
            start_new_session=True)

    def wait_ready(self):
        line = self.process.stdout.readline().decode()
        if "listening on" not in line:
            raise AssertionError("the server did not start, see "
                                 + self.data + ".log")
        self.port = urllib.parse.urlparse(line.split()[-1]).port
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self.call("GET", "/readyz")[0] == 200:
                return
            time.sleep(0.005)
        raise AssertionError("not ready within 60 s")

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def call(self, method, path, body=None, kind="application/json"):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            link.request(method, path, body,
                         {"x-api-key": KEY, "content-type": kind})
            answer = link.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as e:
            raise Died(str(e)) from e
        finally:
            link.close()
        return answer.status, text

    def json(self, method, path, body=None, want=(200, 201, 202)):
        status, text = self.call(method, path,
                                 None if body is None else json.dumps(body))
        if status not in want:
            raise AssertionError(f"{method} {path}: {status} {text[:300]!r}")
        return json.loads(text) if text else None


class Journal:
    """What was meant and what was acknowledged; fsynced line by line."""

    def __init__(self, path):
        self.lock = threading.Lock()
        self.file = open(path, "a", encoding="utf-8")
        self.docs = {}     # token -> {"sha", "id", "acked"}
        self.deleted = {}  # id -> acked
        self.checked = set()

    def write(self, **entry):
        with self.lock:
            self.file.write(json.dumps(entry) + "\n")
            self.file.flush()
            os.fsync(self.file.fileno())

    def live(self, rng):
        with self.lock:
            ids = [(t, d) for t, d in self.docs.items()
                   if d["acked"] and d["id"] not in self.deleted]
        return rng.choice(ids) if ids else None


def body_of(rng, token):
    words = ["anchor", "harbour", "copper", "lantern", "meadow", "willow",
             "granite", "thimble", "saffron", "pebble"]
    size = rng.choice([30, 30, 200, 200, 2000, 30000])
    text = " ".join(rng.choice(words) for _ in range(size))
    return f"# Note {token}\n\n{text}\n\nThe end of {token}.\n"


def upload(server, journal, base, rng, count):
    docs = []
    for _ in range(count):
        token = "tok" + "".join(rng.choice("bcdfghjklmnpqrstvwxz")
                                for _ in range(14))
        docs.append((token, body_of(rng, token)))
    for token, text in docs:
        sha = hashlib.sha256(text.encode()).hexdigest()
        journal.write(op="put", token=token, sha=sha)
        with journal.lock:
            journal.docs[token] = {"sha": sha, "id": None, "acked": False}
    manifest, files = [], []
    for token, text in docs:
        if len(text) > 5000:
            manifest.append({"type": "file", "title": token,
                             "file_index": len(files)})
            files.append((token, text))
        else:
            manifest.append({"type": "text", "title": token, "content": text})
    parts = ["--b\r\nContent-Disposition: form-data; name=\"manifest\"\r\n\r\n"
             + json.dumps(manifest) + "\r\n"]
    for token, text in files:
        parts.append("--b\r\nContent-Disposition: form-data; name=\"files\"; "
                     f"filename=\"{token}.md\"\r\n\r\n{text}\r\n")
    status, text = server.call(
        "POST", f"{K}/knowledge-bases/{base}/ingest",
        ("".join(parts) + "--b--\r\n").encode(),
        "multipart/form-data; boundary=b")
    if status == 503:
        return
    if status != 202:
        raise AssertionError(f"ingest: {status} {text[:300]!r}")
    for (token, _), item in zip(docs, json.loads(text)["items"]):
        journal.write(op="put-ack", token=token, id=item["document_id"])
        with journal.lock:
            journal.docs[token].update(id=item["document_id"], acked=True)


def delete(server, journal, rng):
    chosen = journal.live(rng)
    if chosen is None:
        return
    doc = chosen[1]["id"]
    with journal.lock:
        if doc in journal.deleted:
            return
        journal.deleted[doc] = False
    journal.write(op="delete", id=doc)
    status, text = server.call("DELETE", f"{K}/documents/{doc}")
    if status not in (204, 503):
        raise AssertionError(f"delete: {status} {text[:300]!r}")
    if status == 204:
        journal.write(op="delete-ack", id=doc)
        with journal.lock:
            journal.deleted[doc] = True


def writer(server, journal, base, seed, stop, failures):
    rng = random.Random(seed)
    try:
        while not stop.is_set():
            if rng.random() < 0.25:
                delete(server, journal, rng)
            else:
                upload(server, journal, base, rng, rng.choice([1, 1, 3, 12]))
    except Died:
        pass
    except AssertionError as e:
        failures.append(str(e))


def settled(server, base):
    until = time.monotonic() + 120
    while time.monotonic() < until:
        state = server.json("GET",
                            f"{K}/knowledge-bases/{base}/ingestion-status")
        if state["pending"] + state["processing"] == 0:
            if state["failed"] or state["quarantined"]:
                raise AssertionError(f"documents failed: {state}")
            return state
        time.sleep(0.02)
    raise AssertionError("jobs did not end within 120 s")


def found(server, base, token):
    hits = server.json("POST", f"{K}/search",
                       {"query": token, "kb_ids": [base], "limit": 5})
    return {h["document_id"] for h in hits["results"]
            if token in h["content"] or token == h["document_title"]}


def original(server, doc):
    path = urllib.parse.urlparse(doc["download_url"])
    status, text = server.call("GET", path.path + "?" + path.query)
    if status != 200:
        raise AssertionError(f"download of {doc['id']}: {status}")
    return hashlib.sha256(text).hexdigest()


def verify(server, journal, base, rng):
    settled(server, base)
    tokens = [t for t in journal.docs if t not in journal.checked]
    older = list(journal.checked)
    tokens += rng.sample(older, min(len(older), 20))
    listed, cursor = {}, None
    while True:
        page = server.json("GET", f"{K}/knowledge-bases/{base}/documents"
                           "?limit=200" + (f"&cursor={cursor}" if cursor
                                           else ""))
        listed.update({d["title"]: d for d in page["items"]})
        cursor = page["next_cursor"]
        if not page["has_more"]:
            break
    unknown = set(listed) - set(journal.docs)
    assert not unknown, f"documents nobody sent: {sorted(unknown)[:3]}"
    for token in tokens:
        doc = journal.docs[token]
        there = listed.get(token)
        if doc["id"] is None and there is not None:
            doc["id"] = there["id"]
        gone = journal.deleted.get(doc["id"])
        if gone:
            assert there is None, f"deleted {token} is back in the list"
            status, _ = server.call("GET", f"{K}/documents/{doc['id']}")
            assert status == 404, f"deleted {token} answers {status}"
            assert not found(server, base, token), f"deleted {token} is found"
        elif there is None:
            assert not doc["acked"] or gone is False, \
                f"acknowledged {token} is lost"
            assert not found(server, base, token), f"half of {token} is found"
        else:
            # An acknowledged delete never comes back; an unacknowledged one
            # may have happened or not, and here it has not.
            assert original(server, there) == doc["sha"], \
                f"{token} has other bytes"
            assert there["id"] in found(server, base, token), \
                f"{token} is not found"
        if there is None or gone is not False:
            journal.checked.add(token)
        if gone is False and there is not None:
            del journal.deleted[doc["id"]]
        elif gone is False:
            journal.deleted[doc["id"]] = True


def check(binary, data):
    done = subprocess.run([binary, "check", "--data", data, "--deep"],
                          capture_output=True, text=True, timeout=300,
                          check=False)
    assert done.returncode == 0, \
        f"knowd check --deep: {done.returncode}\n{done.stdout}{done.stderr}"


def cycle(server, journal, base, rng, during_start):
    """One life of the server; returns once it is dead."""
    server.start()
    if during_start:
        time.sleep(rng.uniform(0.001, 0.06))
        server.kill()
        return base
    server.wait_ready()
    if base is None:
        base = server.json("POST", f"{K}/knowledge-bases",
                           {"name": "torture"})["id"]
    else:
        verify(server, journal, base, rng)
    stop, failures = threading.Event(), []
    threads = [threading.Thread(target=writer, args=(
        server, journal, base, rng.random(), stop, failures))
        for _ in range(WRITERS)]
    for t in threads:
        t.start()
    time.sleep(rng.uniform(0.001, 0.8))
    server.kill()
    stop.set()
    for t in threads:
        t.join(timeout=90)
    assert not failures, failures[0]
    return base


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int,
                        default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--binary", default=os.path.join(
        ROOT, "build/release/knowd"))
    options = parser.parse_args()
    print(f"kill -9: {options.kills} kills, seed {options.seed}", flush=True)
    rng = random.Random(options.seed)
    work = tempfile.mkdtemp(prefix="knowd-torture-")
    data = os.path.join(work, "data")
    server = Server(options.binary, data)
    journal = Journal(os.path.join(work, "journal"))
    base, passed, failed = None, 0, 0
    for i in range(options.kills):
        try:
            base = cycle(server, journal, base, rng,
                         base is not None and rng.random() < 0.15)
            check(options.binary, data)
            passed += 1
        except (AssertionError, Died, subprocess.TimeoutExpired) as e:
            failed = 1
            print(f"kill {i + 1}: {e}\nagain: tests/torture/kill.py --kills "
                  f"{options.kills} --seed {options.seed}\nfolder: {work}")
            server.kill()
            break
    if not failed:
        try:
            server.start()
            server.wait_ready()
            if base is not None:
                verify(server, journal, base, rng)
            server.kill()
            check(options.binary, data)
            passed += 1
        except (AssertionError, Died) as e:
            failed = 1
            print(f"after the last kill: {e}\nfolder: {work}")
            server.kill()
    acked = sum(d["acked"] for d in journal.docs.values())
    print(f"acknowledged: {acked} uploads, "
          f"{sum(journal.deleted.values())} deletes")
    if not failed:
        shutil.rmtree(work)
    print(f"{passed} passed, {failed} failed")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()

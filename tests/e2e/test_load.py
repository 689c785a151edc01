"""Many at once: uploads of the largest size, slow clients by the thousand,
SIGTERM under load."""

import contextlib
import json
import re
import resource
import socket
import threading
import time

import pytest

from conftest import ADMIN_KEY, K, check_folder, poll

KIB, MIB = 1 << 10, 1 << 20
UPLOADS = 32
CONNECTIONS = 2000


def connect(server, seconds=30):
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=seconds)


def head(method, path, *more):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x",
                        f"x-api-key: {ADMIN_KEY}", *more, "", ""]).encode()


def test_32_uploads_of_the_largest_size_at_once_need_little_memory(
        start_server):
    server = start_server()
    base = server.api.make_base()
    before = server.rss_bytes()
    form = (b"--b\r\nContent-Disposition: form-data; name=\"manifest\"\r\n\r\n"
            + json.dumps([{"type": "file", "file_index": 0}]).encode()
            + b"\r\n--b\r\nContent-Disposition: form-data; name=\"files\"; "
            b"filename=\"a.txt\"\r\n\r\n")
    slice_ = b"all the same words over and over " * (32 * KIB)
    with contextlib.ExitStack() as stack:
        uploads = [stack.enter_context(connect(server))
                   for _ in range(UPLOADS)]
        for s in uploads:
            s.sendall(head(
                "POST", f"{K}/knowledge-bases/{base}/ingest",
                "Content-Type: multipart/form-data; boundary=b",
                f"Content-Length: {512 * MIB}") + form)
        for _ in range(8):  # of 512 slices each: what is held shows by then
            for s in uploads:
                s.sendall(slice_)
        assert server.api.get("/readyz").status_code == 200
        held = server.peak_bytes()
    assert held <= 512 * MIB
    # No upload is in memory: a slice alone is a mebibyte.
    assert held - before < UPLOADS * 4 * MIB
    tmp = server.data / "tmp"
    poll(lambda: list(tmp.iterdir()) == [])


@pytest.fixture
def many_files():
    """Room for the connections of both sides; the server inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = 2 * CONNECTIONS + 500
    if hard != resource.RLIM_INFINITY and hard < want:
        pytest.skip(f"only {hard} descriptors are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, want), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


SLOW = {
    "header": lambda base: b"GET /healthz HTTP/1.1\r\nHost: x\r\nA",
    "body": lambda base: head("POST", f"{K}/search",
                              "Content-Length: 10000") + b"{",
    "read": lambda base: head("GET", "/openapi.json"),
    "idle": lambda base: b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("kind", SLOW)
def test_2000_slow_clients_leave_the_others_served(start_server, many_files,
                                                   kind):
    server = start_server()
    base = server.api.make_base()
    server.api.add_text(base, "t", "words for the others")
    before = server.rss_bytes()
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            s = stack.enter_context(connect(server))
            if kind == "read":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(SLOW[kind](base))
        assert len(server.api.search("others", base)["results"]) == 1
        # The last may be made and not taken yet.
        least = CONNECTIONS if kind in ("header", "body") else 1
        poll(lambda: int(re.search(r"^knowd_http_connections (\d+)",
                                   server.api.get("/metrics").text,
                                   re.M)[1]) >= least, 10)
        slowest = 0.0
        for i in range(50):
            began = time.monotonic()
            assert server.api.search("others", base)["total_results"] == 1
            answer = server.api.ingest(base, [{
                "type": "text", "title": "t", "content": f"while slow {i}"}])
            assert answer.status_code == 202
            slowest = max(slowest, time.monotonic() - began)
        per_connection = (server.peak_bytes() - before) / CONNECTIONS
    print(f"{kind}: {per_connection / KIB:.1f} KiB a connection, "
          f"slowest {slowest * 1000:.0f} ms")
    assert per_connection < 32 * KIB
    assert server.api.get("/readyz").status_code == 200
    assert server.stop() == 0


class Sender(threading.Thread):
    """Sends requests until the server is gone. Each one the server took must
    be answered whole: 202, or 503 while it ends."""

    def __init__(self, server, base, name, kept):
        super().__init__()
        self.server, self.base, self.label, self.kept = (server, base, name,
                                                         kept)
        self.acked, self.broken = [], []

    def body(self, i):
        manifest = json.dumps([{"type": "text", "title": "t",
                                "content": f"{self.label} item{i} load"}])
        return (f"--b\r\nContent-Disposition: form-data; name=\"manifest\""
                f"\r\n\r\n{manifest}\r\n--b--\r\n").encode()

    def ask(self, s, i):
        body = self.body(i)
        s.sendall(head("POST", f"{K}/knowledge-bases/{self.base}/ingest",
                       "Content-Type: multipart/form-data; boundary=b",
                       f"Content-Length: {len(body)}") + body)
        got = b""
        while b"\r\n\r\n" not in got:
            more = s.recv(65536)
            if not more:
                raise ConnectionError(f"closed after {got!r}")
            got += more
        answer, _, rest = got.partition(b"\r\n\r\n")
        want = int(re.search(rb"Content-Length: (\d+)", answer)[1])
        while len(rest) < want:
            more = s.recv(65536)
            if not more:
                raise ConnectionError("cut in the body")
            rest += more
        status = int(answer.split()[1])
        if status == 202:
            self.acked.append(json.loads(rest)["items"][0]["document_id"])
        elif status != 503:
            raise ConnectionError(f"answered {status}")
        return b"onnection: close" not in answer

    def run(self):
        s = None
        for i in range(100000):
            try:
                s = s or connect(self.server)
            except (ConnectionRefusedError, ConnectionResetError):
                return  # the door closed before anything was asked
            except OSError as why:
                self.broken.append(f"connect: {why}")
                return
            try:
                goes_on = self.ask(s, i)
            except (OSError, AttributeError) as why:
                self.broken.append(f"request {i}: {why!r}")
                return
            if not (self.kept and goes_on):
                s.close()
                s = None


@pytest.mark.parametrize("turn", range(5))
def test_sigterm_under_load_answers_all_it_took(start_server, tmp_path, turn):
    server = start_server(data=tmp_path / "d")
    base = server.api.make_base()
    senders = [Sender(server, base, f"sender{i}", kept=i % 2 == 0)
               for i in range(16)]
    for s in senders:
        s.start()
    poll(lambda: sum(len(s.acked) for s in senders) >= 100 * (turn + 1))
    began = time.monotonic()
    assert server.stop(10) == 0
    assert time.monotonic() - began <= 10
    for s in senders:
        s.join(30)
    assert [why for s in senders for why in s.broken] == []
    assert check_folder(tmp_path / "d") == []
    again = start_server(data=tmp_path / "d")
    docs = {d["id"] for d in again.api.pages(
        f"{K}/knowledge-bases/{base}/documents", limit=200)}
    assert {d for s in senders for d in s.acked} <= docs

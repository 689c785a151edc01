"""A web server on loopback, which serves whatever a test says, odd or good.

    web = Web()
    web.pages["/a"] = html("Pumps", "lift water")     # an answer
    web.pages["/b"] = lambda peer, asked: peer.sendall(b"garbage")
    web.url("/a"), web.asked

An answer is (status, headers, body); a function writes to the peer by itself
and may take its time: each peer has a thread, which ends when the peer goes.
"""

import functools
import gzip
import socket
import threading
import time
import zlib

NET = ("--allow-net", "127.0.0.0/8")  # what a server needs to get here
HTML = {"Content-Type": "text/html; charset=utf-8"}


def html(title, *paragraphs, headers=None, status=200):
    body = "".join(f"<p>{p}</p>\n" for p in paragraphs)
    return (status, {**HTML, **(headers or {})},
            f"<!doctype html><html lang=en><title>{title}</title><body><main>"
            f"<h1>{title}</h1>\n{body}</main></body></html>".encode())


def redirect(to, status=302):
    return status, {"Location": to}, b""


class Asked:
    """A request as it came."""

    def __init__(self, head):
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, *_ = first.split(" ")
        self.headers = {name.strip().lower(): value.strip() for name, _, value
                        in (line.partition(":") for line in lines if line)}


class Web:
    def __init__(self, address="127.0.0.1"):
        self.pages = {}
        self.asked = []
        self.over = False
        self.socket = socket.create_server((address, 0), backlog=256)
        self.address, self.port = self.socket.getsockname()
        threading.Thread(target=self.serve, daemon=True).start()

    def url(self, path):
        return f"http://{self.address}:{self.port}{path}"

    def paths(self):
        return [asked.path for asked in self.asked]

    def serve(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(peer,),
                             daemon=True).start()

    def talk(self, peer):
        with peer:
            try:
                got = b""
                while b"\r\n\r\n" not in got:
                    more = peer.recv(65536)
                    if not more:
                        return
                    got += more
                self.answer(peer, Asked(got.partition(b"\r\n\r\n")[0]))
            except OSError:
                pass  # it has gone, which is its right

    def answer(self, peer, asked):
        self.asked.append(asked)
        page = self.pages.get(asked.path, (404, HTML, b"<p>not here</p>"))
        if callable(page):
            page = page(peer, asked)
        if page is not None:
            send(peer, *page)

    def close(self):
        self.over = True
        self.socket.close()

    # What breaks its word, as functions to put among the pages.

    def endless(self, head, piece, pause=0.0, seconds=150):
        def write(peer, _):
            until = time.monotonic() + seconds
            peer.sendall(head)
            while not self.over and time.monotonic() < until:
                peer.sendall(piece)
                time.sleep(pause)
        return write

    def silent(self, head=b"", seconds=150):
        def wait(peer, _):
            until = time.monotonic() + seconds
            peer.sendall(head)
            peer.settimeout(0.2)
            while not self.over and time.monotonic() < until:
                try:
                    if peer.recv(4096) == b"":
                        return
                except TimeoutError:
                    pass
        return wait


def send(peer, status, headers, body):
    lines = [f"HTTP/1.1 {status} As Said", "Connection: close"]
    if "Content-Length" not in headers and status != 304:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    peer.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


def raw(data):
    """Bytes as they are, then the end."""
    return lambda peer, _: peer.sendall(data)


@functools.cache
def gzip_bomb(mib=256):
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = b"<p>" + b" " * ((1 << 20) - 3)
    return b"".join(squeeze.compress(body) for _ in range(mib)) + \
        squeeze.flush()


def gzipped(body):
    return gzip.compress(body, mtime=0)

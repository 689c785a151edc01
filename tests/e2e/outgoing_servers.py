"""What stands inside the namespace of outgoing_lab.py beside nginx: a name
server with scripted answers, dummies on addresses that nothing may reach, and
a web server that breaks its word.

    outgoing_servers.py DNS_ADDRESS BAD_ADDRESS DUMMY_ADDRESS…

Commands on stdin, one line of JSON back: `counts` (queries by name and type,
connections that reached dummies).
"""

import collections
import ipaddress
import json
import socket
import struct
import sys
import threading
import time

PUBLIC4, PUBLIC6 = "45.33.0.1", "2a01:7e00::1"
A, CNAME, AAAA = 1, 5, 28
queries = collections.Counter()
connects = []


def scripted(name, kind, n):
    """Records of `name`: [(type, value)]; None: no such name; "silent". n
    counts the queries of this name and type before."""
    first = name.split(".")[0]
    if "allowed" in first or first == "www":
        return [(A, PUBLIC4)] if kind == A else []
    if first == "dual":
        return [(A, PUBLIC4)] if kind == A else [(AAAA, PUBLIC6)]
    if first == "bad":
        return [(A, BAD)] if kind == A else []
    if first == "flip":  # public, private, public …
        return [(A, (PUBLIC4, "10.0.0.1")[n % 2])] if kind == A else []
    if first == "flip6":
        return ([(A, PUBLIC4)] if kind == A
                else [(AAAA, (PUBLIC6, "fd00::1")[n % 2])])
    if first == "flap":  # both address families, in opposite step
        return ([(A, (PUBLIC4, "169.254.169.254")[n % 2])] if kind == A
                else [(AAAA, ("fd00:ec2::254", PUBLIC6)[n % 2])])
    if first == "mixed":
        return [(A, PUBLIC4), (A, "10.0.0.1")] if kind == A else []
    if first == "mixed6":
        return [(A, PUBLIC4)] if kind == A else [(AAAA, "fd00::1")]
    if first == "many":
        return ([(A, f"45.33.1.{i}") for i in range(199)]
                + [(A, "192.168.1.1")] if kind == A else [])
    if first == "chain":
        return [(CNAME, "link.test"), (A, "10.0.0.1")] if kind == A else [
            (CNAME, "link.test")]
    if first == "goodchain":
        return ([(CNAME, "link.test"), (A, PUBLIC4)] if kind == A
                else [(CNAME, "link.test")])
    if first == "silent":
        return "silent"
    if first == "empty":
        return []
    if first.startswith("a-"):
        return [(A, first[2:].replace("-", "."))] if kind == A else []
    if first.startswith("x-"):
        address = str(ipaddress.IPv6Address(bytes.fromhex(first[2:])))
        return [(AAAA, address)] if kind == AAAA else []
    if name == "localhost" or name.endswith(".localhost"):
        return [(A, "127.0.0.1")] if kind == A else [(AAAA, "::1")]
    if name in ("metadata.google.internal", "instance-data"):
        return [(A, "169.254.169.254")] if kind == A else []
    return None


def encode(name):
    return b"".join(bytes([len(part)]) + part.encode()
                    for part in name.split(".")) + b"\0"


def answer(query):
    at, parts = 12, []
    while query[at]:
        parts.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    kind = struct.unpack("!H", query[at + 1:at + 3])[0]
    name = ".".join(parts).lower()
    records = scripted(name, kind, queries[name, kind])
    queries[name, kind] += 1
    if records == "silent":
        return None
    body, owner = b"", encode(name)
    for rtype, value in records or []:
        data = (encode(value) if rtype == CNAME
                else ipaddress.ip_address(value).packed)
        body += owner + struct.pack("!HHIH", rtype, 1, 0, len(data)) + data
        owner = encode(value) if rtype == CNAME else owner
    flags = 0x8180 | (3 if records is None else 0)
    return (query[:2] + struct.pack("!HHHHH", flags, 1, len(records or []), 0,
                                    0) + query[12:at + 5] + body)


def serve_udp(sock):
    while True:
        query, peer = sock.recvfrom(4096)
        got = answer(query)
        if got is not None and len(got) > 512:  # come back by TCP
            got = got[:2] + b"\x83\x80" + got[4:6] + bytes(6) + got[12:]
            end = 12
            while got[end]:
                end += 1 + got[end]
            got = got[:end + 5]
            name = got[12:end + 1]
            queries[".".join(_parts(name)), A] -= 1
        if got is not None:
            sock.sendto(got, peer)


def _parts(name):
    at = 0
    while name[at]:
        yield name[at + 1:at + 1 + name[at]].decode("latin-1").lower()
        at += 1 + name[at]


def serve_tcp(sock):
    while True:
        peer, _ = sock.accept()
        with peer:  # two questions may come in one connection
            while len(size := peer.recv(2, socket.MSG_WAITALL)) == 2:
                size = struct.unpack("!H", size)[0]
                got = answer(peer.recv(size, socket.MSG_WAITALL))
                if got is not None:
                    peer.sendall(struct.pack("!H", len(got)) + got)


def listen(address, port, kind=socket.SOCK_STREAM):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND
    sock.bind((address, port))
    if kind == socket.SOCK_STREAM:
        sock.listen(64)
    return sock


def dummy(sock):
    while True:
        peer, _ = sock.accept()
        connects.append(str(sock.getsockname()))
        peer.close()


# ---- the one that breaks its word ----

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


def endless(peer, head, piece, pause=0.0):
    peer.sendall(head)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        peer.sendall(piece)
        time.sleep(pause)


def misbehave(peer, path):
    if path == "/cut":
        peer.sendall(HEAD + b"Content-Length: 1000\r\n\r\nshort")
    elif path == "/cut-chunk":
        peer.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n64\r\nshort")
    elif path == "/longer":
        peer.sendall(HEAD + b"Content-Length: 5\r\n\r\nshort and then more")
    elif path == "/no-end":
        endless(peer, HEAD + b"\r\n", b"x" * 65536)
    elif path == "/no-end-of-head":
        endless(peer, HEAD, b"X-More: y\r\n" * 1000)
    elif path == "/no-end-of-line":
        endless(peer, HEAD + b"X-More: ", b"y" * 65536)
    elif path == "/no-end-of-continues":
        endless(peer, b"", b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" * 100)
    elif path == "/no-end-of-trailer":
        endless(peer, HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
                b"2\r\nok\r\n0\r\n", b"X-More: y\r\n" * 1000)
    elif path == "/no-end-of-chunk-head":
        endless(peer, HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;x=",
                b"y" * 65536)
    elif path == "/redirect-no-end":
        endless(peer, b"HTTP/1.1 302 Found\r\n"
                b"Location: http://allowed.test/page\r\n\r\n", b"x" * 65536)
    elif path == "/dripping":
        endless(peer, HEAD + b"Content-Length: 1000\r\n\r\n", b"x", 0.2)
    elif path == "/dripping-head":
        endless(peer, b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.2)
    elif path == "/silent":
        time.sleep(20)
    elif path == "/garbage":
        peer.sendall(bytes(range(256)) * 10)
    elif path == "/smuggled":
        peer.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://allowed.test/"
                     b"page\x00@10.0.0.1/\r\nContent-Length: 0\r\n\r\n")
    elif path == "/bare-cr":
        peer.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r"
                     b"X: y\r\nContent-Length: 0\r\n\r\n")


def bad_peer(peer):
    with peer:
        try:
            got = b""
            while b"\r\n\r\n" not in got:
                more = peer.recv(4096)
                if not more:
                    return
                got += more
            misbehave(peer, got.split(b" ")[1].decode())
        except OSError:
            pass


def bad_server(sock):
    while True:
        peer, _ = sock.accept()
        threading.Thread(target=bad_peer, args=(peer,), daemon=True).start()


def start(target, *args):
    threading.Thread(target=target, args=args, daemon=True).start()


if __name__ == "__main__":
    DNS, BAD, *DUMMIES = sys.argv[1:]
    start(serve_udp, listen(DNS, 53, socket.SOCK_DGRAM))
    start(serve_tcp, listen(DNS, 53))
    start(bad_server, listen(BAD, 80))
    for address in DUMMIES:
        for port in (22, 80, 443, 8080):
            start(dummy, listen(address, port))
    print("up", flush=True)
    for line in sys.stdin:
        print(json.dumps({"connects": connects,
                          "queries": [[n, k, c] for (n, k), c
                                      in queries.items()]}), flush=True)

"""Request heads and bodies by the byte: what RFC 9112 forbids is refused and
the connection closed, so that what follows is never taken for a request; the
rest is read exactly. docs/api/http.md lists what the library decides alone."""

import re
import socket

import pytest

HOST = b"Host: x\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST
POST = b"POST /v1/nowhere HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SECOND = b"GET /readyz HTTP/1.1\r\n" + HOST + b"\r\n"


def talk(server, data, pieces=None, answers=99):
    """All bytes that come back until the peer closes, is silent for two
    seconds, or for a moment behind as many answers as are awaited."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as s:
        s.settimeout(2)
        got = b""
        try:
            if pieces:
                for i in range(0, len(data), pieces):
                    s.sendall(data[i:i + pieces])
            else:
                s.sendall(data)
            while True:
                more = s.recv(65536)
                if not more:
                    return got, True
                got += more
                if len(statuses(got)) >= answers:
                    s.settimeout(0.1)
        except (TimeoutError, socket.timeout):
            return got, False
        except (ConnectionResetError, BrokenPipeError):
            return got, True


def statuses(got):
    return [int(n) for n in re.findall(rb"HTTP/1\.1 (\d\d\d)[^\n]*\r\n", got)]


def lines(*more, first=b"GET /healthz HTTP/1.1"):
    return first + b"\r\n" + b"".join(m + b"\r\n" for m in more) + b"\r\n"


BAD_HEADS = {
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": lines(b"Host: x", b"Host: x"),
    "two hosts in other cases": lines(b"Host: x", b"hOST: y"),
    "an empty host": lines(b"Host:"),
    "a host with a path": lines(b"Host: x/y"),
    "a host with a user": lines(b"Host: u@x"),
    "a host with a space": lines(b"Host: x y"),
    "a host with a comma": lines(b"Host: x, y"),
    "a host with a quote": lines(b'Host: "x"'),
    "a folded line": lines(b"Host: x", b"A: b", b" c"),
    "a line folded by a tab": lines(b"Host: x", b"A: b", b"\tc"),
    "a folded last line": lines(b"A: b", b"Host: x", b" y"),
    "a fold before all": b"GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n",
    "a folded length": lines(b"Host: x", b"Content-Length:", b" 0"),
    "a folded encoding": lines(b"Host: x", b"Transfer-Encoding:", b" chunked"),
    "a space before the colon": lines(b"Host : x"),
    "a tab before the colon": lines(b"Host: x", b"A\t: b"),
    "a space in a name": lines(b"Host: x", b"A B: c"),
    "no name": lines(b"Host: x", b": b"),
    "no colon": lines(b"Host: x", b"abc"),
    "a NUL in a name": lines(b"Host: x", b"A\0B: c"),
    "a NUL in a value": lines(b"Host: x", b"A: b\0c"),
    "a NUL in the target": lines(b"Host: x", first=b"GET /health\0z HTTP/1.1"),
    "a bell in a value": lines(b"Host: x", b"A: b\x07"),
    "a DEL in a value": lines(b"Host: x", b"A: \x7f"),
    "a bare CR in a value": lines(b"Host: x", b"A: b\rc"),
    "a bare CR before a header": b"GET /healthz HTTP/1.1\r\n" + HOST
                                 + b"A: b\rContent-Length: 5\r\n\r\n",
    "a bare CR behind the line": b"GET /healthz HTTP/1.1\r" + HOST + b"\r\n",
    "bare LFs": GET.replace(b"\r\n", b"\n") + b"\n",
    "a bare LF behind the line": b"GET /healthz HTTP/1.1\n" + HOST + b"\r\n",
    "a bare LF behind a header": b"GET /healthz HTTP/1.1\r\nHost: x\nA: b\r\n"
                                 b"\r\n",
    "an empty line of CR alone": GET + b"\r" + SECOND,
    "a quote in a name": lines(b"Host: x", b'"A": b'),
    "a slash in a name": lines(b"Host: x", b"A/B: c"),
    "a bracket in a name": lines(b"Host: x", b"A[0]: c"),
    "bytes above ASCII in a name": lines(b"Host: x", b"\xc3\xa9: c"),
    "bytes above ASCII in the target": lines(
        b"Host: x", first=b"GET /\xc3\xa9 HTTP/1.1"),
    "no version": b"GET /healthz\r\n\r\n",
    "version 2": lines(b"Host: x", first=b"GET /healthz HTTP/2.0"),
    "version 1.2": lines(b"Host: x", first=b"GET /healthz HTTP/1.2"),
    "version 0.9": lines(b"Host: x", first=b"GET /healthz HTTP/0.9"),
    "a version in small letters": lines(b"Host: x",
                                        first=b"GET /healthz http/1.1"),
    "a version with a tail": lines(b"Host: x",
                                   first=b"GET /healthz HTTP/1.1x"),
    "two spaces in the line": lines(b"Host: x", first=b"GET  /healthz HTTP/1.1"),
    "a space in the target": lines(b"Host: x", first=b"GET /a b HTTP/1.1"),
    "a tab in the line": lines(b"Host: x", first=b"GET\t/healthz HTTP/1.1"),
    "a space before the line": lines(b"Host: x",
                                     first=b" GET /healthz HTTP/1.1"),
    "a method with a bracket": lines(b"Host: x", first=b"G(T /healthz HTTP/1.1"),
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20
                   + b"\r\n\r\n",
    "an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another expectation": lines(b"Host: x", b"Expect: tea"),
    "two keys": lines(b"Host: x", b"x-api-key: a", b"x-api-key: a"),
    "two authorizations": lines(b"Host: x", b"Authorization: Bearer a",
                                b"Authorization: Bearer a"),
}
for length in (b"+5", b"-5", b"0x5", b"5 5", b"5,5", b"5, 5", b"5;", b"five",
               b"", b" ", b"5.0", b"1e1", b"\xd9\xa5", b"5_0", b'"5"',
               b"99999999999999999999", b"18446744073709551616",
               b"18446744073709551615"):
    BAD_HEADS[f"the length {length!r}"] = POST + \
        b"Content-Length: " + length + b"\r\n\r\nhello"
for a, b in ((b"5", b"5"), (b"5", b"6"), (b"0", b"5"), (b"5", b"0")):
    BAD_HEADS[f"the lengths {a!r} and {b!r}"] = POST + \
        b"Content-Length: " + a + b"\r\nContent-Length: " + b + \
        b"\r\n\r\nhello"
for coding in (b"gzip, chunked", b"chunked, gzip", b"identity", b"chunked,",
               b"chunked, chunked", b"xchunked", b"chunked x", b"chunked;q=1",
               b'"chunked"', b"", b"gzip", b",chunked", b"chunk\xc3\xa9d"):
    BAD_HEADS[f"the coding {coding!r}"] = POST + \
        b"Transfer-Encoding: " + coding + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
for order in (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
              b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
              b"Transfer-Encoding: chunked\r\ncontent-length: 0\r\n",
              b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
              b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
              b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
              b"Transfer-Encoding:\tgzip\r\n"):
    BAD_HEADS[f"{order!r}"] = POST + order + b"\r\n5\r\nhello\r\n0\r\n\r\n"
BAD_HEADS["chunked in HTTP/1.0"] = b"POST /v1/nowhere HTTP/1.0\r\n" + HOST + \
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize("name", BAD_HEADS)
def test_a_bad_head_is_refused_and_closes(server, name):
    # Behind it stands a request that must not be answered.
    for pieces in (None, 1):
        data = BAD_HEADS[name] if pieces else BAD_HEADS[name] + SECOND
        got, closed = talk(server, data, pieces)
        assert closed, (pieces, got)
        # The library sends the head of its own error pages twice.
        assert len(statuses(got)) <= (2 if b"<html>" in got else 1), got
        assert all(400 <= s <= 505 for s in statuses(got)), (pieces, got)
        assert b"ready" not in got


BAD_CHUNKS = [b"+5\r\nhello", b"-5\r\nhello", b"0x5\r\nhello", b" 5\r\nhello",
              b"5 \r\nhello", b"5_0\r\nhello", b"g\r\nhello", b"\r\n5\r\nhello",
              b"5\r\nhelloXX0", b"5\r\nhello0", b"5\r\nhell\r\n0",
              b"FFFFFFFFFFFFFFFFF\r\nhello", b"10000000000000005\r\nhello",
              b"5\rhello", b";a\r\nhello", b"5\r\nhello\r\n-0", b'"5"\r\nhello']


@pytest.mark.parametrize("chunk", BAD_CHUNKS, ids=repr)
def test_a_bad_chunk_is_refused_and_closes(server, chunk):
    # With a key and on a route that takes a body, so that it is read to its end.
    head = (b"POST /v1/knowledge-base/search HTTP/1.1\r\n" + HOST +
            b"x-api-key: " + server.api.key.encode() +
            b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    got, closed = talk(server, head + chunk + b"\r\n0\r\n\r\n" + SECOND)
    assert closed, got
    assert len(statuses(got)) <= (2 if b"<html>" in got else 1), got
    assert set(statuses(got)) <= {400, 413}, got
    assert b"ready" not in got


GOOD = {
    "plain": (GET + b"\r\n", [200]),
    "empty lines before it": (b"\r\n\r\n" + GET + b"\r\n", [200]),
    "white space around a value": (
        b"GET /healthz HTTP/1.1\r\nHost: \t x \t\r\n\r\n", [200]),
    "no white space": (b"GET /healthz HTTP/1.1\r\nHost:x\r\nA:\r\n\r\n", [200]),
    "HTTP/1.0 without a host": (b"GET /healthz HTTP/1.0\r\n\r\n", [200]),
    "absolute form": (lines(b"Host: x",
                            first=b"GET http://x/healthz HTTP/1.1"), [200]),
    "absolute form without a path": (lines(b"Host: x",
                                           first=b"GET http://x HTTP/1.1"),
                                     [404]),
    "bytes above ASCII in a value": (lines(b"Host: x", b"A: \xc3\xa9"), [200]),
    "a length of 0": (GET + b"Content-Length: 0\r\n\r\n", [200]),
    "leading zeros": (GET + b"Content-Length: 0005\r\n\r\nhello", [200]),
    "an upgrade": (lines(b"Host: x", b"Connection: Upgrade, HTTP2-Settings",
                         b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
                   [200]),
    "three in a row": (GET + b"\r\n" + SECOND + GET + b"\r\n", [200, 200, 200]),
    "a body, then another": (
        GET + b"Content-Length: 5\r\n\r\nhello" + SECOND, [200, 200]),
    "a body that looks like a request": (
        GET + b"Content-Length: %d\r\n\r\n" % len(SECOND) + SECOND, [200]),
    "chunks, then another": (
        GET + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n"
        b"0\r\nTrailer: x\r\n\r\n" + SECOND, [200, 200]),
    "chunk sizes in both cases": (
        GET + b"Transfer-Encoding: Chunked\r\n\r\na\r\n0123456789\r\nA\r\n"
        b"0123456789\r\n000\r\n\r\n", [200]),
    "options of the server": (lines(b"Host: x", first=b"OPTIONS * HTTP/1.1"),
                              [404]),
    "an encoded slash is no slash": (
        lines(b"Host: x", first=b"GET /v1%2Fknowledge-base/config HTTP/1.1"),
        [404]),
    "an encoded NUL": (lines(b"Host: x", first=b"GET /healthz%00 HTTP/1.1"),
                       [404]),
    "a dotted path": (lines(b"Host: x", first=b"GET /a/../healthz HTTP/1.1"),
                      [404]),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_message_is_read_to_its_byte(server, name):
    data, want = GOOD[name]
    for pieces in (None, 1, 7):
        got, _ = talk(server, data, pieces, len(want))
        assert statuses(got) == want, (pieces, got)


def test_100_continue_comes_before_the_body(server):
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as s:
        s.sendall(GET + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 100 ")
        s.sendall(b"hello")
        assert s.recv(100).startswith(b"HTTP/1.1 200 ")


def test_who_waits_for_100_continue_gets_the_refusal_instead(server):
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as s:
        s.sendall(b"POST /v1/knowledge-base/search HTTP/1.1\r\n" + HOST +
                  b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 401 ")


def test_the_server_still_stands(server):
    assert server.api.get("/healthz").status_code == 200

"""The shapes of errors."""

import re
import socket
import uuid

import pytest

from conftest import K


def check_flat(answer, status, code=None):
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) <= {"error", "message", "retryable", "retry_after"}
    assert isinstance(body["error"], str) and isinstance(body["message"], str)
    assert answer.headers["content-type"].startswith("application/json")
    if code:
        assert body["error"] == code


def check_faults(answer):
    assert answer.status_code == 422, answer.text
    detail = answer.json()["detail"]
    assert detail
    for fault in detail:
        assert set(fault) <= {"loc", "msg", "type", "input", "ctx"}
        assert fault["loc"] and fault["msg"] and fault["type"]
    return detail


def test_an_unknown_route_is_404_in_feathers_shape(api):
    check_flat(api.get("/v1/nothing"), 404)
    check_flat(api.get("/"), 404)
    check_flat(api.get("/v1/knowledge-base/../../etc/passwd"), 404)


def test_the_wrong_method_names_the_right_ones(api, base):
    answer = api.request("PATCH", f"{K}/knowledge-bases/{base}")
    assert answer.status_code == 405
    allowed = {m.strip() for m in answer.headers["allow"].split(",")}
    assert {"GET", "PUT", "DELETE"} <= allowed


def test_what_is_missing_is_404_flat(api):
    for path in (f"{K}/knowledge-bases/{uuid.uuid4()}",
                 f"{K}/documents/{uuid.uuid4()}",
                 f"{K}/documents/{uuid.uuid4()}/versions",
                 f"{K}/ingestion-jobs/{uuid.uuid4()}"):
        check_flat(api.get(path), 404)


def test_malformed_json_says_where(api):
    answer = api.post(f"{K}/knowledge-bases", content=b'{"name": nonsense}',
                      headers={"content-type": "application/json"})
    fault, = check_faults(answer)
    assert fault["type"] == "json_invalid"
    assert fault["loc"][0] == "body" and isinstance(fault["loc"][1], int)
    assert fault["input"] == {}


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b"null", b'"x"',
                                  b"\xff\xfe", b'{"name": "\xff"}',
                                  b'{"name": 1, "name": 2}',
                                  b'{"name": "\\ud800"}'])
def test_a_body_that_is_no_object_is_422(api, body):
    check_faults(api.post(f"{K}/knowledge-bases", content=body,
                          headers={"content-type": "application/json"}))


def test_every_fault_of_a_body_is_listed(api):
    detail = check_faults(api.post(f"{K}/knowledge-bases", json={
        "description": 5, "metadata": [], "chunk_size": "x"}))
    assert {d["loc"][-1] for d in detail} >= {"name", "description",
                                              "metadata", "chunk_size"}


def test_values_the_config_does_not_offer_are_400(api):
    for wrong in ({"embedding_model": "gpt"}, {"chunk_size": 7},
                  {"chunk_overlap": 999}):
        answer = api.post(f"{K}/knowledge-bases", json={"name": "x", **wrong})
        assert answer.status_code in (400, 422), wrong


def test_a_blank_name_is_refused(api):
    check_faults(api.post(f"{K}/knowledge-bases", json={"name": "  "}))


def test_deep_json_is_refused_in_time(api):
    answer = api.post(f"{K}/knowledge-bases",
                      content=b'{"name":"x","metadata":' + b'{"a":' * 5000
                      + b"1" + b"}" * 5001,
                      headers={"content-type": "application/json"})
    assert answer.status_code in (400, 413, 422)


def test_a_body_over_a_mebibyte_is_413(api):
    answer = api.post(f"{K}/knowledge-bases",
                      json={"name": "x", "description": "d" * (1 << 20)})
    check_flat(answer, 413)


def test_401_comes_before_everything(server):
    anonymous = server.api_with(None)
    check_flat(anonymous.post(f"{K}/search", content=b"nonsense"), 401,
               "authentication_required")
    check_flat(anonymous.get(f"{K}/documents/not-an-id"), 401)


def raw(server, text):
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as s:
        s.sendall(text)
        s.shutdown(socket.SHUT_WR)
        got = b""
        while piece := s.recv(65536):
            got += piece
        return got


@pytest.mark.parametrize("head", [
    b"Content-Length: 5\r\nContent-Length: 6\r\n",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    b"Content-Length: -1\r\n", b"Content-Length: 5x\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n"])
def test_ambiguous_framing_is_refused(server, head):
    answer = raw(server, b"POST /v1/knowledge-base/search HTTP/1.1\r\n"
                 b"Host: x\r\nx-api-key: " + server.api.key.encode()
                 + b"\r\n" + head + b"\r\nhello")
    # The library may repeat its own head as part of the body.
    assert set(re.findall(rb"HTTP/1.1 (\d)", answer)) == {b"4"}, answer
    assert b"connection: close" in answer.lower()


def test_garbage_does_not_end_the_server(server):
    for text in (b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n"
                 b"\r\n", b"A" * 100000, b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"):
        try:
            raw(server, text)
        except OSError:
            pass
    assert server.api.get("/healthz").status_code == 200


def test_health_and_readiness_need_no_key(server):
    anonymous = server.api_with(None)
    assert anonymous.get("/healthz").status_code == 200
    assert anonymous.get("/readyz").status_code == 200
    metrics = anonymous.get("/metrics")
    assert metrics.status_code == 200
    assert "knowd_" in metrics.text


def test_head_is_get_without_a_body(api, base):
    answer = api.request("HEAD", f"{K}/knowledge-bases/{base}")
    assert answer.status_code == 200 and answer.content == b""


def test_openapi_lists_the_routes(api):
    spec = api.ok("GET", "/openapi.json")
    assert f"{K}/search" in spec["paths"]

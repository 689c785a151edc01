"""The log: a line for each answer that failed here or refused a change, and
no secret, whatever it came in."""

import json
import socket
import uuid

import httpx

from conftest import ADMIN_KEY, K


def lines_of(server, request):
    return [line for line in server.log_text().splitlines()
            if f"request={request}" in line]


def test_a_refused_change_leaves_one_line(server, api, base):
    for sent, status, sign in (
            (dict(method="PUT", path=f"{K}/knowledge-bases/{base}",
                  json={"name": 5}), 422, "faults=1"),
            (dict(method="DELETE", path=f"{K}/documents/{uuid.uuid4()}"),
             404, "rc=notfound"),
            (dict(method="POST", path=f"{K}/knowledge-bases",
                  content=b"x" * (2 << 20)), 413, "rc=limit")):
        answer = api.request(**sent)
        assert answer.status_code == status, answer.text
        line, = lines_of(server, answer.headers["x-request-id"])
        assert f"answered status={status} " in line and sign in line
        assert f'route="{sent["method"]} {K}/' in line
        assert " info serve " in line


def test_reads_and_strangers_leave_none(server, api, base):
    stranger = server.api_with("no-key-of-ours")
    for answer, status in (
            (api.get(f"{K}/documents/{uuid.uuid4()}"), 404),
            (api.get(f"{K}/documents/nonsense"), 422),
            (api.get("/v1/nowhere"), 404),
            (stranger.delete(f"{K}/knowledge-bases/{base}"), 401)):
        assert answer.status_code == status
        assert lines_of(server, answer.headers["x-request-id"]) == []


def raw(server, data):
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        while s.recv(65536):
            pass


def plant(server, canary):
    """The canary wherever a client can put it."""
    api, wrong = server.api, server.api_with(canary)
    base = api.make_base(name="base " + canary)
    doc = api.add_text(base, "title " + canary, "words " + canary,
                       metadata={canary: canary})
    made = api.ok("POST", "/v1/identity/api-keys", 201,
                  json={"name": "key " + canary})
    server.api_with(made["plain_text_key"]).get(f"{K}/config")
    wrong.get(f"{K}/config")
    wrong.post(f"{K}/search", json={"query": canary})
    for headers in ({"authorization": "Bearer " + canary},
                    {"authorization": "Basic " + canary},
                    {"cookie": "session=" + canary},
                    {"x-request-id": canary + "/" + canary},
                    {"range": canary}, {"content-encoding": canary},
                    {canary: "1"}):
        api.request("PUT", f"{K}/knowledge-bases/{base}", headers=headers,
                    json={"name": 5, canary: canary})
        httpx.get(f"{server.url}{K}/config", headers=headers, trust_env=False)
    for method, path in (("GET", f"/{canary}"),
                         ("DELETE", f"{K}/documents/{canary}"),
                         ("POST", f"{K}/documents/{doc}/promote?k={canary}"),
                         ("GET", f"{K}/documents/{doc}/versions/{canary}"),
                         ("GET", f"{K}/knowledge-bases?cursor={canary}"),
                         ("GET", f"{K}/knowledge-bases?limit={canary}")):
        api.request(method, path, json={canary: canary, "version_id": canary}
                    if method == "POST" else None)
    api.search(canary, base, explain=True)
    api.ingest(base, canary)
    api.ingest(base, [{"type": canary, canary: canary}])
    api.ingest(base, [{"type": "file", "file_index": 0}],
               [(canary + ".txt", bytes(range(256)) + canary.encode())])
    link = api.document(doc)["download_url"]
    httpx.get(link, trust_env=False)
    httpx.get(link + canary, trust_env=False)
    raw(server, f"GET /{canary} HTTP/9.9\r\n{canary}\r\n\r\n".encode())
    raw(server, f"{canary} / HTTP/1.1\r\nHost: {canary}/\r\n\r\n".encode())
    return [made["plain_text_key"], link.split("signature=")[1]]


def test_no_secret_reaches_log_metrics_or_process_title(start_server):
    server = start_server("--log", "debug")
    canary = "canary" + uuid.uuid4().hex
    secrets = [canary, ADMIN_KEY, *plant(server, canary)]
    texts = {"metrics": server.api.get("/metrics").text,
             "readyz": server.api.get("/readyz").text,
             "openapi": json.dumps(server.api.ok("GET", "/openapi.json"))}
    for name in ("cmdline", "comm"):
        texts[name] = open(f"/proc/{server.process.pid}/{name}").read()
    assert server.stop() == 0
    texts["log"] = server.log_text()
    assert "answered status=422" in texts["log"]
    for where, text in texts.items():
        for secret in secrets:
            assert secret not in text, (where, secret)

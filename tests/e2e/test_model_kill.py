"""kill -9 while a model is being installed: what was there is there, what comes
is there whole or not at all, nothing is left over, and adding it again works."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess

import httpx
import pytest

import models
from conftest import ADMIN_KEY, KNOWD, ROOT, Cli, check_folder, poll

LARGE = ROOT / "build/model/all-MiniLM-L6-v2"
PATH = "/knowd/v1/models"
BEFORE = {"kept": 64}  # the models, and their dimensions
STEPS_MAX = 200  # a bound, not a count
KILLED = 137


@pytest.fixture(scope="module")
def packed(server, tmp_path_factory):
    """Two models as the command packs them, and the second one's folder."""
    home = tmp_path_factory.mktemp("packed")
    cli, found = Cli(home, server.url), []
    for seed, hidden in ((1, 64), (2, 128)):
        source = models.make(home / str(seed), seed=seed, hidden=hidden,
                             layers=1, intermediate=64, positions=32)
        cli("model", "add", source, "--name", "kept")
        found.append(files(server)["kept.model"])
        cli("model", "rm", "kept")
    return (*found, source)


def listed(api):
    return {m["name"]: m["dimensions"] for m in api.ok("GET", PATH)["models"]}


def put(api, name, body):
    return api.put(f"{PATH}/{name}", content=body)


def files(server):
    """What stands in the folder of models, by name."""
    return {p.name: p.read_bytes() for p in (server.data / "model").iterdir()}


def found(api, base):
    """By the leg of vectors."""
    got = api.ok("POST", "/knowd/v1/search", json={
        "query": "whimbrel", "kb_ids": [base], "legs": "dense"})
    return [h["document_title"] for h in got["results"]]


def with_kept(server, body):
    """The model `kept`, and a base that is searched by it."""
    assert put(server.api, "kept", body).status_code == 201
    base = server.api.make_base(embedding_model="kept")
    server.api.add_text(base, "birds", "The whimbrel stands.")
    poll(lambda: found(server.api, base) == ["birds"])
    return base


def send_half(server, name, body):
    """The head and half of the body, until the server has written it."""
    host, port = server.url.removeprefix("http://").split(":")
    peer = socket.create_connection((host, int(port)), timeout=30)
    half = body[:len(body) // 2]
    peer.sendall(f"PUT {PATH}/{name} HTTP/1.1\r\nHost: {host}\r\n"
                 f"x-api-key: {ADMIN_KEY}\r\n"
                 "Content-Type: application/octet-stream\r\n"
                 f"Content-Length: {len(body)}\r\n\r\n".encode() + half)
    poll(lambda: half in files(server).values())
    return peer


@pytest.mark.parametrize("name", ["fresh", "kept"])
def test_half_a_model_is_gone_with_the_server(start_server, packed, name):
    old, new, _ = packed
    server = start_server()
    base = with_kept(server, old)
    with contextlib.closing(send_half(server, name, new)):
        server.kill()
    assert check_folder(server.data) == []
    server = start_server(data=server.data)
    assert listed(server.api) == BEFORE
    assert files(server) == {"kept.model": old}
    assert found(server.api, base) == ["birds"]

    assert put(server.api, name, new).status_code == 201
    assert listed(server.api) == {**BEFORE, name: 128}
    assert files(server) == {"kept.model": old, f"{name}.model": new}
    poll(lambda: found(server.api, base) == ["birds"])
    assert server.stop() == 0
    assert check_folder(server.data) == []


@pytest.mark.parametrize("name", ["fresh", "kept"])
def test_a_model_is_there_whole_or_not_wherever_the_server_ends(
        start_server, packed, name):
    """At each step that puts it in its place, one after the other."""
    old, new, _ = packed
    server = start_server()
    base = with_kept(server, old)
    assert server.stop() == 0
    told, wholes = [], []
    for step in range(1, STEPS_MAX):
        server = start_server(data=server.data, env={
            "KNOWD_FAULT": f"exit@{step}:fsync,rename,unlink:path=/model"})
        status = None
        with contextlib.suppress(httpx.TransportError):
            status = put(server.api, name, new).status_code
        ended = server.stop()
        server = start_server(data=server.data)
        got = files(server)
        whole = got.get(f"{name}.model") == new
        after = {**BEFORE, name: 128} if whole else BEFORE
        assert got == {"kept.model": old,
                       **({f"{name}.model": new} if whole else {})}
        assert listed(server.api) == after
        assert server.api.search("whimbrel", base)["results"]
        if ended == 0:
            break
        assert ended == KILLED
        told.append(status)
        wholes.append(whole)
        if name == "kept" and whole:  # from the beginning again
            assert put(server.api, name, old).status_code == 201
        elif whole:
            server.api.ok("DELETE", f"{PATH}/{name}", 204)
        poll(lambda: found(server.api, base) == ["birds"])
        assert server.stop() == 0
    # Once there it is there, and whoever was told so was told the truth.
    assert ended == 0 and status == 201 and whole
    assert not wholes[0] and wholes[-1] and wholes == sorted(wholes)
    assert all(said is None or (said == 201 and whole)
               for said, whole in zip(told, wholes, strict=True))
    poll(lambda: found(server.api, base) == ["birds"])
    assert server.stop() == 0
    assert check_folder(server.data) == []


# ---- the command ----

@pytest.fixture
def cli(server, tmp_path):
    """Packs in a folder of its own."""
    cli = Cli(tmp_path, server.url)
    cli.env["TMPDIR"] = str(tmp_path / "tmp")
    (tmp_path / "tmp").mkdir()
    yield cli
    for name in listed(server.api):
        server.api.delete(f"{PATH}/{name}")


def packing(cli):
    return list((cli.home / "tmp").iterdir())


def test_a_command_that_ends_while_it_packs_has_sent_nothing(
        server, packed, cli):
    """At each write of the packed file, one after the other."""
    old, new, folder = packed
    assert put(server.api, "kept", old).status_code == 201
    for step in range(1, STEPS_MAX):
        done = subprocess.run(
            [KNOWD, "model", "add", folder, "--name", "kept"],
            capture_output=True, timeout=60, env={**cli.env, "KNOWD_FAULT":
                f"exit@{step}:pwrite:path=knowd-model"})
        assert packing(cli) == []
        if done.returncode == 0:
            break
        assert done.returncode == KILLED, done.stderr
        assert listed(server.api) == BEFORE
        assert files(server) == {"kept.model": old}
    assert done.returncode == 0 and step > 2
    assert listed(server.api) == {"kept": 128}
    assert files(server) == {"kept.model": new}


def has_packed(pid):
    """Whether the process has begun to write the packed file, which has no name
    any more."""
    with contextlib.suppress(OSError):  # it may have ended
        for fd in (pathlib.Path("/proc") / str(pid) / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if "knowd-model" in os.readlink(fd) and fd.stat().st_size > 0:
                    return True
    return False


@pytest.mark.skipif(not (LARGE / "model.safetensors").is_file(),
                    reason=f"no model in {LARGE}: scripts/model.sh gets it")
def test_a_command_that_is_killed_leaves_the_models_as_they_were(
        server, packed, cli):
    assert put(server.api, "kept", packed[0]).status_code == 201
    command = subprocess.Popen([KNOWD, "model", "add", LARGE, "--name",
                                "large"], stdout=subprocess.DEVNULL,
                               env=cli.env)
    poll(lambda: command.poll() is not None or has_packed(command.pid))
    command.kill()
    assert command.wait(60) in (-signal.SIGKILL, 0)  # 0: it was faster
    assert packing(cli) == []
    poll(lambda: not list((server.data / "model").glob(".*.tmp")))
    assert files(server)["kept.model"] == packed[0]
    assert listed(server.api) in (BEFORE, {**BEFORE, "large": 384})
    cli("model", "add", LARGE, "--name", "large")
    assert listed(server.api) == {**BEFORE, "large": 384}
    assert packing(cli) == []

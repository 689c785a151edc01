"""How documents are walled in, seen from outside: what dies and what stays,
and a kernel without walls."""

import os
import signal
import stat
import subprocess
import sys

import conftest
import pytest
from conftest import K, clean_env, poll

# The calls this kernel is to lack, and a filter that makes them unknown.
LACKS = """#!{python}
import ctypes, errno, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
code = [(0x20, 0, 0, 0)]
for number in {numbers}:
    code += [(0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | errno.ENOSYS)]
code += [(0x06, 0, 0, 0x7fff0000)]
raw = b"".join(struct.pack("HBBI", *line) for line in code)
class Program(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("code", ctypes.c_char_p)]
program = Program(len(code), raw)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
os.execv({knowd!r}, [{knowd!r}] + sys.argv[1:])
"""
LANDLOCK = [444, 445, 446]
SECCOMP = [317]


@pytest.fixture
def kernel_without(tmp_path, monkeypatch):
    def lack(numbers):
        if os.uname().machine != "x86_64":
            pytest.skip("the numbers are those of x86_64")
        script = tmp_path / "knowd"
        script.write_text(LACKS.format(
            python=sys.executable, numbers=numbers, knowd=conftest.KNOWD))
        script.chmod(stat.S_IRWXU)
        monkeypatch.setattr(conftest, "KNOWD", str(script))
        return str(script)
    return lack


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(p) for p in f.read().split()]


def zygote_of(server):
    def look():
        nannies = children(server.process.pid)
        return children(nannies[0]) if len(nannies) == 1 else None
    return poll(look)[0]


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("numbers", [LANDLOCK, SECCOMP])
def test_without_walls_nothing_is_read_unless_told(start_server, kernel_without,
                                                   numbers):
    kernel_without(numbers)
    server = start_server()
    assert "no document is read" in server.log_text()
    base = server.api.make_base()
    answer = server.api.ingest(base, [{"type": "text", "title": "a",
                                       "content": "never read"}])
    job = server.api.wait(answer.json()["ingestion_job_id"])
    assert job["status"] == "failed"
    doc = answer.json()["items"][0]["document_id"]
    version = server.api.ok(
        "GET", f"{K}/documents/{doc}/versions")[0]
    assert "--allow-unsandboxed" in version["error_message"], version
    assert server.stop() == 0
    server = start_server("--allow-unsandboxed", data=server.data)
    assert "without a sandbox" in server.log_text()
    server.api.add_text(base, "b", "read all the same")


def test_doctor_names_the_wall_that_is_missing(kernel_without):
    done = subprocess.run([kernel_without(LANDLOCK), "doctor"],
                          capture_output=True, env=clean_env(), timeout=60)
    line = next(n for n in done.stdout.decode().splitlines()
                if n.startswith("missing landlock"))
    assert "--allow-unsandboxed" in line


def test_a_zygote_that_dies_costs_nothing(start_server):
    server = start_server()
    assert "documents are read in a sandbox" in server.log_text()
    base = server.api.make_base()
    for i in range(10):
        os.kill(zygote_of(server), signal.SIGKILL)
        server.api.add_text(base, f"t{i}", f"word{i} is read")
    assert server.stop() == 0


def test_without_its_nanny_documents_wait_for_a_restart(start_server):
    server = start_server()
    api = server.api
    base = api.make_base()
    api.add_text(base, "before", "the pump drips")
    nanny, = children(server.process.pid)
    zygote = zygote_of(server)
    os.kill(nanny, signal.SIGKILL)
    poll(lambda: gone(nanny) and gone(zygote))
    # Taken in and kept, and somebody says why it is not found yet.
    taken = api.ingest(base, [{"type": "text", "title": "after",
                               "content": "the pump sings"}])
    job = taken.json()["ingestion_job_id"]
    poll(lambda: "no document is read until a restart" in server.log_text())
    poll(lambda: "\nknowd_extract_ended 1\n" in api.get("/metrics").text)
    assert api.job(job)["status"] in ("queued", "processing")
    assert len(api.search("pump", base)["results"]) == 1
    assert server.log_text().count("until a restart") == 1
    assert server.stop() == 0
    again = start_server(data=server.data)
    assert again.api.wait(job)["status"] == "completed"
    assert len(again.api.search("pump", base)["results"]) == 2


def test_a_killed_server_leaves_nobody_and_starts_again_at_once(start_server):
    server = start_server()
    base = server.api.make_base()
    server.api.add_text(base, "before", "one")
    nanny = children(server.process.pid)[0]
    zygote = zygote_of(server)
    pids = [nanny, zygote, *children(zygote)]
    server.kill()
    again = start_server(data=server.data)
    again.api.add_text(base, "after", "two")
    poll(lambda: all(gone(pid) for pid in pids))

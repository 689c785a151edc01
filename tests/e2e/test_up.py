"""`./up`: one command from a checkout to a first answer; again is harmless."""

import os
import re
import signal
import stat
import subprocess

import pytest

from conftest import ROOT, clean_env, poll


@pytest.fixture
def up(tmp_path):
    """Runs ./up with a home of its own."""
    config = tmp_path / ".config/knowd"
    config.mkdir(parents=True)
    (config / "config").write_text("# mine\nlisten = 127.0.0.1:0\n")

    def run(*args, status=0):
        done = subprocess.run([ROOT / "up", *args], capture_output=True,
                              text=True, timeout=600,
                              env=clean_env(HOME=str(tmp_path)))
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout
    run.home = tmp_path
    yield run
    pid = tmp_path / ".local/state/knowd/pid"
    if pid.exists():
        os.kill(int(pid.read_text()), signal.SIGKILL)


def line(text, start):
    return next(s.strip() for s in text.splitlines()
                if s.strip().startswith(start))


def test_up_serves_the_manual_and_its_lines_can_be_pasted(up):
    out = up()
    config = up.home / ".config/knowd/config"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert "# mine" in config.read_text()
    assert re.search(r"^knowd serves on http://127.0.0.1:\d+$", out, re.M)
    env = clean_env(HOME=str(up.home), PATH="/usr/bin:/bin")
    search = line(out, str(ROOT / "build/release/knowd search"))
    done = subprocess.run(search, shell=True, capture_output=True, text=True,
                          env=env, cwd="/")
    assert "Operations > Stopping" in done.stdout, done.stderr
    # And once more: nothing is started or added twice.
    pid = (up.home / ".local/state/knowd/pid").read_text()
    again = up()
    assert (up.home / ".local/state/knowd/pid").read_text() == pid
    assert "Adding the sample base" not in again
    # The key stands in no log.
    key = re.search(r"^key = (\w{40,})$", config.read_text(), re.M)[1]
    assert key not in out
    assert key not in (up.home / ".local/state/knowd/serve.log").read_text()
    assert "has stopped" in up("stop")
    assert "is not running" in up("stop")


def test_up_after_stop_keeps_the_documents(up):
    first = up()
    base = re.search(r'"kb_ids": \["([^"]+)"\]', first)[1]
    up("stop")
    out = up()
    assert base in out and "Adding the sample base" not in out


def test_up_after_a_kill_starts_again(up):
    up()
    pid = int((up.home / ".local/state/knowd/pid").read_text())
    os.kill(pid, signal.SIGKILL)
    poll(lambda: not os.path.exists(f"/proc/{pid}/exe"))
    assert "knowd serves on" in up()


def test_up_refuses_other_words(up):
    up("down", status=1)

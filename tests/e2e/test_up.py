"""`./up`: one command from a checkout to a first answer; again is harmless."""

import os
import re
import shutil
import signal
import stat
import subprocess

import pytest

from conftest import ROOT, Api, Cli, clean_env, poll

MODEL = "all-MiniLM-L6-v2"


@pytest.fixture
def up(tmp_path):
    """Runs ./up with a home of its own."""
    config = tmp_path / ".config/knowd"
    config.mkdir(parents=True)
    (config / "config").write_text("# mine\nlisten = 127.0.0.1:0\n")

    def run(*args, status=0):
        done = subprocess.run([run.checkout / "up", *args],
                              capture_output=True, text=True, timeout=600,
                              env=clean_env(HOME=str(tmp_path), **run.env))
        assert done.returncode == status, done.stdout + done.stderr
        run.stderr = done.stderr
        return done.stdout
    run.home, run.checkout, run.env = tmp_path, ROOT, {}
    yield run
    pid = tmp_path / ".local/state/knowd/pid"
    if pid.exists():
        os.kill(int(pid.read_text()), signal.SIGKILL)


@pytest.fixture
def up_without_model(up, tmp_path):
    """From a checkout that has no model, by a pip that asks nobody for one."""
    up.checkout = tmp_path / "checkout"
    (up.checkout / "build").mkdir(parents=True)
    for name in ("Makefile", "scripts", "src", "tests", "docs",
                 "build/release"):
        (up.checkout / name).symlink_to(ROOT / name)
    for name in ("up", "README.md"):
        shutil.copy(ROOT / name, up.checkout / name)
    up.env = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    return up


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
    # It ends with what that search finds, by words and by meaning.
    assert "Operations > Stopping" in out.split("in the sample base:")[1]
    if (ROOT / "build/model" / MODEL).is_dir():
        done = subprocess.run(search + " --explain", shell=True, text=True,
                              capture_output=True, env=env, cwd="/")
        assert re.search(r"dense: rank [1-9]", done.stdout), done.stderr
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


@pytest.mark.skipif(not (ROOT / "build/model" / MODEL).is_dir(),
                    reason="no model in build/model: scripts/model.sh gets it")
def test_up_gives_the_base_the_model_that_could_not_be_had(up_without_model):
    up = up_without_model
    knowd = Cli(up.home, key=None)  # as the config file says

    def base():
        base, = [b for b in knowd.json("bases")["bases"]
                 if b["name"] == "manual"]
        return base

    def model():
        return base()["embedding_model"]

    def meant():
        """Found by the leg of vectors."""
        said = dict(re.findall(r"^(key|url) = (\S+)$", (
            up.home / ".config/knowd/config").read_text(), re.M))
        got = Api(said["url"], said["key"]).ok(
            "POST", "/knowd/v1/search", json={
                "query": "what happens when the power fails",
                "kb_ids": [base()["id"]], "legs": "dense"})
        return got["results"]

    assert "Adding the sample base" in up()
    assert "Search is by words for now" in up.stderr
    assert model() == "none"
    out = up()
    assert "Getting the embedding model" in out
    assert "Search is by words for now" in up.stderr
    assert "Adding the sample base" not in out
    assert model() == "none"

    # Now it can be had.
    (up.checkout / "build/model").mkdir(exist_ok=True)
    (up.checkout / "build/model" / MODEL).symlink_to(
        ROOT / "build/model" / MODEL)
    out = up()
    assert "Adding the sample base" not in out
    assert "Search is by words" not in up.stderr
    assert model() == MODEL
    poll(meant)

    # It is given once: whoever takes it away is not asked again.
    knowd("bases", "model", "manual", "none")
    assert "Getting the embedding model" not in up()
    assert model() == "none"


def test_up_refuses_other_words(up):
    up("down", status=1)

"""The real server on a free port in a fresh folder, and how tests talk to it.

A test reads as request, answer, state. `server` is shared by a module; what a
test changes it changes in a base (or tenant) of its own. `start_server` makes
servers that a test may stop, kill or starve.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import uuid

import httpx
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
KNOWD = os.environ.get("KNOWD", str(ROOT / "build/release/knowd"))
ADMIN_KEY = "e2e-admin-key-0123456789-0123456789"
K = "/v1/knowledge-base"
TERMINAL = {"completed", "partial_failure", "failed", "duplicate",
            "quarantined"}
SUMMARY = []  # lines for the end of a run
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-"
                  r"[0-9a-f]{12}")


def pytest_configure(config):
    if not os.access(KNOWD, os.X_OK):
        raise pytest.UsageError(f"{KNOWD} is not there: run make first")


def pytest_terminal_summary(terminalreporter):
    """What was counted, then the line that ./check adds up."""
    def count(*names):
        return sum(len(terminalreporter.stats.get(n, [])) for n in names)
    terminalreporter.write_line("")
    for line in SUMMARY:
        terminalreporter.write_line(line)
    terminalreporter.write_line(
        f"{count('passed', 'xpassed')} passed, "
        f"{count('failed', 'error')} failed, "
        f"{count('skipped', 'xfailed')} skipped")


def poll(probe, seconds=60, every=0.01):
    """Calls probe until it gives something true; bounded."""
    until = time.monotonic() + seconds
    while True:
        got = probe()
        if got:
            return got
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds} s: {probe}")
        time.sleep(every)


def clean_env(**more):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("KNOWD_", "XDG_"))}
    env.update(more)
    return env


class Api:
    """One key's view of a server."""

    def __init__(self, url, key=ADMIN_KEY):
        self.url, self.key = url, key
        self.http = httpx.Client(
            base_url=url, headers={"x-api-key": key} if key else {},
            timeout=60, trust_env=False)

    def close(self):
        self.http.close()

    def request(self, method, path, **more):
        return self.http.request(method, path, **more)

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, **more):
        return self.request("POST", path, **more)

    def patch(self, path, **more):
        return self.request("PATCH", path, **more)

    def put(self, path, **more):
        return self.request("PUT", path, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    def ok(self, method, path, status=200, **more):
        answer = self.request(method, path, **more)
        assert answer.status_code == status, \
            f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    # What many tests do.

    def make_base(self, **fields):
        fields.setdefault("name", "base-" + uuid.uuid4().hex[:8])
        return self.ok("POST", f"{K}/knowledge-bases", 201, json=fields)["id"]

    def ingest(self, base, manifest, files=()):
        """The answer as it comes; files: (name, bytes) pairs."""
        parts = [("manifest", (None, manifest if isinstance(manifest, (str, bytes))
                               else json.dumps(manifest)))]
        parts += [("files", (name, data)) for name, data in files]
        return self.post(f"{K}/knowledge-bases/{base}/ingest", files=parts)

    def job(self, job):
        return self.ok("GET", f"{K}/ingestion-jobs/{job}")

    def wait(self, job, seconds=60):
        def ended():
            got = self.job(job)
            return got if got["status"] in TERMINAL else None
        return poll(ended, seconds)

    def add(self, base, manifest, files=(), status="completed"):
        """Ingests, waits, gives the items of the answer."""
        answer = self.ingest(base, manifest, files)
        assert answer.status_code == 202, answer.text
        job = self.wait(answer.json()["ingestion_job_id"])
        assert job["status"] == status, job
        return answer.json()["items"]

    def add_text(self, base, title, content, **more):
        item = {"type": "text", "title": title, "content": content, **more}
        return self.add(base, [item])[0]["document_id"]

    def search(self, query, *bases, **more):
        return self.ok("POST", f"{K}/search",
                       json={"query": query, "kb_ids": list(bases), **more})

    def document(self, doc):
        return self.ok("GET", f"{K}/documents/{doc}")

    def text_of(self, doc):
        """The normalised text, through its link."""
        link = self.document(doc)["normalized_download_url"]
        answer = self.http.get(link)
        assert answer.status_code == 200
        return answer.content.decode()

    def pages(self, path, **query):
        """All items of a list, page by page."""
        items, cursor = [], None
        for _ in range(1000):
            if cursor:
                query["cursor"] = cursor
            page = self.ok("GET", path, params=query)
            items += page["items"]
            assert page["has_more"] == (page["next_cursor"] is not None)
            cursor = page["next_cursor"]
            if not cursor:
                return items
        raise AssertionError("a list without end")


class Server:
    def __init__(self, data, *options, env=None, wait=True):
        self.data = pathlib.Path(data)
        self.log_path = pathlib.Path(str(data) + ".log")
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [KNOWD, "serve", "--data", str(data), "--listen", "127.0.0.1:0",
             *options], stdout=subprocess.PIPE, stderr=self.log,
            env=clean_env(KNOWD_ADMIN_KEY=ADMIN_KEY, **(env or {})),
            start_new_session=True)
        self.url = None
        if wait:
            line = self.process.stdout.readline().decode()
            assert line.startswith("knowd listening on http://"), \
                self.log_text()
            self.url = line.split()[-1]
            poll(lambda: httpx.get(self.url + "/readyz", trust_env=False)
                 .status_code == 200)
            self.api = Api(self.url)

    def log_text(self):
        return self.log_path.read_text(errors="replace")

    def api_with(self, key):
        return Api(self.url, key)

    def stop(self, seconds=15):
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds=15):
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still there after {seconds} s") from None
        self.close()
        return status

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.close()

    def close(self):
        self.process.stdout.close()
        self.log.close()

    def rss_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024

    def peak_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024


def check_folder(data):
    """`knowd check --deep`: what it finds."""
    done = subprocess.run([KNOWD, "check", "--data", str(data), "--deep",
                           "--json"], capture_output=True, env=clean_env(),
                          timeout=120)
    assert done.returncode in (0, 1), done.stderr.decode()
    return json.loads(done.stdout)["findings"]


@pytest.fixture(scope="session")
def shared():
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there")
    return SHARED


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server") / "data")
    yield server
    status = server.stop()
    assert status == 0, server.log_text()[-2000:]
    assert check_folder(server.data) == []
    shutil.rmtree(server.data)


@pytest.fixture
def start_server(tmp_path):
    servers = []

    def start(*options, data=None, **more):
        server = Server(data or tmp_path / f"data{len(servers)}", *options,
                        **more)
        servers.append(server)
        return server
    yield start
    for server in servers:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture
def api(server):
    return server.api


@pytest.fixture
def base(api):
    base = api.make_base()
    yield base
    api.delete(f"{K}/knowledge-bases/{base}")


class Cli:
    """The command line, with a home of its own."""

    def __init__(self, home, url=None, key=ADMIN_KEY):
        self.home = home
        self.env = clean_env(HOME=str(home))
        if url:
            self.env["KNOWD_URL"] = url
        if key:
            self.env["KNOWD_KEY"] = key

    def __call__(self, *args, status=0, env=None, **more):
        done = subprocess.run(
            [KNOWD, *map(str, args)], capture_output=True, text=True,
            env={**self.env, **(env or {})}, timeout=300,
            stdin=subprocess.DEVNULL, **more)
        assert done.returncode == status, \
            f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *args, status=0, **more):
        return json.loads(self(*args, "--json", status=status, **more).stdout)


@pytest.fixture
def cli(server, tmp_path):
    return Cli(tmp_path, server.url)

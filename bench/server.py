"""A knowd server of the bench's own: fresh folder, free port, admin key."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KNOWD = os.environ.get("KNOWD", os.path.join(ROOT, "build/release/knowd"))
KEY = "bench-admin-key-0123456789-0123456789"


class Server:
    def __init__(self, *options, cpus=None, data=None, env=None):
        self.own = data is None
        self.data = data or tempfile.mkdtemp(prefix="knowd-bench-")
        command = [KNOWD, "serve", "--data", self.data, "--listen",
                   "127.0.0.1:0", *options]
        if cpus:
            command = ["taskset", "-c", cpus] + command
        began = time.monotonic()
        self.log = open(os.path.join(tempfile.gettempdir(), "knowd-bench.log"),
                        "ab")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.log,
            env=dict(os.environ, KNOWD_ADMIN_KEY=KEY, **(env or {})))
        line = self.process.stdout.readline().decode()
        if "listening on" not in line:
            raise SystemExit("knowd did not start: see " + self.log.name)
        self.url = line.split()[-1]
        for _ in range(20000):
            try:
                urllib.request.urlopen(self.url + "/readyz", timeout=5).read()
                break
            except urllib.error.HTTPError:
                time.sleep(0.0005)
        self.ready_s = time.monotonic() - began

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.url + path, method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"x-api-key": KEY, "content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=600) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def fetch(self, link):
        """The text behind a link of the server's."""
        with urllib.request.urlopen(urllib.parse.urljoin(self.url, link),
                                    timeout=600) as answer:
            return answer.read().decode()

    def cli(self, *words, cpus=None):
        command = [KNOWD, *words, "--url", self.url, "--key", KEY]
        if cpus:
            command = ["taskset", "-c", cpus] + command
        return subprocess.run(command, check=False, capture_output=True,
                              text=True, timeout=1800)

    def metric(self, name):
        text = urllib.request.urlopen(self.url + "/metrics",
                                      timeout=30).read().decode()
        for line in text.splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        return 0.0

    def rss_mib(self):
        """The server with its children."""
        total = 0
        for pid in [self.process.pid] + children(self.process.pid):
            try:
                with open(f"/proc/{pid}/smaps_rollup") as f:
                    total += sum(int(line.split()[1]) for line in f
                                 if line.startswith("Pss:"))
            except OSError:
                pass
        return total / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        if self.own:
            shutil.rmtree(self.data, ignore_errors=True)


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def table(title, head, rows):
    print("\n" + title)
    widths = [max(len(str(r[i])) for r in [head] + rows)
              for i in range(len(head))]
    for row in [head] + rows:
        print("  " + "  ".join(str(c).ljust(w) for c, w in zip(row, widths)))


def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2]

"""What a file costs the server that reads it: CPU and memory of its processes,
and a neighbour who searches meanwhile."""

import os
import pathlib
import re
import threading

from conftest import K

MEMORY_BYTES_MAX = 300_000_000  # of the server and its children together
CHILDREN_BYTES_MAX = 256 << 20  # of what reads one file, whatever it is
TICKS = os.sysconf("SC_CLK_TCK")
FILE = [{"type": "file", "file_index": 0}]


def add_file(api, base, name, data, seconds=120):
    answer = api.ingest(base, FILE, [(name, data)])
    assert answer.status_code == 202, answer.text
    job = api.wait(answer.json()["ingestion_job_id"], seconds)
    row, = api.pages(f"{K}/ingestion-jobs/{job['id']}/documents")
    return row


def children(pid):
    try:
        tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
        found = [int(child) for task in tasks
                 for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return found + [g for child in found for g in children(child)]


def memory_bytes(pids):
    """What processes hold beyond mapped files."""
    total = 0
    for one in pids:
        try:
            status = pathlib.Path(f"/proc/{one}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        held = re.search(r"RssAnon:\s+(\d+)", status)
        total += int(held[1]) * 1024 if held else 0
    return total


def cpu_s(server):
    """Of the server's children, those that have ended included."""
    ticks = 0
    for pid in children(server.process.pid):
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += sum(map(int, stat.rsplit(")", 1)[1].split()[11:15]))
    return ticks / TICKS


class Watch:
    """The peak of memory and, if there is a neighbour's base, one who searches
    it, while it is open."""

    def __init__(self, server, base=None):
        self.server, self.base = server, base
        self.peak, self.children_peak = 0, 0
        self.searches, self.trouble = 0, None
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.measure)]
        if base is not None:
            self.threads.append(threading.Thread(target=self.search))

    def measure(self):
        going_on = True
        while going_on:  # once more at the end: it may be over in no time
            going_on = not self.over.wait(0.02)
            pid = self.server.process.pid
            of_children = memory_bytes(children(pid))
            self.children_peak = max(self.children_peak, of_children)
            self.peak = max(self.peak, of_children + memory_bytes([pid]))

    def search(self):
        try:
            going_on = True
            while going_on:  # at a pace that leaves the file something, too
                going_on = not self.over.wait(0.02)
                found = self.server.api.search("neighbour", self.base)
                assert len(found["results"]) == 1
                self.searches += 1
        except Exception as trouble:  # told by the thread that asks
            self.trouble = trouble

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def memory_around(server, action):
    """The server and its children stay within the bound all the while."""
    with Watch(server) as watch:
        result = action()
    print(f"peak {watch.peak >> 20} MiB")
    assert 0 < watch.peak < MEMORY_BYTES_MAX
    return result

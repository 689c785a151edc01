"""Hostile Office files: each is contained, typed and within its budget, while
a neighbour's searches go on."""

import os
import pathlib
import re
import sys
import threading

import pytest

from conftest import ROOT
from test_bad_documents import MEMORY_BYTES_MAX, add_file, memory_bytes

sys.path.insert(0, str(ROOT / "tests/bombs"))
from office import BOMBS, DONE  # noqa: E402

CPU_S_MAX = 2
TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def neighbour(server):
    base = server.api.make_base()
    server.api.add_text(base, "neighbour", "neighbour words stay findable")
    return base


def children(pid):
    try:
        tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
        found = [int(child) for task in tasks
                 for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return found + [g for child in found for g in children(child)]


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
    """The peak of memory, and a neighbour who searches, while it is open."""

    def __init__(self, server, base):
        self.server, self.base = server, base
        self.peak, self.searches, self.trouble = 0, 0, None
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.measure),
                        threading.Thread(target=self.search)]

    def measure(self):
        going_on = True
        while going_on:  # once more at the end: it may be over in no time
            going_on = not self.over.wait(0.01)
            self.peak = max(self.peak, memory_bytes(self.server.process.pid))

    def search(self):
        try:
            while not self.over.is_set() or self.searches == 0:
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


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_contained(server, base, neighbour, name):
    make, status, words = BOMBS[name]
    data, before = make(), cpu_s(server)
    with Watch(server, neighbour) as watch:
        row = add_file(server.api, base, "bomb.docx", data)
    used = cpu_s(server) - before
    print(f"{used:.2f} s of CPU, peak {watch.peak >> 20} MiB, "
          f"{watch.searches} searches")
    assert row["status"] == status, row
    if status == DONE:
        text = server.api.text_of(row["document_id"])
        assert words in text
        assert "root:" not in text
    else:
        assert re.search(words, row["error_message"]), row
    assert watch.trouble is None
    assert used <= CPU_S_MAX
    assert 0 < watch.peak < MEMORY_BYTES_MAX

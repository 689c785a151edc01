"""Hostile files: each is contained, typed and within its budget, while a
neighbour's searches go on. ./check --full (KNOWD_CHECK_FULL) takes those too
that use up all the time helper programs have."""

import os
import re
import shutil

import pytest

from bombs import office, pdf, web
from containment import CHILDREN_BYTES_MAX, Watch, add_file, cpu_s

CPU_S_MAX = 2
SERVER_BYTES_MAX = 128 << 20  # with a text of many MB and its index
# pdftotext 10 s for a range and for two parts of it, pdftohtml 5 s, pdftoppm
# 10 s, and what ends just behind a limit.
CPU_S_MAX_SLOW = 50
KINDS = {"docx": office.BOMBS, "pdf": pdf.BOMBS, "html": web.BOMBS}
SLOW = {"pdf": pdf.SLOW} if os.environ.get("KNOWD_CHECK_FULL") else {}


@pytest.fixture(scope="module")
def neighbour(server):
    base = server.api.make_base()
    server.api.add_text(base, "neighbour", "neighbour words stay findable")
    return base


def check(server, base, neighbour, kind, bomb, cpu_s_max):
    make, status, words, *more = bomb
    data, before = make(), cpu_s(server)
    with Watch(server, neighbour) as watch:
        row = add_file(server.api, base, "bomb." + kind, data, seconds=300)
    used = cpu_s(server) - before
    print(f"{used:.2f} s of CPU, peak {watch.peak >> 20} MiB, "
          f"of children {watch.children_peak >> 20}, "
          f"{watch.searches} searches")
    assert re.fullmatch(status, row["status"]), row
    if row["status"] == "completed":
        text = server.api.text_of(row["document_id"])
        assert words in text or status != "completed"
        assert "root:" not in text
    else:
        assert len(row["error_message"]) > 8
        assert "\n" not in row["error_message"]
        if status == "failed":
            assert re.search(words, row["error_message"]), row
    assert watch.trouble is None
    assert used <= (more or [cpu_s_max])[0]
    assert 0 < watch.children_peak < CHILDREN_BYTES_MAX
    assert watch.peak < CHILDREN_BYTES_MAX + SERVER_BYTES_MAX


def rows(kinds):
    return [pytest.param(kind, name, id=f"{kind}: {name}",
                         marks=pytest.mark.skipif(
                             kind == "pdf" and not shutil.which("pdftotext"),
                             reason="SKIPPED: pdftotext is not installed"))
            for kind, bombs in kinds.items() for name in bombs]


@pytest.mark.parametrize("kind,name", rows(KINDS))
def test_a_bomb_is_contained(server, base, neighbour, kind, name):
    check(server, base, neighbour, kind, KINDS[kind][name], CPU_S_MAX)


@pytest.mark.parametrize("kind,name", rows(SLOW))
def test_a_slow_bomb_is_stopped(server, base, neighbour, kind, name):
    check(server, base, neighbour, kind, SLOW[kind][name], CPU_S_MAX_SLOW)

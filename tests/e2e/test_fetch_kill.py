"""kill -9 while pages are fetched: none is lost, and only those that were under
way are asked for twice."""

import random

from conftest import K, poll
from web import NET, Web, html

PAGES = 300
AT_ONCE = 16  # fetcher threads: pages that may be under way


def ended(api, job):
    got = api.ok("GET", f"{K}/ingestion-jobs/{job}")
    return got["status"] not in ("queued", "processing") and got


def test_a_kill_repeats_only_what_was_under_way(start_server):
    web = Web()
    try:
        for i in range(PAGES):
            web.pages[f"/{i}"] = html(f"Page {i}", f"The {i}th tells of quolls.")
        server = start_server(*NET)
        base = server.api.make_base()
        job = server.api.ok("POST", f"/knowd/v1/bases/{base}/urls", 202, json={
            "urls": [{"url": web.url(f"/{i}")} for i in range(PAGES)]})["job_id"]
        kills = 0
        for share in (0.15, 0.4, 0.7):
            want = int(PAGES * share) + random.Random(share).randrange(20)
            poll(lambda want=want: len(web.asked) >= want)
            server.kill()
            kills += 1
            server = start_server(*NET, data=server.data)
        got = poll(lambda: ended(server.api, job), seconds=120)
        assert (got["status"], got["completed"]) == ("completed", PAGES), got
        asked = web.paths()
        assert set(asked) == {f"/{i}" for i in range(PAGES)}
        assert len(asked) - PAGES <= kills * AT_ONCE, len(asked)
        titles = {d["title"] for d in server.api.pages(
            f"{K}/knowledge-bases/{base}/documents")}
        assert titles == {f"Page {i}" for i in range(PAGES)}
    finally:
        web.close()

"""Start, stop, and the data folder."""

import concurrent.futures
import hashlib
import os
import pathlib
import signal
import sqlite3
import subprocess
import threading
import time

import httpx

from conftest import (ADMIN_KEY, K, KNOWD, Api, Server, check_folder,
                      clean_env, poll)


def tree(folder):
    """Everything in a folder: path -> mode, size, time, bytes."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        st = path.lstat()
        found[str(path)] = (
            st.st_mode, st.st_size, st.st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest()
            if path.is_file() else None)
    return found


def refused(data, *options):
    """Runs serve on a folder that it must refuse; what it says."""
    done = subprocess.run(
        [KNOWD, "serve", "--data", str(data), "--listen", "127.0.0.1:0",
         *options], capture_output=True, text=True, timeout=30,
        env=clean_env(KNOWD_ADMIN_KEY=ADMIN_KEY))
    assert done.returncode not in (0, -signal.SIGABRT, -signal.SIGSEGV)
    assert done.stdout == ""
    assert done.stderr
    return done.stderr


def test_the_first_line_says_where_it_listens(start_server):
    server = start_server()
    assert server.url.startswith("http://127.0.0.1:")
    assert int(server.url.rsplit(":", 1)[1]) > 0
    assert server.stop() == 0


def test_sigterm_under_load_loses_nothing_acknowledged(start_server, tmp_path):
    server = start_server(data=tmp_path / "d")
    base = server.api.make_base()
    acked, lock, stop = [], threading.Lock(), threading.Event()

    def write(worker):
        api = Api(server.url)
        for i in range(10000):
            if stop.is_set():
                return
            try:
                answer = api.ingest(base, [{
                    "type": "text", "title": "t",
                    "content": f"worker{worker} item{i} load"}])
            except httpx.TransportError:
                return  # not accepted any more
            if answer.status_code == 202:
                with lock:
                    acked.append(answer.json()["items"][0]["document_id"])
            else:
                assert answer.status_code == 503, answer.text
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        work = [pool.submit(write, w) for w in range(4)]
        poll(lambda: len(acked) >= 40)
        began = time.monotonic()
        status = server.stop(10)
        assert time.monotonic() - began <= 10
        stop.set()
        for w in work:
            w.result()
    assert status == 0
    assert check_folder(tmp_path / "d") == []
    again = start_server(data=tmp_path / "d")
    docs = {d["id"] for d in
            again.api.pages(f"{K}/knowledge-bases/{base}/documents",
                            limit=200)}
    assert set(acked) <= docs


def test_a_second_sigterm_ends_it_at_once(start_server):
    server = start_server()
    base = server.api.make_base()
    for i in range(20):
        server.api.ingest(base, [{"type": "text", "title": "t",
                                  "content": f"words {i} " * 2000}])
    server.process.send_signal(signal.SIGTERM)
    server.process.send_signal(signal.SIGTERM)
    server.wait(8) # less than the ten seconds it may take otherwise
    assert check_folder(server.data) == []


def test_after_kill_9_the_next_start_succeeds_at_once(start_server, tmp_path):
    server = start_server(data=tmp_path / "d")
    base = server.api.make_base()
    doc = server.api.add_text(base, "t", "unkillable words")
    # Only the process itself: its helpers may live a moment longer.
    server.process.kill()
    server.process.wait()
    again = start_server(data=tmp_path / "d")
    hits = again.api.search("unkillable", base)["results"]
    assert [h["document_id"] for h in hits] == [doc]


def test_what_is_in_stays_in_over_restarts(start_server, tmp_path):
    server = start_server(data=tmp_path / "d")
    base = server.api.make_base(name="kept")
    doc = server.api.add_text(base, "t", "lasting words")
    before = server.api.search("lasting", base)
    assert server.stop() == 0
    again = start_server(data=tmp_path / "d")
    assert again.api.search("lasting", base) == before
    assert again.api.document(doc)["state"] == "active"


def test_a_second_server_on_the_folder_is_refused(start_server):
    server = start_server()
    assert refused(server.data)
    assert server.api.get("/readyz").status_code == 200


def test_a_foreign_folder_is_refused_unchanged(tmp_path):
    folder = tmp_path / "photos"
    (folder / "2020").mkdir(parents=True)
    (folder / "2020" / "cat.jpg").write_bytes(b"\xff\xd8cat")
    before = tree(folder)
    text = refused(folder)
    assert "photos" in text
    assert tree(folder) == before


def test_a_folder_with_another_database_is_refused_unchanged(tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    db = sqlite3.connect(folder / "knowd.db")
    db.execute("CREATE TABLE mine (a)")
    db.commit()
    db.close()
    before = tree(folder)
    refused(folder)
    assert tree(folder) == before


def test_a_newer_folder_is_refused_unchanged(start_server, tmp_path):
    server = start_server(data=tmp_path / "d")
    server.api.add_text(server.api.make_base(), "t", "words")
    assert server.stop() == 0
    db = sqlite3.connect(tmp_path / "d" / "knowd.db")
    version, = db.execute("PRAGMA user_version").fetchone()
    db.execute(f"PRAGMA user_version = {version + 1}")
    db.commit()
    db.close()
    for name in ("knowd.db-wal", "knowd.db-shm"):
        (tmp_path / "d" / name).unlink(missing_ok=True)
    before = tree(tmp_path / "d")
    refused(tmp_path / "d")
    assert tree(tmp_path / "d") == before


def test_a_damaged_database_is_refused_unchanged(start_server, tmp_path):
    server = start_server(data=tmp_path / "d")
    assert server.stop() == 0
    path = tmp_path / "d" / "knowd.db"
    path.write_bytes(b"not a database at all, but long enough" * 100)
    before = tree(tmp_path / "d")
    refused(tmp_path / "d")
    assert tree(tmp_path / "d") == before


def test_an_unreadable_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file")


def test_a_taken_port_is_refused(server, tmp_path):
    port = server.url.rsplit(":", 1)[1]
    done = subprocess.run(
        [KNOWD, "serve", "--data", str(tmp_path / "d"), "--listen",
         f"127.0.0.1:{port}"], capture_output=True, text=True, timeout=30,
        env=clean_env(KNOWD_ADMIN_KEY=ADMIN_KEY))
    assert done.returncode == 1 and done.stdout == ""
    assert "address" in done.stderr.lower()


def test_the_admin_key_is_made_and_shown_once(tmp_path):
    env = clean_env(HOME=str(tmp_path))
    for turn in (1, 2):
        log = open(tmp_path / f"log{turn}", "wb+")
        process = subprocess.Popen(
            [KNOWD, "serve", "--data", str(tmp_path / "d"), "--listen",
             "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=log, env=env)
        url = process.stdout.readline().decode().split()[-1]
        poll(lambda u=url: httpx.get(u + "/readyz", trust_env=False)
             .status_code == 200)
        text = pathlib.Path(tmp_path / f"log{turn}").read_text()
        keys = [w for w in text.split() if w.startswith("knowd_live_")]
        if turn == 1:
            first, = keys
            assert len(first) == len("knowd_live_") + 40
        else:
            assert keys == []
        assert Api(url, first).get(f"{K}/config").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        process.stdout.close()
        log.close()


def test_a_short_admin_key_is_refused(tmp_path):
    done = subprocess.run(
        [KNOWD, "serve", "--data", str(tmp_path / "d"), "--listen",
         "127.0.0.1:0"], capture_output=True, text=True, timeout=30,
        env=clean_env(KNOWD_ADMIN_KEY="short"))
    assert done.returncode != 0
    assert "32" in done.stderr and "short" not in done.stdout


def test_the_folder_is_private(start_server):
    server = start_server()
    assert os.stat(server.data).st_mode & 0o077 == 0


def test_secrets_stay_out_of_logs_and_files(start_server):
    server = start_server()
    made = server.api.ok("POST", "/v1/identity/api-keys", 201,
                         json={"name": "s"})["plain_text_key"]
    server.api_with(made).get(f"{K}/config")
    server.api_with(made + "x").get(f"{K}/config")
    assert server.stop() == 0
    assert made not in server.log_text()
    assert ADMIN_KEY not in server.log_text()
    for path in server.data.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert made.encode() not in data, path
            assert ADMIN_KEY.encode() not in data, path


def test_metrics_want_a_key_where_others_can_reach_them(tmp_path):
    process = subprocess.Popen(
        [KNOWD, "serve", "--data", str(tmp_path / "d"), "--listen",
         "0.0.0.0:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=clean_env(KNOWD_ADMIN_KEY=ADMIN_KEY))
    try:
        url = "http://127.0.0.1:" + \
            process.stdout.readline().decode().strip().rsplit(":", 1)[1]
        poll(lambda: httpx.get(url + "/readyz", trust_env=False)
             .status_code == 200)
        assert Api(url, None).get("/metrics").status_code == 401
        assert Api(url).get("/metrics").status_code == 200
    finally:
        process.terminate()
        assert process.wait(15) == 0
        process.stdout.close()


def test_an_idle_server_is_small(start_server):
    server = start_server()
    assert server.rss_bytes() < 50 << 20

"""Every wrong ingest is refused whole: the right status and place, nothing
queued, no file left behind."""

import json
import socket
import uuid

import pytest

from conftest import Cli, K, poll

TEXT = {"type": "text", "title": "t", "content": "good words"}
FILE = {"type": "file", "file_index": 0}
A = ("a.txt", b"bytes of a")
B = ("b.txt", b"bytes of b")


def files_of(server):
    """Bodies, and uploads on their way."""
    return sorted(p for folder in ("blobs", "tmp")
                  for p in (server.data / folder).rglob("*") if p.is_file())


def state(server, base):
    return (server.api.ok("GET",
                          f"{K}/knowledge-bases/{base}/ingestion-status"),
            server.api.pages(f"{K}/knowledge-bases/{base}/ingestion-jobs"),
            server.api.pages(f"{K}/knowledge-bases/{base}/documents"),
            files_of(server))


@pytest.fixture
def unchanged(server, base):
    before = state(server, base)
    yield
    poll(lambda: state(server, base) == before)


def check_422(answer, *loc):
    assert answer.status_code == 422, answer.text
    detail = answer.json()["detail"]
    assert list(loc) in [d["loc"] for d in detail], detail
    for d in detail:
        assert set(d) >= {"loc", "msg", "type"}


M = ("body", "manifest")
CASES = {
    "absent": (None, [A], M),
    "not JSON": ("{nonsense", [], M),
    "cut JSON": ('[{"type":"text"', [], M),
    "not a list": ({"type": "text"}, [], M),
    "empty": ([], [], M),
    "an item that is no object": (["text"], [], (*M, 0)),
    "no type": ([{"title": "t", "content": "c"}], [], (*M, 0, "type")),
    "an unknown type": ([{**TEXT, "type": "url"}], [], (*M, 0, "type")),
    "the type in another case": ([{**TEXT, "type": "TEXT"}], [],
                                 (*M, 0, "type")),
    "text without title": ([{"type": "text", "content": "c"}], [],
                           (*M, 0, "title")),
    "text without content": ([{"type": "text", "title": "t"}], [],
                             (*M, 0, "content")),
    "text with blank content": ([{**TEXT, "content": " \n\t"}], [],
                                (*M, 0, "content")),
    "content that is a number": ([{**TEXT, "content": 7}], [],
                                 (*M, 0, "content")),
    "file without index": ([{"type": "file"}], [A], (*M, 0, "file_index")),
    "a negative index": ([{**FILE, "file_index": -1}], [A],
                         (*M, 0, "file_index")),
    "an index out of range": ([{**FILE, "file_index": 1}], [A],
                              (*M, 0, "file_index")),
    "an index far out of range": ([{**FILE, "file_index": 2 ** 40}], [A],
                                  (*M, 0, "file_index")),
    "an index that is text": ([{**FILE, "file_index": "0"}], [A],
                              (*M, 0, "file_index")),
    "an index that is a fraction": ([{**FILE, "file_index": 0.5}], [A],
                                    (*M, 0, "file_index")),
    "an index used twice": ([FILE, FILE], [A], (*M, 1, "file_index")),
    "an index without files": ([FILE], [], (*M, 0, "file_index")),
    "a document_id that is no id": ([{**TEXT, "document_id": "x"}], [],
                                    (*M, 0, "document_id")),
    "metadata that is a list": ([{**TEXT, "metadata": []}], [],
                                (*M, 0, "metadata")),
    "an external_id that is a number": ([{**TEXT, "external_id": 1}], [],
                                        (*M, 0, "external_id")),
    "draft that is text": ([{**TEXT, "draft": "yes"}], [], (*M, 0, "draft")),
    "the second item": ([TEXT, {**TEXT, "type": "x"}], [], (*M, 1, "type")),
}


@pytest.mark.parametrize("case", CASES)
def test_a_manifest_is_refused_when_it_is(case, api, base, unchanged):
    manifest, files, loc = CASES[case]
    if manifest is None:
        answer = api.post(f"{K}/knowledge-bases/{base}/ingest",
                          files=[("files", f) for f in files])
    else:
        answer = api.ingest(base, manifest, files)
    check_422(answer, *loc)


def test_an_uploaded_part_that_nothing_names_is_refused(api, base, unchanged):
    answer = api.ingest(base, [FILE], [A, B])
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][:1] == ["body"]


def test_an_unknown_document_id_is_404(api, base, unchanged):
    answer = api.ingest(base, [{**TEXT, "document_id": str(uuid.uuid4())}])
    assert answer.status_code == 404
    assert set(answer.json()) >= {"error", "message"}


def test_a_document_of_another_base_is_404(api, base):
    other = api.make_base()
    doc = api.add_text(other, "there", "words of the other base")
    answer = api.ingest(base, [{**TEXT, "document_id": doc}])
    assert answer.status_code == 404
    assert api.pages(f"{K}/knowledge-bases/{base}/documents") == []


def test_a_body_that_is_no_form_is_refused(api, base, unchanged):
    answer = api.post(f"{K}/knowledge-bases/{base}/ingest", json=[TEXT])
    assert answer.status_code == 422


def test_an_unknown_base_is_404_whatever_the_body(api):
    assert api.ingest(str(uuid.uuid4()), [TEXT]).status_code == 404


def raw_form(boundary="edge"):
    manifest = json.dumps([FILE])
    return (f"--{boundary}\r\nContent-Disposition: form-data; "
            f'name="manifest"\r\n\r\n{manifest}\r\n'
            f"--{boundary}\r\nContent-Disposition: form-data; name=\"files\"; "
            f'filename="a.txt"\r\n\r\n').encode()


def connect(server):
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def head(server, base, length):
    return (f"POST {K}/knowledge-bases/{base}/ingest HTTP/1.1\r\n"
            f"Host: x\r\nx-api-key: {server.api.key}\r\n"
            "Content-Type: multipart/form-data; boundary=edge\r\n"
            f"Content-Length: {length}\r\n\r\n").encode()


def test_a_cut_upload_leaves_nothing(server, base, unchanged):
    for sent in (10, 200_000, 900_000):
        with connect(server) as s:
            s.sendall(head(server, base, 1_000_000) + raw_form()
                      + b"x" * sent)


def test_a_form_without_its_end_is_refused(server, base, unchanged):
    body = raw_form() + b"the bytes"
    with connect(server) as s:
        s.sendall(head(server, base, len(body)) + body)
        assert s.recv(100).startswith(b"HTTP/1.1 422")


def test_a_declared_length_over_the_limit_is_413_at_the_headers(start_server):
    server = start_server("--upload-bytes-max", "1M")
    base = server.api.make_base()
    with connect(server) as s:
        s.sendall(head(server, base, 1 << 40))
        assert s.recv(100).startswith(b"HTTP/1.1 413")
    answer = server.api.ingest(base, [FILE], [("a.txt", b"x" * (2 << 20))])
    assert answer.status_code == 413
    assert set(answer.json()) >= {"error", "message"}
    poll(lambda: files_of(server) == [])
    assert server.api.pages(f"{K}/knowledge-bases/{base}/documents") == []
    # The limit is of what was sent, not of what is served.
    server.api.add(base, [FILE], [("a.txt", b"words " * 1000)])


def test_more_items_than_the_limit_are_refused(api, base, unchanged):
    answer = api.ingest(base, [{**TEXT, "content": f"w{i}"}
                               for i in range(10001)])
    assert answer.status_code == 413
    assert "10000" in answer.json()["message"]


def test_content_over_the_limit_is_refused(api, base, unchanged):
    answer = api.ingest(base, [{**TEXT, "content": "x" * (16 << 20) + "y"}])
    check_422(answer, *M, 0, "content")


def test_each_limit_is_an_option(start_server, tmp_path):
    """At N it goes in, at N+1 it is refused, and the CLI finds its way."""
    server = start_server(
        "--text-bytes-max", "4096", "--content-bytes-max", "2000",
        "--manifest-bytes-max", "4000", "--manifest-items-max", "3",
        "--json-bytes-max", "1500")
    api = server.api
    base = api.make_base()

    def words(n, seed):
        return (f"seed{seed} " + "word " * n)[:n]

    def text(n, seed="s"):
        return {**TEXT, "content": words(n, seed)}
    assert api.ingest(base, [text(2000)]).status_code == 202
    check_422(api.ingest(base, [text(2001)]), *M, 0, "content")
    three = [text(20, i) for i in range(3)]
    assert api.ingest(base, three).status_code == 202
    answer = api.ingest(base, [*three, text(20, 3)])
    assert answer.status_code == 413 and "limit 3" in answer.json()["message"]
    for size, status in ((4000, 202), (4001, 413)):
        manifest = json.dumps([text(100, size)])
        manifest += " " * (size - len(manifest))
        assert api.ingest(base, manifest).status_code == status
    for size, status in ((1500, 201), (1501, 413)):
        body = '{"name":"b","description":"'
        body += "d" * (size - len(body) - 2) + '"}'
        assert api.post(f"{K}/knowledge-bases",
                        content=body).status_code == status
    for size, status in ((4096, "completed"), (4097, "failed")):
        answer = api.ingest(base, [FILE],
                            [(f"{size}.txt", words(size, size).encode()[:-1]
                              + b".")])
        job = api.wait(answer.json()["ingestion_job_id"])
        assert job["status"] == status, size
    row, = api.pages(f"{K}/ingestion-jobs/{job['id']}/documents")
    assert "4096" in row["error_message"]
    folder = tmp_path / "notes"
    folder.mkdir()
    for i in range(20):
        (folder / f"{i}.txt").write_text(words(300, f"cli{i}"))
    got = Cli(tmp_path, server.url).json("add", folder, "--base", base)
    assert (got["queued"], got["failed"]) == (20, [])

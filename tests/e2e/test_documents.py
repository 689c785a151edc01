"""Bases, documents, versions, drafts, downloads, pages."""

import hashlib
import io
import json
import re
import uuid
import zipfile

import httpx
import pytest

from conftest import K, UUID, check_folder

ONE, TWO = "the quick brown fox", "a lazy dog sleeps"


def versions(api, doc):
    return api.ok("GET", f"{K}/documents/{doc}/versions")


def next_version(api, base, doc, content, **more):
    return api.add(base, [{"type": "text", "title": "v", "content": content,
                           "document_id": doc, **more}])


def test_a_base_has_what_the_config_presets(api):
    config = api.ok("GET", f"{K}/config")
    assert config["embedding_models"] == []
    assert config["chunk_sizes"] == [128, 256, 384]
    assert config["defaults"]["embedding_model"] == "none"
    base = api.ok("POST", f"{K}/knowledge-bases", 201,
                  json={"name": "a", "metadata": {"k": [1, None]}})
    assert base["embedding_model"] == "none"
    assert base["embedding_dimensions"] == 0
    assert base["chunk_size"] == config["defaults"]["chunk_size"] == 256
    assert base["metadata"] == {"k": [1, None]}
    assert base["document_count"] == 0 and base["is_active"] is True
    assert api.ok("GET", f"{K}/knowledge-bases/{base['id']}") == base


def test_a_base_is_changed_field_by_field(api, base):
    before = api.ok("GET", f"{K}/knowledge-bases/{base}")
    after = api.ok("PUT", f"{K}/knowledge-bases/{base}",
                   json={"name": "renamed", "chunk_size": 128})
    assert after["name"] == "renamed" and after["chunk_size"] == 128
    assert after["description"] == before["description"]
    assert after["created_at"] == before["created_at"]
    for wrong in ({"embedding_model": "x"}, {"nonsense": 1}):
        answer = api.put(f"{K}/knowledge-bases/{base}", json=wrong)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["type"] == "extra_forbidden"


def test_a_deleted_base_is_gone_with_all_it_held(api):
    base = api.make_base()
    doc = api.add_text(base, "t", ONE)
    assert api.delete(f"{K}/knowledge-bases/{base}").status_code == 204
    assert api.get(f"{K}/knowledge-bases/{base}").status_code == 404
    assert api.get(f"{K}/documents/{doc}").status_code == 404
    assert api.delete(f"{K}/knowledge-bases/{base}").status_code == 404
    answer = api.post(f"{K}/search", json={"query": "fox", "kb_ids": [base]})
    assert answer.status_code == 400


def test_an_inactive_base_finds_nothing(api, base):
    api.add_text(base, "t", ONE)
    api.ok("PUT", f"{K}/knowledge-bases/{base}", json={"is_active": False})
    assert api.search("fox", base)["results"] == []
    api.ok("PUT", f"{K}/knowledge-bases/{base}", json={"is_active": True})
    assert len(api.search("fox", base)["results"]) == 1


def test_a_document_tells_its_metadata_and_external_id(api, base):
    doc = api.add_text(base, "t", ONE, metadata={"lang": "en"},
                       external_id="ticket-7")
    got = api.document(doc)
    assert got["metadata"] == {"lang": "en"}
    assert got["external_id"] == "ticket-7"
    assert got["title"] == "t"
    assert got["source_type"] == "text"
    assert got["state"] == "active"
    assert got["version_number"] == got["version_count"] == 1
    assert got["chunk_count"] >= 1
    listed, = api.pages(f"{K}/knowledge-bases/{base}/documents")
    assert listed["external_id"] == "ticket-7"


def test_the_same_external_id_makes_versions_or_duplicates(api, base):
    doc = api.add_text(base, "t", ONE, external_id="x")
    again = api.add(base, [{"type": "text", "title": "t", "content": ONE,
                            "external_id": "x"}], status="duplicate")[0]
    assert again["duplicate_of_document_id"] == doc
    assert api.add_text(base, "t", TWO, external_id="x") == doc
    assert api.document(doc)["version_number"] == 2
    # Equal text under another external_id is another document.
    assert api.add_text(base, "t", TWO, external_id="y") != doc


def test_a_new_version_takes_over_and_the_old_one_is_archived(api, base):
    doc = api.add_text(base, "t", ONE)
    next_version(api, base, doc, TWO)
    listed = versions(api, doc)
    assert [(v["version_number"], v["state"]) for v in listed] == \
        [(2, "active"), (1, "archived")]
    assert api.document(doc)["active_version_id"] == listed[0]["id"]
    assert api.search("fox", base)["results"] == []
    assert len(api.search("dog", base)["results"]) == 1


def test_a_draft_waits_until_it_is_promoted(api, base):
    doc = api.add_text(base, "t", ONE)
    next_version(api, base, doc, TWO, draft=True)
    new, old = versions(api, doc)
    assert (new["state"], old["state"]) == ("draft", "active")
    assert api.search("dog", base)["results"] == []
    hit, = api.search("dog", base, prefer_draft=True)["results"]
    assert hit["version_id"] == new["id"]
    body = api.ok("POST", f"{K}/documents/{doc}/promote",
                  json={"version_id": new["id"]})
    assert body == {"document_id": doc, "active_version_id": new["id"],
                    "previous_version_id": old["id"]}
    assert len(api.search("dog", base)["results"]) == 1
    assert api.search("fox", base)["results"] == []


def test_an_old_version_comes_back_by_promotion(api, base):
    doc = api.add_text(base, "t", ONE)
    next_version(api, base, doc, TWO)
    _, old = versions(api, doc)
    api.ok("POST", f"{K}/documents/{doc}/promote",
           json={"version_id": old["id"]})
    assert len(api.search("fox", base)["results"]) == 1
    assert api.search("dog", base)["results"] == []


def test_a_search_may_pin_an_archived_version(api, base):
    doc = api.add_text(base, "t", ONE)
    next_version(api, base, doc, TWO)
    _, old = versions(api, doc)
    hit, = api.search("fox", base,
                      version_overrides={doc: old["id"]})["results"]
    assert hit["version_id"] == old["id"]


def test_a_version_is_named_by_id_number_or_alias(api, base):
    doc = api.add_text(base, "t", ONE)
    next_version(api, base, doc, TWO)
    new, old = versions(api, doc)
    for ref, want in (("1", old), ("2", new), ("active", new),
                      ("latest", new), (old["id"], old)):
        got = api.ok("GET", f"{K}/documents/{doc}/versions/{ref}")
        assert got["id"] == want["id"]
    assert api.get(f"{K}/documents/{doc}/versions/9").status_code == 404
    assert api.get(f"{K}/documents/{doc}/versions/draft").status_code == 404


def test_the_active_version_is_not_deleted_an_archived_one_is(api, base):
    doc = api.add_text(base, "t", ONE)
    next_version(api, base, doc, TWO)
    new, old = versions(api, doc)
    answer = api.delete(f"{K}/documents/{doc}/versions/{new['id']}")
    assert answer.status_code == 400
    assert answer.json()["error"] == "version_active"
    answer = api.delete(f"{K}/documents/{doc}/versions/{old['id']}")
    assert answer.status_code == 204
    assert [v["id"] for v in versions(api, doc)] == [new["id"]]


def test_a_deleted_document_is_gone_from_the_next_search(api, base):
    doc = api.add_text(base, "t", ONE)
    assert api.delete(f"{K}/documents/{doc}").status_code == 204
    assert api.search("fox", base)["results"] == []
    assert api.get(f"{K}/documents/{doc}").status_code == 404
    assert api.get(f"{K}/documents/{doc}/versions").status_code == 404
    # And may be added again.
    assert api.add_text(base, "t", ONE) != doc


def test_title_and_metadata_are_patched(api, base):
    doc = api.add_text(base, "first title", ONE, metadata={"a": 1})
    got = api.ok("PATCH", f"{K}/documents/{doc}", json={"title": "second"})
    assert got["title"] == "second" and got["metadata"] == {"a": 1}
    got = api.ok("PATCH", f"{K}/documents/{doc}", json={"metadata": {"b": 2}})
    assert got["metadata"] == {"b": 2}
    hit, = api.search("fox", base)["results"]
    assert hit["document_title"] == "second"
    for wrong in ({}, {"title": "x" * 501}, {"other": 1}, {"title": 5}):
        assert api.patch(f"{K}/documents/{doc}",
                         json=wrong).status_code == 422


def test_lists_are_paged_newest_first_without_gaps(api, base):
    docs = [api.add_text(base, f"t{i}", f"words {i}") for i in range(7)]
    path = f"{K}/knowledge-bases/{base}/documents"
    for limit in (1, 3, 7, 200):
        got = [d["id"] for d in api.pages(path, limit=limit)]
        assert got == docs[::-1]
    for limit in (0, 201, "x"):
        assert api.get(path, params={"limit": limit}).status_code == 422
    for cursor in ("nonsense", "AAAA", ""):
        status = api.get(path, params={"cursor": cursor}).status_code
        assert status in ((400,) if cursor else (200, 400))


def test_a_cursor_of_one_list_is_not_taken_by_another(api, base):
    for i in range(3):
        api.add_text(base, f"t{i}", f"words {i}")
    page = api.ok("GET", f"{K}/knowledge-bases/{base}/documents",
                  params={"limit": 1})
    answer = api.get(f"{K}/knowledge-bases/{base}/ingestion-jobs",
                     params={"cursor": page["next_cursor"]})
    assert answer.status_code == 400
    for bad in ("zz", "%00", page["next_cursor"][:-1], "%ff"):
        answer = api.get(f"{K}/knowledge-bases/{base}/documents?cursor={bad}")
        assert answer.status_code == 400, bad
        assert answer.json()["error"] == "bad_request"


def test_the_upload_comes_back_byte_by_byte_without_a_key(api, base):
    body = b"".join(b"line %d\r\n" % i for i in range(20000))
    doc = api.add(base, [{"type": "file", "file_index": 0}],
                  [("long.txt", body)])[0]["document_id"]
    got = api.document(doc)
    assert got["download_url"].startswith(api.url)
    answer = httpx.get(got["download_url"], trust_env=False)
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).digest() == \
        hashlib.sha256(body).digest()
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_changed_link_opens_nothing(api, base):
    doc = api.add_text(base, "t", ONE)
    other = api.add_text(base, "u", TWO)
    link = api.document(doc)["download_url"]
    assert httpx.get(link, trust_env=False).status_code == 200
    for wrong in (link[:-1] + ("0" if link[-1] != "0" else "1"),
                  link.split("?")[0],
                  link.replace(doc, other)):
        if wrong != link:
            status = httpx.get(wrong, trust_env=False).status_code
            assert status in (400, 403, 404), wrong


def test_ids_are_taken_in_every_form_pydantic_takes(api, base):
    plain = base.replace("-", "")
    for form in (base.upper(), plain, f"urn:uuid:{base}"):
        got = api.ok("GET", f"{K}/knowledge-bases/{form}")
        assert got["id"] == base
    answer = api.get(f"{K}/knowledge-bases/not-an-id")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["type"] == "uuid_parsing"
    assert answer.json()["detail"][0]["loc"] == ["path", "kb_id"]


@pytest.mark.parametrize("name", [
    "ü ñ 漢字.md", 'quote".md', "semi;colon.md", "per%20cent.md",
    "../../etc/passwd", "back\\slash.md", "x" * 200 + ".md"])
def test_file_names_are_data(api, base, name):
    doc = api.add(base, [{"type": "file", "file_index": 0}],
                  [(name, f"words of {uuid.uuid4()}".encode())])
    got = api.document(doc[0]["document_id"])
    assert got["title"]
    assert UUID.fullmatch(got["id"])


def naughty_names():
    """500 file names that some program or other stumbled over."""
    stems = ["a", "\u00fc\u00f6", "\u6f22\u5b57", "\u0639\u0631", "\U0001f600\u200d",
             "e\u0301", "\u202egnp", "\ufeffmark", "\u00a0", "\u2028", "zero\u200bwidth",
             "x" * 200, "-rf", "--help", "~root", "$HOME", "${IFS}", "`id`",
             "$(id)", ";id", "|id", "&id", "<id", ">id", "*", "?", "[a-z]",
             "{a,b}", "!", "#", "%s%n", "%00", "%2e%2e%2f", "'", "' OR 1=1 --",
             "<script>alert(1)</script>", "&amp;", "CON", "NUL", "com1", "lpt1.txt",
             "...", " lead", "trail ", "dot.", "tab\tin", "a\x01b", "\x7f", "null",
             "undefined", "0", "1e309", "-1", "true", "{}", "[]", "\\", "a:b",
             "C:\\x", "file://x", "http://x/", "\u2215slash", "\uff0ffull"]
    traversals = ["../" * n + "etc/passwd" for n in range(1, 8)] + [
        "/etc/passwd", "./x", "a/../../x", "..", ".", "a/./b", "a//b", "../",
        "..\\..\\x", "....//x", "/dev/null", "/proc/self/mem", "tmp/x",
        "blobs/ab/x", "knowd.db", "../knowd.db", "index", "reserve"]
    ends = ["", ".md", ".txt", ".md.txt", ".MD", ".tar.gz", ".html", ".exe"]
    names = [s + e for s in stems + traversals for e in ends]
    return [n for n in dict.fromkeys(names) if len(n.encode()) <= 255][:500]


def test_500_naughty_file_names_come_back_and_name_no_file(start_server):
    server = start_server()
    base = server.api.make_base()
    names = naughty_names()
    assert len(names) == 500
    got = {}
    for at in range(0, 500, 90):
        some = names[at:at + 90]
        body = b"--b\r\nContent-Disposition: form-data; name=\"manifest\"" \
            b"\r\n\r\n" + json.dumps([
                {"type": "file", "file_index": i}
                for i in range(len(some))]).encode() + b"\r\n"
        for i, name in enumerate(some):
            quoted = name.replace("\\", "\\\\").replace('"', '\\"').encode()
            body += b"--b\r\nContent-Disposition: form-data; name=\"files\"; " \
                b'filename="' + quoted + b'"\r\n\r\n' + \
                f"words of file {at + i}".encode() + b"\r\n"
        answer = server.api.post(
            f"{K}/knowledge-bases/{base}/ingest", content=body + b"--b--\r\n",
            headers={"content-type": "multipart/form-data; boundary=b"})
        assert answer.status_code == 202, answer.text
        for name, item in zip(some, answer.json()["items"]):
            got[name] = item["document_id"]
        server.api.wait(answer.json()["ingestion_job_id"])
    for name, doc in got.items():
        version, = server.api.ok("GET", f"{K}/documents/{doc}/versions")
        assert version["filename"] == name
    own = re.compile(r"knowd\.db(-wal|-shm)?|lock|reserve|tmp|blobs|index|"
                     r"index/[0-9a-f-]{36}(/\d+\.seg(\.tmp)?)?|"
                     r"blobs/[0-9a-f]{2}(/[0-9a-f]{64})?|tmp/[0-9a-f]{16}")
    there = [str(p.relative_to(server.data)) for p in server.data.rglob("*")]
    assert [p for p in there if not own.fullmatch(p)] == []
    assert server.stop() == 0
    assert check_folder(server.data) == []


def docx(text):
    """The least that is a Word document."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("[Content_Types].xml", (
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/'
            'content-types"><Default Extension="rels" ContentType="application/'
            'vnd.openxmlformats-package.relationships+xml"/><Override PartName='
            '"/word/document.xml" ContentType="application/vnd.openxmlformats-'
            'officedocument.wordprocessingml.document.main+xml"/></Types>'))
        z.writestr("_rels/.rels", (
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/'
            '2006/relationships"><Relationship Id="r1" Type="http://schemas.'
            'openxmlformats.org/officeDocument/2006/relationships/'
            'officeDocument" Target="word/document.xml"/></Relationships>'))
        z.writestr("word/document.xml", (
            '<w:document xmlns:w="http://schemas.openxmlformats.org/'
            'wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>'
            f'{text}</w:t></w:r></w:p></w:body></w:document>'))
    return out.getvalue()


@pytest.mark.parametrize("name, data, state", [
    ("report.docx", docx("Every valve is closed by hand."), "active"),
    ("scan.7z", b"7z\xbc\xaf\x27\x1c" + bytes(range(256)) * 400, "failed"),
    ("page.html", b"<html><body><script>alert(1)</script><p>Valves are shut."
                  b"</p></body></html>", "active"),
    ("blob.bin", bytes(range(256)) * 1024, "failed"),
])
def test_an_original_comes_back_byte_for_byte_and_inert(api, base, name, data,
                                                        state):
    doc = api.add(base, [{"type": "file", "file_index": 0}], [(name, data)],
                  status="completed" if state == "active" else "failed")[0]
    got = api.document(doc["document_id"])
    assert got["state"] == state
    answer = httpx.get(got["download_url"], trust_env=False)
    assert answer.content == data
    heads = answer.headers
    assert heads["content-disposition"].startswith(
        f'attachment; filename="{name}"')
    assert heads["x-content-type-options"] == "nosniff"
    assert heads["content-security-policy"] == "sandbox; default-src 'none'"
    assert heads["cache-control"] == "private, no-store"
    part = httpx.get(got["download_url"], trust_env=False,
                     headers={"range": "bytes=3-20"})
    assert (part.status_code, part.content) == (206, data[3:21])
    if state == "active":
        text = httpx.get(got["normalized_download_url"], trust_env=False)
        assert "alve" in text.text
        assert text.headers["content-type"] == "text/markdown; charset=utf-8"
        for head in ("content-disposition", "x-content-type-options",
                     "content-security-policy"):
            assert head in text.headers
    else:
        assert got["normalized_download_url"] is None


def test_extraction_says_what_reading_came_to(api, base):
    good, bad = (i["document_id"] for i in api.add(base, [
        {"type": "file", "file_index": 0, "title": "Given"},
        {"type": "file", "file_index": 1}],
        [("a.md", b"# Found\n\nSome words.\n"),
         ("b.7z", b"7z\xbc\xaf\x27\x1c\0")], status="partial_failure"))
    got = api.document(good)
    assert got["title"] == "Given"
    assert got["extraction"]["title"] == "Found"
    assert got["extraction"]["outcome"] == "ok"
    assert got["extraction"]["mime"] == "text/markdown"
    assert got["extraction"]["extractor_version"] >= 1
    for unknown in ("note", "pages", "created", "modified", "ocr_confidence"):
        assert got["extraction"][unknown] is None
    assert got["extraction"]["flags"] == []
    version = api.ok("GET", f"{K}/documents/{good}/versions/1")
    assert version["extraction"] == got["extraction"]
    got = api.document(bad)
    assert got["title"] == "b.7z"
    assert got["extraction"]["outcome"] == "unsupported"
    assert "7z" in got["extraction"]["note"]
    # Lists leave it out.
    for doc in api.pages(f"{K}/knowledge-bases/{base}/documents"):
        assert "extraction" not in doc
    assert "extraction" not in api.ok("GET", f"{K}/documents/{good}/versions")[0]

"""Makes NAME.tar.xz beside this file: the data folder of a stopped server, as
the program of this moment writes it, and NAME.json: keys, which no server tells
twice, and what this one answered. Run once for each released schema:

    python3 tests/golden/store/make.py schema-N

schema-1 is of version 0.1.0, extractor 1, before there were hubs, models and
NAME.json. schema-5 is the last whose bases have no weight of their own.
tests/e2e/test_upgrade.py says what is in each.
"""

import io
import json
import pathlib
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
import models  # noqa: E402
from conftest import Cli, Server, poll  # noqa: E402
from hub import H, Hub  # noqa: E402
from web import NET, Web, html  # noqa: E402

GUIDE = b"# Guide\n\n## Pumps\n\nThe pump drips in winter.\n"
LONG = b"# Long\n\n" + b"".join(
    b"Sentence %d of a text that is a file of its own.\n" % i
    for i in range(1600)) + b"\nThe last word is quokka.\n"


def fill(api):
    base = api.make_base(name="golden", embedding_model="none")
    api.add(base, [
        {"type": "file", "file_index": 0, "metadata": {"k": 1}},
        {"type": "file", "file_index": 1},
        {"type": "text", "title": "Caf\u00e9", "content": "Th\u00e9 vert",
         "external_id": "ext-1"},
        {"type": "file", "file_index": 2},
    ], [("guide.md", GUIDE), ("long.md", LONG),
        ("scan.pdf", b"%PDF-1.4\n%made by hand, no pages\n")],
        status="partial_failure")
    api.add(base, [{"type": "text", "title": "Caf\u00e9",
                    "content": "Th\u00e9 noir", "external_id": "ext-1"}])


def key_of(api, **fields):
    made = api.ok("POST", "/v1/identity/api-keys", 201, json=fields)
    return made["plain_text_key"], made["id"]


def fill_hub(server, web):
    """Of a tenant of its own; the keys, and what it has of each kind."""
    keys = {"admin": server.api.ok("POST", "/knowd/v1/keys", 201, json={
        "name": "admin", "tenant": "birds"})["key"]}
    hub = Hub(server.url, keys["admin"])
    keys["reader"], _ = key_of(hub, name="reader",
                               scopes=["knowledge_bases:read"])
    keys["revoked"], revoked = key_of(hub, name="revoked")
    hub.ok("DELETE", f"/v1/identity/api-keys/{revoked}", 204)

    birds = hub.make_folder("Birds", emoji="\U0001f426")["id"]
    waders = hub.make_folder("Waders", parent_id=birds)["id"]
    web.pages["/whimbrel"] = html("Whimbrel", "The whimbrel wades by night.",
                                  "Its bill is long and bent.")
    web.pages["/gone"] = (410, {}, b"")
    source = hub.ready(hub.add_url(web.url("/whimbrel"), "Whimbrel",
                                   folder_ids=[waders])["id"])["id"]
    hub.failed(hub.add_url(web.url("/gone"), "Gone")["id"])
    page = hub.make_page("Plovers", content="A plover runs and stops.\n",
                         status="published", folder_ids=[birds],
                         source_ids=[source])["id"]
    hub.ok("PATCH", f"{H}/pages/{page}", json={"content": "A draft.\n"})
    poll(lambda: hub.find("plover"))
    told = {path: hub.list(f"{H}/{path}") for path in (
        "sources", "folders", "pages", f"pages/{page}/versions")}
    return keys, told


def fill_meaning(server, work):
    """A base whose passages have vectors of a very small model."""
    Cli(work, server.url)("model", "add", models.make(
        work / "model", layers=1, intermediate=64, positions=32),
        "--name", "small")
    base = server.api.make_base(name="meaning", embedding_model="small")
    server.api.add(base, [{"type": "text", "title": name, "content": text}
                          for name, text in (("one", "The first of two."),
                                             ("two", "The second."))])
    poll(lambda: len(server.api.ok("POST", "/knowd/v1/search", json={
        "query": "x", "kb_ids": [base], "legs": "dense"})["results"]) == 2)


def main(name):
    web = Web()
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        data = work / "data"
        server = Server(data, *NET)
        try:
            fill(server.api)
            keys, told = fill_hub(server, web)
            fill_meaning(server, work)
        finally:
            web.close()
            status = server.stop()
        assert status == 0
        (data / "reserve").unlink()  # noise; it is made again
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:xz") as tar:
            for path in sorted(data.rglob("*")):
                info = tar.gettarinfo(path, str(path.relative_to(data)))
                info.uid = info.gid = info.mtime = 0
                info.uname = info.gname = ""
                tar.addfile(info, path.open("rb") if path.is_file() else None)
        (HERE / f"{name}.tar.xz").write_bytes(out.getvalue())
        (HERE / f"{name}.json").write_text(
            json.dumps({"keys": keys, "told": told}, indent=1) + "\n")


main(sys.argv[1])

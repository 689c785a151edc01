"""`knowd model`: what it sends, what it downloads, what it refuses. The server
and the hub are one small program here, which cuts, moves and lies on demand."""

import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import sqlite3
import ssl
import struct
import subprocess
import threading
import time
import uuid

import pytest

import models
from conftest import ADMIN_KEY, K, KNOWD, UUID, Cli, poll

CONFIG = {"model_type": "bert", "vocab_size": 9, "hidden_size": 64,
          "num_hidden_layers": 1, "num_attention_heads": 2,
          "intermediate_size": 64, "max_position_embeddings": 32,
          "type_vocab_size": 2, "hidden_act": "gelu"}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b", ",", "c"]
TOKENIZER = {
    "added_tokens": [{"id": i, "content": w, "special": True}
                     for i, w in enumerate(WORDS[:5])],
    "normalizer": {"type": "BertNormalizer", "clean_text": True,
                   "handle_chinese_chars": True, "strip_accents": None,
                   "lowercase": True},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3],
                       "cls": ["[CLS]", 2]},
    "model": {"type": "WordPiece", "unk_token": "[UNK]",
              "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 100,
              "vocab": {w: i for i, w in enumerate(WORDS)}}}
MODULES = [{"path": "", "type": "x.Transformer"},
           {"path": "1_Pooling", "type": "x.Pooling"}]


def weights(**odd):
    """A .safetensors file; odd: shapes of tensors that have another one."""
    h, i = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    shapes = {"embeddings.word_embeddings.weight": [CONFIG["vocab_size"], h],
              "embeddings.position_embeddings.weight": [32, h],
              "embeddings.token_type_embeddings.weight": [2, h]}
    linears = {"attention.self.query": (h, h), "attention.self.key": (h, h),
               "attention.self.value": (h, h),
               "attention.output.dense": (h, h),
               "intermediate.dense": (i, h), "output.dense": (h, i)}
    for name, (rows, cols) in linears.items():
        shapes[f"encoder.layer.0.{name}.weight"] = [rows, cols]
        shapes[f"encoder.layer.0.{name}.bias"] = [rows]
    for name in ("embeddings", "encoder.layer.0.attention.output",
                 "encoder.layer.0.output"):
        shapes[f"{name}.LayerNorm.weight"] = [h]
        shapes[f"{name}.LayerNorm.bias"] = [h]
    shapes.update(odd)
    header, data = {}, b""
    for name, shape in shapes.items():
        n = shape[0] * (shape[1] if len(shape) > 1 else 1)
        one = struct.pack(f"<{n}f", *((k * 37 % 101 - 50) / 100
                                      for k in range(n)))
        header[name] = {"dtype": "F32", "shape": shape,
                        "data_offsets": [len(data), len(data) + len(one)]}
        data += one
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def files(**odd):
    return {"config.json": json.dumps(CONFIG).encode(),
            "modules.json": json.dumps(MODULES).encode(),
            "1_Pooling/config.json": b'{"pooling_mode_cls_token": true}',
            "tokenizer.json": json.dumps(TOKENIZER).encode(),
            "README.md": b"---\nlicense: mit\n---\n",
            "model.safetensors": weights(**odd)}


@pytest.fixture
def folder(tmp_path):
    for name, data in files().items():
        path = tmp_path / "tiny-model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "tiny-model"


class Peer(http.server.ThreadingHTTPServer):
    """knowd's routes of models, and a hub under /ORG/NAME/resolve/main; by TLS
    where it is given an ssl.SSLContext."""
    daemon_threads = True

    def __init__(self, tls=None):
        super().__init__(("127.0.0.1", 0), Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True,
                                          do_handshake_on_connect=False)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server_port}"
        self.models, self.seen = {}, []
        self.files = files()  # of the hub
        self.cdn = ""         # where it says its large files are
        self.cut = None       # bytes after which a large answer ends, once
        self.sums = {}        # tags that are not the file's
        self.refuse = None    # (status, body) of every PUT
        self.on_put = None    # called when one has come
        threading.Thread(target=self.serve_forever, args=(0.02,),
                         daemon=True).start()

    def handle_error(self, request, client_address):
        """Those who don't like the certificate hang up."""
        self.seen.append(("hung up", None, None))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_json(self, status, value):
        self.answer(status, json.dumps(value).encode(),
                    Content_Type="application/json")

    def do_PUT(self):
        name = self.path.rsplit("/", 1)[1]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Content-Type"] == "application/octet-stream"
        if self.server.on_put:
            self.server.on_put()
        if self.server.refuse:
            return self.answer_json(*self.server.refuse)
        self.server.models[name] = body
        return self.answer_json(201, {"name": name, "dimensions": 64,
                                      "tokens_max": 32, "bytes": len(body)})

    def do_DELETE(self):
        name = self.path.rsplit("/", 1)[1]
        if self.server.models.pop(name, None) is None:
            return self.answer_json(404, {"detail": f"no model {name}"})
        return self.answer(204)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        peer = self.server
        peer.seen.append((self.command, self.path, self.headers["Range"]))
        if self.path == "/knowd/v1/models":
            return self.answer_json(200, {"models": [
                {"name": n, "dimensions": 64, "tokens_max": 32,
                 "license": "mit", "bytes": len(b), "default": False,
                 "bases": 2} for n, b in peer.models.items()],
                "model_dir": "/data/model"})
        if self.path.startswith("/cdn/"):
            return self.large(peer.files[self.path[5:]])
        name = re.fullmatch(r"/[^/]+/[^/]+/resolve/main/(.*)", self.path)
        data = name and peer.files.get(name[1])
        if data is None:
            return self.answer(404)
        sum_ = hashlib.sha256(data).hexdigest()
        if name[1].endswith(".safetensors"):
            tag = '"' + peer.sums.get(name[1], sum_) + '"'
            return self.answer(302, Location=peer.cdn + "/cdn/" + name[1],
                               X_Linked_ETag=tag, X_Linked_Size=len(data))
        return self.answer(200, data, ETag='"' + sum_[:40] + '"')

    def large(self, data):
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        at = int(asked[1]) if asked else 0
        headers = {"Content_Range": f"bytes {at}-{len(data) - 1}/{len(data)}"}
        if self.server.cut is None:
            return self.answer(206 if asked else 200, data[at:],
                               **(headers if asked else {}))
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", headers["Content_Range"])
        self.send_header("Content-Length", str(len(data) - at))
        self.end_headers()
        self.wfile.write(data[at:at + self.server.cut])
        self.close_connection = True
        self.server.cut = None


@pytest.fixture
def peer():
    peer = Peer()
    yield peer
    peer.shutdown()
    peer.server_close()


@pytest.fixture
def cli(peer, tmp_path):
    cli = Cli(tmp_path, peer.url)
    cli.env.update(KNOWD_HUB=peer.url, XDG_CACHE_HOME=str(tmp_path / "cache"),
                   TMPDIR=str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    return cli


def left_behind(cli):
    return list((cli.home / "tmp").iterdir())


def test_a_folder_is_packed_here_and_sent(cli, peer, folder):
    out = cli("model", "add", folder).stdout
    assert "tiny-model: 1 layers, 64 dimensions, texts of 32 tokens, cls" in out
    assert "installed" in out
    assert len(peer.models["tiny-model"]) > 1000
    assert left_behind(cli) == []
    answer = cli.json("model", "add", folder, "--name", "other")
    assert answer["name"] == "other"
    assert answer["bytes"] == len(peer.models["other"])


def test_a_packed_file_goes_with_the_command_that_made_it(cli, peer, folder):
    def kill_at(call):
        fault = f"exit@{call}:pwrite:path=knowd-model"
        return cli("model", "add", folder, status=137,
                   env={"KNOWD_FAULT": fault})
    kill_at(1)
    assert left_behind(cli) == []
    kill_at(2)
    assert left_behind(cli) == [] and peer.models == {}
    seen = []
    peer.on_put = lambda: seen.append(left_behind(cli))
    cli("model", "add", folder)
    assert seen == [[]] and "tiny-model" in peer.models
    gone = cli.home / "gone"
    done = cli("model", "add", folder, status=3, env={"TMPDIR": str(gone)})
    assert f"cannot make {gone}/knowd-model-" in done.stderr


def test_the_real_server_installs_lists_and_removes(server, tmp_path, folder):
    cli = Cli(tmp_path, server.url)
    answer = cli.json("model", "add", folder)
    assert {k: answer[k] for k in ("name", "dimensions", "tokens_max")} == \
        {"name": "tiny-model", "dimensions": 64, "tokens_max": 32}
    model, = [m for m in cli.json("model")["models"]
              if m["name"] == "tiny-model"]
    assert model["license"] == "mit" and model["bytes"] == answer["bytes"]
    assert "tiny-model" in cli("model").stdout
    cli("model", "rm", "tiny-model")
    assert "tiny-model" not in cli("model").stdout
    assert "no such model" in cli("model", "rm", "tiny-model", status=3).stderr


def test_a_base_is_given_a_model_and_follows_it(start_server, tmp_path):
    server = start_server()
    cli = Cli(tmp_path, server.url)
    base = cli.json("bases", "create", "shelf")["id"]
    at = f"/v1/knowledge-base/knowledge-bases/{base}"
    server.api.add_text(base, "birds", "The whimbrel stands.")
    assert server.api.ok("GET", at)["embedding_model"] == "none"
    assert "is installed" in cli("bases", "model", "shelf", "small",
                                 status=3).stderr
    cli("model", "add", models.make(tmp_path / "64"), "--name", "small")
    done = cli("bases", "model", "shelf", "small")
    assert done.stdout == "shelf has the model small\n"
    server.api.wait(re.search(r"knowd jobs wait (\S+)", done.stderr)[1])
    got = server.api.ok("GET", at)
    assert (got["embedding_model"], got["embedding_dimensions"]) == \
        ("small", 64)
    cli("model", "add", models.make(tmp_path / "128", hidden=128),
        "--name", "small")
    assert server.api.ok("GET", at)["embedding_dimensions"] == 128
    got = cli.json("bases", "model", base, "none")["knowledge_base"]
    assert (got["embedding_model"], got["embedding_dimensions"]) == ("none", 0)
    cli("bases", "model", "shelf", status=2)
    assert cli("bases", "alpha", "shelf", "0.25").stdout == \
        "shelf has the alpha 0.25\n"
    assert server.api.ok("GET", at)["retrieval_alpha"] == 0.25
    for bad in ("1.5", "much", "", "nan"):
        assert "from 0 to 1" in cli("bases", "alpha", "shelf", bad,
                                    status=2).stderr
    cli("bases", "alpha", "shelf", "none")
    assert server.api.ok("GET", at)["retrieval_alpha"] is None


def test_a_model_of_other_dimensions_updates_its_bases(start_server, tmp_path):
    data = tmp_path / "data"
    server = start_server(data=data)
    cli, api = Cli(tmp_path, server.url), server.api
    other = api.ok("POST", "/knowd/v1/keys", 201,
                   json={"name": "k", "tenant": "other"})
    cli("model", "add", models.make(tmp_path / "64"), "--name", "small")
    cli("model", "add", models.make(tmp_path / "x"), "--name", "apart")
    owners = [api, api, server.api_with(other["key"])]
    bases = [owner.make_base(embedding_model="small") for owner in owners]
    gone = api.make_base(embedding_model="small")
    apart = api.make_base(embedding_model="apart")
    api.ok("DELETE", f"{K}/knowledge-bases/{gone}", 204)
    owners.append(api)

    def get():
        return [owner.ok("GET", f"{K}/knowledge-bases/{base}")
                for owner, base in zip(owners, [*bases, apart])]
    made = get()
    # As many dimensions: nothing that a base shows is another.
    cli("model", "add", models.make(tmp_path / "64b", seed=2), "--name",
        "small")
    assert get() == made
    cli("model", "add", models.make(tmp_path / "128", hidden=128),
        "--name", "small")
    now = get()
    assert now[3] == made[3]
    for was, is_ in zip(made[:3], now):
        assert is_["updated_at"] > was["updated_at"]
        assert is_ == {**was, "embedding_dimensions": 128,
                       "updated_at": is_["updated_at"]}
    assert server.stop() == 0
    with contextlib.closing(sqlite3.connect(data / "knowd.db")) as db:
        rows = db.execute("SELECT e.base, e.object, e.actor, e.tenant ="
                          " (SELECT tenant FROM base b WHERE b.id = e.base)"
                          " FROM event e WHERE kind = 'base.updated'"
                          ).fetchall()
        actors = {row[0] for row in db.execute(
            "SELECT actor FROM event WHERE kind = 'base.created'"
            " AND base = ?", (uuid.UUID(bases[0]).bytes,))}
    assert {uuid.UUID(bytes=base) for base, *_ in rows} == \
        {uuid.UUID(base) for base in bases} and len(rows) == 3
    assert all(base == object_ and own for base, object_, _, own in rows)
    # Another organization hears nothing of the key.
    assert all(actor in (actors if str(uuid.UUID(bytes=base)) in bases[:2]
                         else {None}) for base, _, actor, _ in rows)


def test_a_model_too_many_leaves_the_one_there(start_server, tmp_path):
    server = start_server()
    cli, folder = Cli(tmp_path, server.url), server.data / "model"
    cli("model", "add", models.make(tmp_path / "a"), "--name", "small")
    cli("model", "add", models.make(tmp_path / "b", seed=2), "--name", "other")
    packed = (folder / "small.model").read_bytes()

    def put(path):
        return server.api.put("/knowd/v1/models/small",
                              content=path.read_bytes()).status_code
    for _ in range(62):
        assert put(folder / "small.model") == 201
    assert put(folder / "other.model") >= 400
    assert (folder / "small.model").read_bytes() == packed
    assert sorted(p.name for p in folder.iterdir()) == \
        ["other.model", "small.model"]


def test_what_a_killed_server_has_left_of_a_model_goes(start_server, tmp_path):
    data = tmp_path / "data"
    server, folder = start_server(data=data), data / "model"

    def half():
        before = set(folder.glob(".*"))
        with socket.create_connection(
                ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))) as line:
            line.sendall(b"PUT /knowd/v1/models/small HTTP/1.1\r\nHost: h\r\n"
                         b"X-API-Key: " + ADMIN_KEY.encode() +
                         b"\r\nContent-Length: 4000\r\n\r\n" + b"x" * 2000)
            sent, = poll(lambda: [p for p in {*folder.glob(".*")} - before
                                  if p.stat().st_size])
            server.kill()
        return sent

    left = half()
    assert UUID.fullmatch(left.name[1:-4])
    name = "0190d3c1-0000-7000-8000-00000000000"
    others = {folder / n for n in (
        f".{name}.tmp", f"{name}1.tmp", f".{name}A.tmp", f".{name}1.tmp.x",
        ".tmp", "..tmp", "x.model.tmp")}
    for path in others:
        path.write_bytes(b"x")
    (folder / f".{name}2.tmp").mkdir()
    (folder / f".{name}3.tmp").symlink_to(folder / "x.model.tmp")
    server = start_server(data=data)
    assert set(folder.iterdir()) == others | {
        folder / f".{name}2.tmp", folder / f".{name}3.tmp"}
    # In a folder of several servers another may be taking one in right now.
    old = folder / f".{name}4.tmp"
    old.write_bytes(b"x")
    os.utime(old, (time.time() - 3700,) * 2)
    young = half()
    start_server("--model", str(folder))
    assert young.exists() and not old.exists()


def test_models_are_listed_and_removed(cli, peer, folder):
    assert "no models yet" in cli("model").stderr
    cli("model", "add", folder)
    out = cli("model", "list").stdout
    assert out.split()[0] == "tiny-model" and "64 dimensions" in out
    assert cli.json("model")["model_dir"] == "/data/model"
    assert cli("model", "rm", "tiny-model").stdout == "removed\n"
    assert peer.models == {}
    done = cli("model", "rm", "tiny-model", status=3)
    assert "no model tiny-model" in done.stderr


def test_what_cannot_be_computed_with_is_refused_by_name(cli, peer, folder):
    name = "encoder.layer.0.output.dense.weight"
    (folder / "model.safetensors").write_bytes(weights(**{name: [64, 63]}))
    done = cli("model", "add", folder, status=1)
    assert f"tensor {name} is [64, 63], not [64, 64]" in done.stderr
    (folder / "config.json").write_text('{"model_type": "roberta"}')
    done = cli("model", "add", folder, status=1)
    assert 'config.json: model_type is "roberta"' in done.stderr
    assert peer.models == {} and left_behind(cli) == []


def test_a_server_that_refuses_is_quoted(cli, peer, folder):
    peer.refuse = (507, {"detail": "the disk is full"})
    done = cli("model", "add", folder, status=3)
    assert "the disk is full" in done.stderr
    assert left_behind(cli) == []


def test_wrong_names_are_usage(cli, folder):
    cli("model", "add", folder, "--name", "a/b", status=2)
    cli("model", "add", status=2)
    done = cli("model", "pull", "gpt-7", status=2)
    assert "bge-small-en-v1.5, e5-small-v2" in done.stderr


def test_a_model_is_pulled_and_added(cli, peer):
    out = cli("model", "pull", "bge-small-en-v1.5").stdout
    assert "Represent this sentence" in out
    assert list(peer.models) == ["bge-small-en-v1.5"]
    paths = {path for _, path, _ in peer.seen}
    assert "/BAAI/bge-small-en-v1.5/resolve/main/config.json" in paths
    # Again: looked at, and nothing comes twice.
    peer.seen.clear()
    cli("model", "pull", "bge-small-en-v1.5")
    assert {method for method, _, _ in peer.seen} == {"HEAD"}
    # A new version of a file comes.
    peer.files["README.md"] = b"---\nlicense: apache-2.0\n---\n"
    peer.seen.clear()
    cli("model", "pull", "bge-small-en-v1.5")
    assert [path.rsplit("/", 1)[1] for method, path, _ in peer.seen
            if method == "GET"] == ["README.md"]


REPOSITORIES = {
    "bge-small-en-v1.5": "BAAI/bge-small-en-v1.5",
    "e5-small-v2": "intfloat/e5-small-v2",
    "snowflake-arctic-embed-xs": "Snowflake/snowflake-arctic-embed-xs",
    "snowflake-arctic-embed-s": "Snowflake/snowflake-arctic-embed-s",
    "mdbr-leaf-ir": "MongoDB/mdbr-leaf-ir",
    "all-MiniLM-L6-v2": "sentence-transformers/all-MiniLM-L6-v2"}
DENSE = ("mdbr-leaf-ir",)  # have a layer behind the pooling


def add_dense(files, dims):
    rows = struct.pack(f"<{dims * CONFIG['hidden_size']}f",
                       *((k * 29 % 97 - 48) / 100
                         for k in range(dims * CONFIG["hidden_size"])))
    head = json.dumps({"linear.weight": {
        "dtype": "F32", "shape": [dims, CONFIG["hidden_size"]],
        "data_offsets": [0, len(rows)]}}).encode()
    files["modules.json"] = json.dumps(
        MODULES + [{"path": "2_Dense", "type": "x.Dense"}]).encode()
    files["2_Dense/config.json"] = json.dumps({
        "in_features": CONFIG["hidden_size"], "out_features": dims,
        "bias": False, "activation_function":
        "torch.nn.modules.linear.Identity"}).encode()
    files["2_Dense/model.safetensors"] = \
        struct.pack("<Q", len(head)) + head + rows


def test_the_models_to_pull_are_those_named(cli):
    done = cli("model", "pull", "no-such-model", status=2)
    assert done.stderr.split("there are: ")[1].strip().split(", ") == \
        list(REPOSITORIES)


@pytest.mark.parametrize("name", REPOSITORIES)
def test_every_model_of_the_table_comes_from_its_repository(cli, peer, name):
    dims = 96 if name in DENSE else 64
    if name in DENSE:
        add_dense(peer.files, dims)
    out = cli("model", "pull", name).stdout
    assert f"{name}: 1 layers, {dims} dimensions, texts of 32 tokens, cls" in \
        out
    assert list(peer.models) == [name]
    at = f"/{REPOSITORIES[name]}/resolve/main/"
    got = {path for _, path, _ in peer.seen if not path.startswith("/cdn/")}
    assert {at + file for file in peer.files} <= got
    assert all(path.startswith(at) for path in got)
    assert any("2_Dense" in path for path in got) == (name in DENSE)
    cache = cli.home / "cache/knowd/models" / name
    assert {str(p.relative_to(cache)): p.read_bytes()
            for p in cache.rglob("*") if p.is_file()
            and str(p.relative_to(cache)) in peer.files} == peer.files


def test_a_layer_that_the_hub_lacks_is_named(cli, peer):
    add_dense(peer.files, 96)
    del peer.files["2_Dense/model.safetensors"]
    done = cli("model", "pull", "mdbr-leaf-ir", status=3)
    assert "2_Dense/model.safetensors" in done.stderr and "404" in done.stderr
    assert peer.models == {}


def test_a_pulled_model_with_a_layer_behind_it_is_computed_with(
        server, peer, tmp_path):
    add_dense(peer.files, 96)
    cli = Cli(tmp_path, server.url)
    cli.env.update(KNOWD_HUB=peer.url, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert cli.json("model", "pull", "mdbr-leaf-ir")["dimensions"] == 96
    base = server.api.make_base(embedding_model="mdbr-leaf-ir")
    document = server.api.add_text(base, "a", "ab, c")
    hit, = server.api.search("c", base, legs="dense")["results"]
    assert hit["document_id"] == document
    server.api.delete(f"{K}/knowledge-bases/{base}")
    cli("model", "rm", "mdbr-leaf-ir")


def test_a_cut_download_goes_on(cli, peer):
    peer.cut = 1000
    cli("model", "pull", "e5-small-v2")
    ranges = [r for method, path, r in peer.seen
              if method == "GET" and path.startswith("/cdn/")]
    assert ranges == [None, "bytes=1000-"]
    cache = cli.home / "cache/knowd/models/e5-small-v2"
    assert (cache / "model.safetensors").read_bytes() == \
        peer.files["model.safetensors"]
    assert not list(cache.glob("*.part*"))


def test_a_part_of_an_earlier_run_is_gone_on_from(cli, peer):
    data = peer.files["model.safetensors"]
    cache = cli.home / "cache/knowd/models/e5-small-v2"
    cache.mkdir(parents=True)
    (cache / "model.safetensors.part").write_bytes(data[:5000])
    tag = '"' + hashlib.sha256(data).hexdigest() + '"'
    (cache / "model.safetensors.part.tag").write_text(tag)
    cli("model", "pull", "e5-small-v2")
    assert ("GET", "/cdn/model.safetensors", "bytes=5000-") in peer.seen
    assert (cache / "model.safetensors").read_bytes() == data


def test_a_part_of_another_version_is_dropped(cli, peer):
    cache = cli.home / "cache/knowd/models/e5-small-v2"
    cache.mkdir(parents=True)
    (cache / "model.safetensors.part").write_bytes(b"x" * 5000)
    (cache / "model.safetensors.part.tag").write_text('"older"')
    cli("model", "pull", "e5-small-v2")
    assert (cache / "model.safetensors").read_bytes() == \
        peer.files["model.safetensors"]


def test_bytes_that_are_not_the_hubs_are_refused(cli, peer):
    peer.sums["model.safetensors"] = "0" * 64
    done = cli("model", "pull", "e5-small-v2", status=3)
    assert "another SHA-256" in done.stderr
    cache = cli.home / "cache/knowd/models/e5-small-v2"
    assert not (cache / "model.safetensors").exists()
    assert not list(cache.glob("model.safetensors.part"))
    assert peer.models == {}


def test_a_missing_file_of_the_hub_is_named(cli, peer):
    del peer.files["tokenizer.json"]
    done = cli("model", "pull", "e5-small-v2", status=3)
    assert "tokenizer.json" in done.stderr and "404" in done.stderr


def test_a_hub_that_cannot_be_reached_is_told_plainly(cli):
    done = cli("model", "pull", "e5-small-v2", status=3,
               env={"KNOWD_HUB": "http://127.0.0.1:1"})
    assert "does not come from the hub" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# ---- a hub by TLS ----

CA_FILE = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
NAMESPACE = ["unshare", "--map-root-user", "--mount"]


def openssl(*args):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                    "-days", "2", *map(str, args)], check=True,
                   capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Makes certificates; .file is whom to trust to trust them."""
    if shutil.which("openssl") is None:
        pytest.skip("takes openssl")
    at = tmp_path_factory.mktemp("tls")
    openssl("-subj", "/CN=an authority of tests", "-keyout", at / "ca.key",
            "-out", at / "ca.pem")

    def certify(name):
        openssl("-subj", "/CN=a hub", "-addext", f"subjectAltName={name}",
                "-addext", "basicConstraints=critical,CA:FALSE",
                "-CA", at / "ca.pem", "-CAkey", at / "ca.key",
                "-keyout", at / "hub.key", "-out", at / "hub.pem")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(at / "hub.pem", at / "hub.key")
        return tls
    certify.file = at / "ca.pem"
    return certify


@pytest.fixture
def hub(authority):
    hub = Peer(authority("IP:127.0.0.1"))
    yield hub
    hub.shutdown()
    hub.server_close()


@pytest.fixture
def trusting(authority):
    """The command where the authority is the only one that is trusted: what the
    system trusts is one file, so the command has a file system of its own."""
    probe = [*NAMESPACE, "test", "-f", CA_FILE]
    if shutil.which("unshare") is None or subprocess.run(probe).returncode:
        pytest.skip(f"takes a mount namespace, and {CA_FILE}")

    def run(cli, *args, status=0):
        done = subprocess.run(
            [*NAMESPACE, "sh", "-ec",
             f'mount --bind "$0" {CA_FILE}; exec "$@"', authority.file, KNOWD,
             *args], capture_output=True, text=True, env=cli.env, timeout=300)
        assert done.returncode == status, done.stderr
        return done
    return run


def downloaded(cli):
    return [p for p in (cli.home / "cache").rglob("*") if p.is_file()]


def test_a_model_is_pulled_by_tls(cli, peer, hub, trusting):
    cli.env["KNOWD_HUB"] = hub.url
    trusting(cli, "model", "pull", "e5-small-v2")
    assert list(peer.models) == ["e5-small-v2"]
    assert ("GET", "/cdn/model.safetensors", None) in hub.seen
    cache = cli.home / "cache/knowd/models/e5-small-v2"
    assert (cache / "model.safetensors").read_bytes() == \
        hub.files["model.safetensors"]


def test_a_certificate_of_nobody_known_is_refused(cli, peer, hub):
    done = cli("model", "pull", "e5-small-v2", status=3,
               env={"KNOWD_HUB": hub.url})
    assert_refused(cli, peer, hub, done, "the certificate is not valid")


def test_a_certificate_of_another_name_is_refused(cli, peer, authority,
                                                  trusting):
    other = Peer(authority("DNS:hub.test"))
    try:
        cli.env["KNOWD_HUB"] = other.url
        done = trusting(cli, "model", "pull", "e5-small-v2", status=3)
        assert_refused(cli, peer, other, done, "the certificate is not valid")
    finally:
        other.shutdown()
        other.server_close()


def assert_refused(cli, peer, hub, done, why):
    """In one line, before anything was asked."""
    line, = done.stderr.splitlines()
    assert "e5-small-v2 does not come from the hub" in line
    assert "127.0.0.1" in line and why in line
    assert not [path for _, path, _ in hub.seen if path]
    assert downloaded(cli) == [] and peer.models == {}


def test_a_hub_by_tls_does_not_send_on_to_one_without(cli, peer, hub,
                                                      trusting):
    hub.cdn = peer.url
    cli.env["KNOWD_HUB"] = hub.url
    done = trusting(cli, "model", "pull", "e5-small-v2", status=3)
    line, = done.stderr.splitlines()
    assert "e5-small-v2 does not come from the hub" in line
    assert f"points to {peer.url}/cdn/model.safetensors, which is not followed" \
        in line
    assert "/cdn/model.safetensors" not in [path for _, path, _ in peer.seen]
    assert peer.models == {}

"""The command line: output, exit statuses, what scripts rely on."""

import json
import os
import pty
import re
import select
import subprocess

import httpx
import pytest

from conftest import ADMIN_KEY, K, KNOWD, Cli, poll

NOTES = {
    "garden.md": "# Garden\n\n## Watering\n\nWater the tomatoes in the "
                 "morning, never at noon.\n",
    "sub/car.txt": "The car needs new brakes before winter.\n",
}


@pytest.fixture
def notes(tmp_path):
    folder = tmp_path / "notes"
    for name, text in NOTES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def name(request):
    return "cli-" + re.sub(r"\W+", "-", request.node.name)[:60]


def on_terminal(args, env):
    """Runs a command with a terminal as output; what it writes there."""
    parent, child = pty.openpty()
    process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=child,
                               stderr=child, env={**env, "TERM": "xterm"})
    os.close(child)
    out = b""
    while True:
        ready, _, _ = select.select([parent], [], [], 60)
        assert ready, out
        try:
            piece = os.read(parent, 65536)
        except OSError:
            break
        if not piece:
            break
        out += piece
    os.close(parent)
    assert process.wait(60) == 0, out
    return out.decode()


def test_a_folder_is_added_and_found_with_place_and_headings(cli, notes, name):
    out = cli("add", notes, "--base", name).stdout
    assert "2 added" in out
    out = cli("search", "watering tomatoes", "--base", name).stdout
    first, place, *snippet = out.splitlines()
    assert first.split()[0] == "1"
    assert "garden.md" in first and "Garden > Watering" in first
    assert re.search(r"chars \d+-\d+", place)
    assert "Water the tomatoes in the morning" in " ".join(
        " ".join(snippet).split())


def test_titles_are_paths_inside_the_folder(cli, api, notes, name):
    got = cli.json("add", notes, "--base", name)
    docs = api.pages(f"{K}/knowledge-bases/{got['base_id']}/documents")
    assert {d["title"] for d in docs} == set(NOTES)


def test_add_tells_scripts_what_became_of_each(cli, notes, name):
    got = cli.json("add", notes, "--base", name)
    assert set(got) >= {"base_id", "job_ids", "queued", "duplicate", "failed"}
    assert (got["queued"], got["duplicate"], got["failed"]) == (2, 0, [])
    again = cli.json("add", notes, "--base", got["base_id"])
    assert again["base_id"] == got["base_id"]
    assert (again["queued"], again["duplicate"]) == (0, 2)


def test_what_is_left_out_and_what_fails_is_named(cli, notes, name):
    (notes / ".hidden").write_text("x")
    (notes / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    (notes / "broken.txt").write_bytes(bytes(range(256)) * 10)
    got = cli.json("add", notes, notes / "missing.txt", "--base", name,
                   status=1)
    failed = {os.path.basename(f["path"]): f["reason"] for f in got["failed"]}
    assert set(failed) == {"broken.txt", "missing.txt"}
    skipped = {os.path.basename(f["path"]) for f in got["skipped"]}
    assert skipped == {".hidden", "photo.jpg"}
    done = cli("add", notes / "broken.txt", "--base", name, status=1)
    assert "broken.txt: " in done.stderr
    assert "1 failed" in done.stdout


def test_a_file_that_is_named_is_tried_and_fails_alone(cli, api, notes, name):
    big = notes / "noise.bin"
    big.write_bytes(os.urandom(200 * 1024))
    (notes / "slides.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(100))
    got = cli.json("add", big, notes / "slides.7z", notes / "garden.md",
                   "--base", name, status=1)
    assert got["queued"] == 3
    failed = {os.path.basename(f["path"]): f["reason"] for f in got["failed"]}
    assert set(failed) == {"noise.bin", "slides.7z"}
    assert "binary" in failed["noise.bin"] and "7z" in failed["slides.7z"]
    assert api.search("tomatoes", got["base_id"])["results"]
    # In a folder the same files are left out, and said to be.
    got = cli.json("add", notes, "--base", name)
    assert {os.path.basename(f["path"]) for f in got["skipped"]} == \
        {"noise.bin", "slides.7z"}


@pytest.mark.parametrize("file_name", [
    "ü ñ 漢字 😀.txt", 'quote".txt', "per%20cent%22.txt", "semi;colon.txt",
    "apo'strophe.txt", "back\\slash.txt", "new\nline.txt", "x" * 251 + ".txt"])
def test_file_names_travel_unharmed(cli, api, tmp_path, name, file_name):
    path = tmp_path / file_name
    path.write_text(f"words in {ascii(file_name)}")
    got = cli.json("add", path, "--base", name)
    doc, = api.pages(f"{K}/knowledge-bases/{got['base_id']}/documents")
    version, = api.ok("GET", f"{K}/documents/{doc['id']}/versions")
    if "%22" not in file_name:  # a form can't tell it from a quote
        assert version["filename"] == file_name
    link = httpx.get(version["download_url"], trust_env=False)
    assert link.content == path.read_bytes()
    assert "\n" not in link.headers["content-disposition"]


def test_lines_are_documents(cli, api, tmp_path, name):
    path = tmp_path / "docs.jsonl"
    path.write_text("\n".join([
        json.dumps({"_id": "a", "title": "Alpha", "text": "first body",
                    "metadata": {"n": 1}}),
        json.dumps({"_id": "b", "title": "only a title", "text": ""}),
        json.dumps({"_id": "c", "title": "", "text": ""}),
        "not json",
        "",
        json.dumps({"title": "", "text": "no id here"}),
        json.dumps({"_id": 7, "text": "a number as id"}),
        json.dumps({"_id": "d", "text": "t", "metadata": []}),
        json.dumps([1])]))
    got = cli.json("add", path, "--base", name, status=1)
    assert got["queued"] == 4
    assert [f["path"] for f in got["failed"]] == \
        [f"{path}:{n}" for n in (3, 4, 8, 9)]
    docs = {d.get("external_id"): d for d in
            api.pages(f"{K}/knowledge-bases/{got['base_id']}/documents")}
    assert set(docs) == {"a", "b", None, "7"}
    assert docs["a"]["title"] == "Alpha"
    assert docs["a"]["metadata"] == {"n": 1}
    hit, = api.search("title", got["base_id"])["results"]
    assert hit["content"].strip() == "only a title"
    # Changed text under the same _id is a new version.
    path.write_text(json.dumps({"_id": "a", "text": "second body"}))
    assert cli.json("add", path, "--base", name)["queued"] == 1
    assert api.document(docs["a"]["id"])["version_number"] == 2


def test_wait_none_returns_before_the_work_is_done(cli, api, notes, name):
    got = cli.json("add", notes, "--base", name, "--wait", "none")
    assert got["queued"] == 2
    for job in got["job_ids"]:
        assert cli("jobs", "wait", job).returncode == 0


def test_many_files_are_split_into_several_manifests(cli, tmp_path, name):
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(300):
        (folder / f"{i}.txt").write_text(f"file number{i}")
    got = cli.json("add", folder, "--base", name)
    assert got["queued"] == 300 and len(got["job_ids"]) > 1


def test_a_file_over_the_servers_limit_fails_alone(start_server, tmp_path):
    server = start_server("--upload-bytes-max", "100K")
    cli = Cli(tmp_path, server.url)
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "big.txt").write_text("big words " * 20000)
    for i in range(10):
        (folder / f"{i}.txt").write_text(f"small file {i}")
    got = cli.json("add", folder, status=1)
    assert got["queued"] == 10
    failed, = got["failed"]
    assert failed["path"].endswith("big.txt") and failed["reason"]


def test_the_default_base_is_made_and_searched_unnamed(start_server, tmp_path,
                                                       notes):
    cli = Cli(tmp_path, start_server().url)
    done = cli("search", "tomatoes", status=3)
    assert "knowd add" in done.stderr
    assert cli("add", notes).stdout.startswith("default: 2 added")
    assert "garden.md" in cli("search", "tomatoes").stdout
    bases = cli.json("bases")["bases"]
    assert [b["name"] for b in bases] == ["default"]


def test_json_search_is_feathers_own_answer(cli, api, notes, name):
    base = cli.json("add", notes, "--base", name)["base_id"]
    got = cli.json("search", "tomatoes", "--base", base, "--limit", 7)
    assert got == api.search("tomatoes", base, limit=7)


def test_nothing_found_is_no_failure(cli, notes, name):
    cli("add", notes, "--base", name)
    done = cli("search", "xylophone", "--base", name)
    assert done.stdout == "" and "nothing found" in done.stderr


def test_explain_shows_the_terms(cli, notes, name):
    cli("add", notes, "--base", name)
    out = cli("search", "tomatoes", "--base", name, "--explain").stdout
    assert "lexical" in out and "tomato" in out


def test_matches_are_coloured_on_a_terminal_only(cli, notes, name):
    cli("add", notes, "--base", name)
    args = [KNOWD, "search", "tomatoes", "--base", name]
    assert "\033" not in cli(*args[1:]).stdout
    assert "[tomatoes]" not in cli(*args[1:]).stdout
    assert "\033[1;33mtomatoes\033[0m" in on_terminal(args, cli.env)
    plain = on_terminal(args, {**cli.env, "NO_COLOR": "1"})
    assert "\033" not in plain and "[tomatoes]" in plain


def test_the_bar_is_drawn_on_a_terminal_only(cli, notes, name):
    done = cli("add", notes, "--base", name)
    assert done.stderr == "" and "\r" not in done.stdout
    (notes / "new.txt").write_text("one more")
    assert "%" in on_terminal([KNOWD, "add", str(notes), "--base", name],
                              cli.env)


def test_documents_cannot_command_the_terminal(cli, api, base):
    api.add_text(base, "evil \033]0;title\a", "evil \033[2Jtext \x9b31m here")
    out = cli("search", "evil", "--base", base).stdout
    assert "\033" not in out and "\x9b" not in out and "\a" not in out


def test_an_unreachable_server_is_3(tmp_path):
    cli = Cli(tmp_path, "http://127.0.0.1:1")
    for args in (("search", "q"), ("bases",), ("jobs",), ("keys",),
                 ("add", KNOWD)):
        assert "cannot reach" in cli(*args, status=3).stderr


def test_a_wrong_key_is_3(server, tmp_path):
    cli = Cli(tmp_path, server.url, "wrong")
    done = cli("bases", status=3)
    assert "API key" in done.stderr and "wrong" not in done.stderr


@pytest.mark.parametrize("args", [
    (), ("nonsense",), ("search",), ("search", "a", "b"), ("add",),
    ("search", "q", "--limit", "0"), ("search", "q", "--nonsense"),
    ("serve", "--listen", "x"), ("jobs", "show"), ("keys", "add"),
    ("eval", "--base", "x"), ("check", "--data", "/nonexistent"),
    ("completions", "tcsh"), ("help", "nonsense"), ("add", "x", "--wait", "y")])
def test_wrong_usage_is_2(cli, args):
    done = cli(*args, status=2)
    assert done.stderr or not args


def test_a_typo_gets_a_hint(cli):
    assert "search" in cli("serach", "q", status=2).stderr
    assert "--limit" in cli("search", "q", "--limt", "3", status=2).stderr


def test_help_man_and_completions_come_from_the_table(cli):
    assert "add" in cli("help").stdout
    assert "--base" in cli("help", "add").stdout
    assert cli("add", "--help").stdout == cli("help", "add").stdout
    assert cli("man").stdout.startswith(".TH KNOWD 1")
    script = cli("completions", "bash").stdout
    done = subprocess.run(["bash", "-c", script + """
COMP_WORDS=(knowd se); COMP_CWORD=1; _knowd; echo "${COMPREPLY[@]}"
COMP_WORDS=(knowd add --wa); COMP_CWORD=2; _knowd; echo "${COMPREPLY[@]}"
COMP_WORDS=(knowd add --wait ''); COMP_CWORD=3; _knowd; echo "${COMPREPLY[@]}"
COMP_WORDS=(knowd model a); COMP_CWORD=2; _knowd; echo "${COMPREPLY[@]}"
COMP_WORDS=(knowd model add /etc/hostnam); COMP_CWORD=3; _knowd; echo "${COMPREPLY[0]}"
"""], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["serve search", "--wait",
                                        "none searchable refined", "add",
                                        "/etc/hostname"]


def test_options_come_from_flag_environment_file_default(cli, notes, name):
    cli("add", notes, "--base", name)
    folder = cli.home / ".config" / "knowd"
    folder.mkdir(parents=True)
    (folder / "config").write_text("limit = 1\n")
    query = "the car tomatoes morning winter"
    args = ("search", query, "--base", name)
    assert len(cli.json(*args)["results"]) == 1
    assert len(cli.json(*args, env={"KNOWD_LIMIT": "2"})["results"]) == 2
    assert len(cli.json(*args, "--limit", 1,
                        env={"KNOWD_LIMIT": "2"})["results"]) == 1
    (folder / "config").write_text("limt = 1\n")
    assert "limit" in cli(*args, status=2).stderr


def test_keys_are_made_used_and_revoked(cli, server, name):
    made = cli.json("keys", "add", name, "--tenant", name, "--scope",
                    "knowledge_bases:read", "--scope",
                    "knowledge_bases:manage")
    assert set(made) == {"key", "key_id", "organization_id"}
    other = Cli(cli.home, server.url, made["key"])
    assert other.json("bases") == {"bases": []}
    other("bases", "create", "mine")
    assert [b["name"] for b in other.json("bases")["bases"]] == ["mine"]
    other("keys", status=3)
    made = cli.json("keys", "add", name)
    listed = cli.json("keys")["keys"]
    assert made["key_id"] in [k["id"] for k in listed]
    assert made["key"] not in json.dumps(listed)
    cli("keys", "revoke", made["key_id"])
    Cli(cli.home, server.url, made["key"])("bases", status=3)


def test_bases_are_made_listed_and_deleted(cli, name):
    cli("bases", "create", name, "--description", "d")
    assert name in cli("bases").stdout
    assert cli("bases", "delete", name).returncode == 0
    assert name not in cli("bases").stdout
    cli("bases", "delete", name, status=3)


def test_jobs_are_listed_shown_and_retried(cli, tmp_path, name):
    (tmp_path / "bad.txt").write_bytes(bytes(range(256)) * 10)
    got = cli.json("add", tmp_path / "bad.txt", "--base", name, status=1)
    job, = got["job_ids"]
    assert job in cli("jobs", "--base", name).stdout
    assert [j["id"] for j in cli.json("jobs", "--base", name)["jobs"]] == [job]
    assert "bad.txt: " in cli("jobs", "show", job).stdout
    cli("jobs", "retry", job)
    cli("jobs", "wait", job, status=1)
    cli("jobs", "show", "no-such-job", status=3)


def test_check_finds_nothing_in_a_running_servers_folder(cli, server):
    done = cli("check", "--data", server.data, "--deep")
    assert "nothing wrong" in done.stdout
    got = cli.json("check", "--data", server.data, "--deep")
    assert got["found"] == 0 and got["findings"] == []


def test_check_finds_damage_and_exits_1(start_server, tmp_path):
    server = start_server()
    base = server.api.make_base()
    words = b"".join(b"word%d stands in line %d\n" % (i, i)
                     for i in range(20000))
    server.api.add(base, [{"type": "file", "file_index": 0}],
                   [("long.txt", words)])
    assert server.stop() == 0
    blob = max((p for p in (server.data / "blobs").rglob("*") if p.is_file()),
               key=lambda p: p.stat().st_size)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 0x10
    os.chmod(blob, 0o600)
    blob.write_bytes(data)
    cli = Cli(tmp_path)
    assert cli("check", "--data", server.data, "--deep", status=1).stdout


def test_doctor_knows_the_machine(cli, server):
    got = cli.json("doctor", "--data", server.data)
    assert got["data_dir"] == str(server.data)
    assert got["model_dir"] == str(server.data / "model")
    assert got["models"] == []
    assert got["embedding_kernels"] in ("amx", "avx512vnni", "avxvnni", "avx2",
                                        "neon", "scalar")
    assert f"embeds by   {got['embedding_kernels']}" in cli("doctor").stdout
    assert got["libraries"]["sqlite"].startswith("3.")
    assert all(got["libraries"].values())
    assert isinstance(got["sandbox"].pop("landlock_abi"), int)
    assert all(isinstance(there, bool) for there in got["sandbox"].values())
    assert {"seccomp", "landlock", "network_namespace"} < set(got["sandbox"])
    # each asked inside the sandbox
    assert all(got["programs"].values()), got["programs"]
    assert {"pdftotext", "tesseract"} < set(got["programs"])
    assert got["server"]["up"] is True
    for missing in got["missing"]:
        assert set(missing) == {"what", "why", "how"}
    assert got["allow_nets"] == []
    assert "libraries" in cli("doctor").stdout


def test_doctor_shows_which_networks_fetches_may_reach(cli, tmp_path):
    got = cli.json("doctor", "--allow-net", "10.0.0.0/8", "--allow-net",
                   "fd00::/8")
    assert got["allow_nets"] == ["10.0.0.0/8", "fd00::/8"]
    assert "10.0.0.0/8, fd00::/8" in cli(
        "doctor", "--allow-net", "10.0.0.0/8", "--allow-net",
        "fd00::/8").stdout


def test_doctor_shows_what_the_running_server_may_reach(start_server,
                                                        tmp_path):
    server = start_server("--allow-net", "192.168.1.7", "--allow-net",
                          "fd00::/8")
    own = ["192.168.1.7/32", "fd00::/8"]
    cli = Cli(tmp_path, server.url)
    assert server.api.ok("GET", "/knowd/v1/server")["allow_nets"] == own
    got = cli.json("doctor", "--allow-net", "10.0.0.0/8")
    assert got["server"]["allow_nets"] == own
    assert got["allow_nets"] == ["10.0.0.0/8"]
    lines = cli("doctor").stdout.splitlines()
    assert "fetches     public addresses, 192.168.1.7/32, fd00::/8 " \
        "(the running server)" in lines
    lines = cli("doctor", "--allow-net", "10.0.0.0/8").stdout.splitlines()
    assert any(line.endswith("10.0.0.0/8 (by these options)")
               for line in lines)
    # Whoever may not manage the first organization learns nothing of it.
    other = server.api.ok("POST", "/knowd/v1/keys", 201,
                          json={"name": "o", "tenant": "other"})["key"]
    reader = server.api.ok("POST", "/knowd/v1/keys", 201, json={
        "name": "r", "scopes": ["knowledge_bases:read"]})["key"]
    for key in (other, reader, "no-such-key", None):
        cli = Cli(tmp_path, server.url, key)
        got = cli("doctor", "--json").stdout
        assert json.loads(got)["server"]["up"] is True
        assert json.loads(got)["server"]["allow_nets"] is None
        assert "192.168" not in got + cli("doctor").stdout
        assert server.api_with(key).get("/knowd/v1/server").status_code == \
            (403 if key in (other, reader) else 401)
    # Where none runs, what is given here is all there is.
    assert server.stop() == 0
    got = Cli(tmp_path, server.url).json("doctor", "--allow-net", "10.0.0.0/8")
    assert got["server"]["up"] is False
    assert got["server"]["allow_nets"] is None
    assert "fetches     public addresses only" in \
        Cli(tmp_path, server.url)("doctor").stdout.splitlines()


def test_a_network_that_is_none_is_a_usage_error_at_once(cli, tmp_path):
    for bad in ("10.0.0.0/33", "10.0.0.1/8", "::ffff:10.0.0.0/104", "lan"):
        done = cli("serve", "--data", tmp_path / "d", "--allow-net", bad,
                   status=2)
        assert "--allow-net" in done.stderr
    assert not (tmp_path / "d").exists()


def test_version_and_routes(cli):
    version = cli.json("version")
    assert cli("version").stdout.strip() == f"knowd {version['version']}"
    assert cli("--version").stdout == cli("version").stdout
    routes = cli.json("routes")["routes"]
    assert {"method", "path", "access"} <= set(routes[0])


def test_a_closed_pipe_is_no_drama(cli):
    done = subprocess.run(f"{KNOWD} man | head -n 1", shell=True,
                          capture_output=True, text=True, env=cli.env)
    assert done.returncode == 0 and "Traceback" not in done.stderr


def test_the_key_is_not_in_the_process_list_when_given_by_environment(
        cli, tmp_path, name):
    big = tmp_path / "big"
    big.mkdir()
    for i in range(200):
        (big / f"{i}.txt").write_text(f"text {i} " * 2000)
    process = subprocess.Popen([KNOWD, "add", str(big), "--base", name],
                               env=cli.env, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    line = poll(lambda: open(f"/proc/{process.pid}/cmdline").read())
    assert ADMIN_KEY not in line
    assert process.wait(120) == 0

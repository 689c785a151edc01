"""What goes out: net/fetch in a network namespace where every address of the
Internet is here, a name server flips its answers, and packet counters show
what was tried. nginx serves the good pages, outgoing_servers.py the rest."""

import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import zlib

import pytest

import outgoing_urls as urls
from conftest import ROOT, poll

HERE = pathlib.Path(__file__).resolve().parent
DRIVER = ROOT / "build/release/drivers/fetch_driver"
NAME_SERVER, BAD = "9.9.9.9", "45.33.0.9"
NGINX = ["45.33.0.1", "8.8.4.4", "1.1.1.1", "2a01:7e00::1"]
DUMMIES = ["10.0.0.1", "10.255.0.1", "172.16.0.1", "192.168.0.1",
           "192.168.1.1", "169.254.169.254", "169.254.170.2", "100.64.0.1",
           "100.100.100.200", "168.63.129.16", "127.0.0.1", "127.0.0.2",
           "198.18.0.1", "::1", "fd00:ec2::254", "fd00::1", "fec0::1",
           "2002:7f00:1::1"]
RULES = """
table inet lab {
    set forbidden4 { type ipv4_addr; flags interval; auto-merge
        elements = { %s } }
    set forbidden6 { type ipv6_addr; flags interval; auto-merge
        elements = { %s } }
    counter forbidden { }
    counter other_ports { }
    counter public_tcp { }
    chain output { type filter hook output priority 0; policy accept;
        ip daddr @forbidden4 meta l4proto { tcp, udp } counter name forbidden
        ip6 daddr @forbidden6 meta l4proto { tcp, udp } counter name forbidden
        tcp flags & (syn | ack) == syn tcp dport != { 53, 80, 443 } counter name other_ports
        tcp flags & (syn | ack) == syn tcp dport { 80, 443 } counter name public_tcp
    }
}
"""
NGINX_CONF = """
user root; worker_processes 1; daemon off; pid %(dir)s/nginx.pid;
error_log %(dir)s/error.log;
events { worker_connections 256; }
http {
    access_log off; absolute_redirect off; etag on;
    map_hash_bucket_size 512; map_hash_max_size 16384;
    map $arg_n $target { include %(dir)s/targets; }
    map $arg_k $next { 5 4; 4 3; 3 2; 2 1; }
    server {
        %(listen)s
        server_name _; root %(dir)s/www;
        ssl_certificate %(dir)s/cert.pem; ssl_certificate_key %(dir)s/key.pem;
        default_type text/html;
        location = /hop { if ($arg_k != 1) { return 302 /hop?k=$next&n=$arg_n; }
                          return 302 $target; }
        location = /self { return 302 /self; }
        location = /endless { return 302 /endless?$request_id; }
        location = /loopback { return 302 http://[::ffff:127.0.0.1]/; }
        location = /file { return 302 file:///etc/passwd; }
        location = /moved { return 301 /page; }
        location = /secure { return 302 https://allowed.test/page; }
        location = /insecure { return 302 http://allowed.test/page; }
        location = /refresh { add_header Refresh "0; url=http://10.0.0.1/"; return 200 ok; }
        location = /gone { return 410; }
        location = /busy { add_header Retry-After 7 always; return 429; }
        location = /broken { return 503; }
        location = /slow { limit_rate 200; }
        location ~ ^/bomb { add_header Content-Encoding gzip; }
        location = /bomb2 { add_header Content-Encoding "gzip, gzip"; }
        location = /deflated { add_header Content-Encoding deflate; }
    }
}
"""


def make_files(folder, targets):
    www = folder / "www"
    www.mkdir()
    (www / "page").write_text("<p>good</p>" * 10)
    (www / "slow").write_bytes(b"x" * 100_000)
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(256))
    packed += bomb.flush()
    (www / "bomb").write_bytes(packed)
    (www / "bomb2").write_bytes(gzip.compress(packed))
    (www / "bomb-small").write_bytes(gzip.compress(b"y" * 5000))
    (www / "deflated").write_bytes(zlib.compress(b"z" * 7000))
    (folder / "targets").write_text("".join(
        f'{n} "{u}";\n' for n, u in enumerate(
            u.replace("\\", "\\\\").replace('"', '\\"') for u in targets)))
    listen = " ".join(
        f"listen {'[%s]' % a if ':' in a else a}:{port};"
        for a in NGINX for port in ("80", "443 ssl"))
    (folder / "nginx.conf").write_text(
        NGINX_CONF % {"dir": folder, "listen": listen})
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "2", "-subj", "/CN=allowed.test", "-addext",
         "subjectAltName=DNS:allowed.test", "-keyout", folder / "key.pem",
         "-out", folder / "cert.pem"], check=True, capture_output=True)


class Lab:
    """A namespace and what runs in it."""

    def __init__(self, folder):
        self.running = []
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private",
             "sh", "-c", "echo up; exec sleep 600"], stdout=subprocess.PIPE)
        if self.holder.stdout.readline() != b"up\n":
            pytest.skip("no network namespaces here")
        self.targets = [u for u in urls.forbidden() if urls.followable(u)]
        make_files(folder, self.targets)
        (folder / "resolv.conf").write_text(
            f"nameserver {NAME_SERVER}\noptions timeout:1 attempts:1\n")
        self.run("sh", "-ec", f"""
            mount --bind {folder}/resolv.conf "$(readlink -f /etc/resolv.conf)"
            mount --bind {folder}/cert.pem /etc/ssl/certs/ca-certificates.crt
            ip link set lo up
            ip addr add {NGINX[0]}/32 dev lo
            ip -6 addr add {NGINX[-1]}/128 dev lo nodad
            ip route add local default dev lo src {NGINX[0]}
            ip -6 route add local default dev lo src {NGINX[-1]}""")
        rules = RULES % (", ".join(urls.SPECIAL4 + ["168.63.129.16"]),
                         ", ".join(urls.SPECIAL6 + ["::/96"]))
        self.run("nft", "-f", "-", input=rules)
        self.servers = self.start(
            sys.executable, HERE / "outgoing_servers.py", NAME_SERVER, BAD,
            *DUMMIES, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.servers.stdout.readline() == "up\n"
        nginx = shutil.which("nginx", path="/usr/sbin:" + os.environ["PATH"])
        self.start(nginx, "-c", folder / "nginx.conf", "-p", folder)
        self.driver = self.start_driver()
        poll(lambda: self.ask("http://allowed.test/page")["rc"] == "ok", 20)

    def inside(self, *args):
        return ["nsenter", "-t", str(self.holder.pid), "--net", "--mount",
                "--wd=/", *map(str, args)]

    def run(self, *args, **more):
        return subprocess.run(self.inside(*args), check=True, text=True,
                              capture_output=True, **more).stdout

    def start(self, *args, **more):
        self.running.append(subprocess.Popen(self.inside(*args), **more))
        return self.running[-1]

    def start_driver(self, *nets):
        proxy = "http://10.0.0.1:80"
        env = dict(os.environ, http_proxy=proxy, https_proxy=proxy,
                   HTTPS_PROXY=proxy, ALL_PROXY=proxy, all_proxy=proxy)
        return self.start(DRIVER, *nets, env=env, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True)

    def ask(self, line, driver=None):
        driver = driver or self.driver
        driver.stdin.write(json.dumps(line) + "\n")
        driver.stdin.flush()
        return json.loads(driver.stdout.readline())

    def counts(self):
        self.servers.stdin.write("counts\n")
        self.servers.stdin.flush()
        got = json.loads(self.servers.stdout.readline())
        got["queries"] = {(n, k): c for n, k, c in got["queries"]}
        return got

    def packets(self):
        got = json.loads(self.run("nft", "-j", "list", "counters"))
        return {c["counter"]["name"]: c["counter"]["packets"]
                for c in got["nftables"] if "counter" in c}

    def assert_nothing_reached(self):
        packets = self.packets()
        assert packets["forbidden"] == 0
        assert packets["other_ports"] == 0
        assert self.counts()["connects"] == []

    def close(self):
        for program in reversed(self.running):
            program.terminate()
        for program in self.running:
            program.wait(10)
        self.holder.kill()
        self.holder.wait()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("takes root to make a network namespace")
    for program in ("unshare", "nsenter", "ip", "nft", "nginx", "openssl"):
        if shutil.which(program, path="/usr/sbin:" + os.environ["PATH"]) is None:
            pytest.skip(f"takes {program}")
    if subprocess.run(["unshare", "--net", "--mount", "true"]).returncode != 0:
        pytest.skip("no network namespaces here")
    subprocess.run(["make", "-s", DRIVER.relative_to(ROOT)], cwd=ROOT,
                   check=True)
    made = Lab(tmp_path_factory.mktemp("lab"))
    yield made
    made.close()


# ---- forbidden ----

def assert_refused(url, got):
    """By the guard, not because nobody was at home."""
    faults = {"forbidden", "bad url"}
    if "nothing.example" in url or "empty.test" in url:
        faults = {"unresolved"}
    assert got["rc"] != "ok" and got["fault"] in faults, (url, got)


def test_five_hundred_forbidden_urls_are_refused(lab):
    all_of_them = urls.forbidden()
    assert len(all_of_them) >= 500
    for url in all_of_them:
        assert_refused(url, lab.ask(url))
    lab.assert_nothing_reached()


@pytest.mark.parametrize("hops", [1, 5])
def test_redirects_to_them_are_refused(lab, hops):
    assert len(lab.targets) >= 500
    for n, target in enumerate(lab.targets):
        got = lab.ask(f"http://allowed.test/hop?k={hops}&n={n}")
        assert_refused(target, got)
        assert got["hops"] in (hops, hops - 1), (target, got)
    lab.assert_nothing_reached()


def test_a_download_is_led_to_none_of_them(lab, tmp_path):
    """Its user names a host; what that one points to is anybody's URL."""
    ask = {"download": str(tmp_path / "file"), "bytes_max": 1 << 20}
    for n, target in enumerate(lab.targets):
        got = lab.ask({"url": f"http://allowed.test/hop?k=1&n={n}", **ask})
        assert got["rc"] in ("denied", "invalid", "remote"), (target, got)
    assert list(tmp_path.iterdir()) == []
    lab.assert_nothing_reached()
    got = lab.ask({"url": "http://allowed.test/moved", **ask})
    assert got["rc"] == "ok", got
    assert (tmp_path / "file").read_text() == "<p>good</p>" * 10


def test_forty_allowed_ones_pass(lab):
    allowed = urls.allowed()
    assert len(allowed) >= 40
    for url in allowed:
        got = lab.ask(url)
        assert (got["rc"], got["status"], got["body_bytes"]) == (
            "ok", 200, 110), (url, got)
    lab.assert_nothing_reached()


# ---- names that mean something else a moment later ----

@pytest.mark.parametrize("name,rounds", [("flip", 1000), ("flip6", 200),
                                         ("flap", 200)])
def test_a_name_that_flips_reaches_nothing(lab, name, rounds):
    before = lab.packets()["public_tcp"]
    got = [lab.ask(f"http://{name}.test/page") for _ in range(rounds)]
    fetched = [g for g in got if g["rc"] == "ok"]
    refused = [g for g in got if g["fault"] == "forbidden"]
    assert len(fetched) + len(refused) == rounds
    if name != "flap":  # there each round has a forbidden one
        assert len(fetched) > rounds // 4
    assert len(refused) >= rounds // 2 - 1
    # One query a round: what was judged is what was connected to.
    assert lab.counts()["queries"][f"{name}.test", 1] == rounds
    # A connection may be kept, but none is made for a round that is refused.
    assert lab.packets()["public_tcp"] - before <= len(fetched)
    lab.assert_nothing_reached()


def test_one_forbidden_address_among_many_is_enough(lab):
    for name in ("mixed", "mixed6", "many", "chain"):
        got = lab.ask(f"http://{name}.test/")
        assert (got["rc"], got["fault"]) == ("denied", "forbidden"), name
    lab.assert_nothing_reached()


# ---- redirects, statuses, conditions ----

def test_redirects_have_an_end(lab):
    got = lab.ask("http://allowed.test/moved")
    assert (got["status"], got["hops"], got["moved"]) == (200, 1, True)
    assert got["url"] == "http://allowed.test/page"
    for path in ("self", "endless"):
        got = lab.ask(f"http://allowed.test/{path}")
        assert (got["rc"], got["fault"]) == ("remote", "redirects")
    assert lab.ask("http://allowed.test/loopback")["fault"] == "bad url"
    assert lab.ask("http://allowed.test/file")["fault"] == "bad url"
    assert lab.ask("http://allowed.test/secure")["status"] == 200
    assert lab.ask("https://allowed.test/secure")["status"] == 200
    assert lab.ask("https://allowed.test/insecure")["fault"] == "forbidden"
    got = lab.ask("http://allowed.test/refresh")
    assert (got["status"], got["hops"]) == (200, 0)
    assert lab.ask("http://bad.test/bare-cr")["rc"] != "ok"
    assert lab.ask("http://bad.test/smuggled")["rc"] != "ok"


def test_certificates_are_verified(lab):
    assert lab.ask("https://allowed.test/page")["rc"] == "ok"
    for host in ("www.test", "45.33.0.1"):  # not those it is for
        got = lab.ask(f"https://{host}/page")
        assert (got["rc"], got["fault"]) == ("remote", "bad tls")


def test_statuses_are_answers(lab):
    assert lab.ask("http://allowed.test/gone")["status"] == 410
    assert lab.ask("http://allowed.test/none")["status"] == 404
    assert lab.ask("http://allowed.test/broken")["status"] == 503
    got = lab.ask("http://allowed.test/busy")
    assert (got["status"], got["retry_ms"]) == (429, 7000)


def test_what_did_not_change_costs_nothing(lab):
    first = lab.ask("http://allowed.test/page")
    assert first["etag"] and first["last_modified"]
    for known in ({"etag": first["etag"]},
                  {"last_modified": first["last_modified"]}):
        got = lab.ask({"url": "http://allowed.test/page", **known})
        assert (got["rc"], got["status"], got["body_bytes"]) == ("ok", 304, 0)
    got = lab.ask({"url": "http://allowed.test/page", "etag": '"else"'})
    assert got["status"] == 200


# ---- bodies ----

def test_bombs_end_at_the_limit(lab):
    limit = {"bytes_max": 4 << 20}
    began = time.monotonic()
    got = lab.ask({"url": "http://allowed.test/bomb", **limit})
    assert (got["rc"], got["fault"]) == ("limit", "too large")
    got = lab.ask({"url": "http://allowed.test/bomb2", **limit})
    assert (got["rc"], got["fault"]) == ("remote", "broken")
    assert time.monotonic() - began < 10
    got = lab.ask({"url": "http://allowed.test/bomb-small", **limit})
    assert (got["rc"], got["body_bytes"]) == ("ok", 5000)
    got = lab.ask({"url": "http://allowed.test/deflated", **limit})
    assert (got["rc"], got["body_bytes"]) == ("ok", 7000)


@pytest.mark.parametrize("path,faults", [
    ("cut", {"broken"}), ("cut-chunk", {"broken"}), ("garbage", {"broken"}),
    ("no-end", {"too large"}), ("no-end-of-head", {"too large"}),
    ("no-end-of-line", {"too large", "broken"}),
    ("no-end-of-continues", {"too large"}),
    ("no-end-of-trailer", {"too large", "broken"}),
    ("no-end-of-chunk-head", {"timed out", "broken", "too large"}),
    ("dripping", {"timed out"}), ("dripping-head", {"timed out"}),
    ("silent", {"timed out"})])
def test_a_server_that_breaks_its_word_is_told_by_it(lab, path, faults):
    got = lab.ask({"url": f"http://bad.test/{path}", "timeout_ms": 2000,
                   "bytes_max": 1 << 20})
    assert got["fault"] in faults, got
    assert got["ms"] < 4000
    assert got["text"]
    assert lab.ask("http://allowed.test/page")["rc"] == "ok"


def test_a_redirect_is_followed_before_its_body_ends(lab):
    got = lab.ask({"url": "http://bad.test/redirect-no-end",
                   "timeout_ms": 5000})
    assert (got["rc"], got["status"], got["hops"]) == ("ok", 200, 1)


def test_what_is_too_slow_is_given_up(lab):
    got = lab.ask({"url": "http://allowed.test/slow", "stall_ms": 2000,
                   "bytes_per_s": 2000, "timeout_ms": 20000})
    assert got["fault"] == "timed out" and got["ms"] < 8000
    got = lab.ask({"url": "http://silent.test/", "timeout_ms": 700})
    assert got["fault"] in ("timed out", "unresolved") and got["ms"] < 2000


# ---- allowed by the operator: last, as from here on the counters count ----

def test_an_allowed_network_is_reached_and_no_other(lab):
    mine = lab.start_driver("10.0.0.0/8", "fd00:ec2::/32")
    for url in ("http://192.168.0.1/", "http://169.254.169.254/",
                "http://[::ffff:10.0.0.1]/", "http://0/", "http://[::1]/",
                "http://127.0.0.1:8080/", "http://allowed.test:8080/"):
        assert lab.ask(url, mine)["rc"] in ("denied", "invalid"), url
    lab.assert_nothing_reached()
    before = len(lab.counts()["connects"])
    for url in ("http://10.0.0.1/", "http://10.0.0.1:8080/",
                "http://a-10-0-0-1.test/", "http://[fd00:ec2::254]/"):
        assert lab.ask(url, mine)["fault"] == "broken", url  # dummies hang up
    assert len(lab.counts()["connects"]) - before >= 4
    assert lab.packets()["forbidden"] > 0  # the counters do count
    mine.stdin.close()


def test_the_operator_goes_anywhere(lab):
    got = lab.ask({"url": "http://10.0.0.1:8080/", "operator": True})
    assert got["fault"] == "broken"  # a dummy hung up
    got = lab.ask("http://10.0.0.1/")  # and nobody else, on the same handle
    assert got["fault"] == "forbidden"

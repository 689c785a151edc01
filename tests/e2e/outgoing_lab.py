"""A network namespace where every address of the Internet is here, a name
server flips its answers, and packet counters show what was tried. nginx serves
the good pages, outgoing_servers.py the rest."""

import concurrent.futures
import ctypes
import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import zlib

import pytest

import outgoing_urls as urls
from conftest import ADMIN_KEY, KNOWD, ROOT, SUMMARY, clean_env, poll
from hub import Hub

HERE = pathlib.Path(__file__).resolve().parent
DRIVER = ROOT / "build/release/drivers/fetch_driver"
NAME_SERVER, BAD = "9.9.9.9", "45.33.0.9"
SERVER = "45.33.0.80"  # where knowd listens; what goes there isn't counted
CLONE_NEWNET = 0x40000000
NGINX = ["45.33.0.1", "8.8.4.4", "1.1.1.1", "2a01:7e00::1"]
DUMMIES = ["10.0.0.1", "10.255.0.1", "172.16.0.1", "192.168.0.1",
           "192.168.1.1", "169.254.169.254", "169.254.170.2", "100.64.0.1",
           "100.100.100.200", "168.63.129.16", "127.0.0.1", "127.0.0.2",
           "198.18.0.1", "::1", "fd00:ec2::254", "fd00::1", "fec0::1",
           "2002:7f00:1::1"]
PROXIES = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY",
                         "ALL_PROXY", "all_proxy"), "http://10.0.0.1:80")
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
        ip daddr %s accept
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
        self.looks, self.seen = 0, "never looked at"
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private",
             "sh", "-c", "echo up; exec sleep 1800"], stdout=subprocess.PIPE)
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
                         ", ".join(urls.SPECIAL6 + ["::/96"]), SERVER)
        self.run("nft", "-f", "-", input=rules)
        self.servers = self.start(
            sys.executable, HERE / "outgoing_servers.py", NAME_SERVER, BAD,
            *DUMMIES, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.servers.stdout.readline() == "up\n"
        nginx = shutil.which("nginx", path="/usr/sbin:" + os.environ["PATH"])
        self.start(nginx, "-c", folder / "nginx.conf", "-p", folder)
        self.thread = concurrent.futures.ThreadPoolExecutor(
            1, initializer=self.enter)
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
        return self.start(DRIVER, *nets, env=dict(os.environ, **PROXIES),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True)

    def start_knowd(self, data, *options):
        """A server on SERVER, and a hub whose requests are made in here: to be
        used within `asking` alone."""
        with open(f"{data}.log", "wb") as log:
            server = self.start(
                KNOWD, "serve", "--data", data, "--listen", f"{SERVER}:0",
                *options, stdout=subprocess.PIPE, stderr=log,
                env=clean_env(KNOWD_ADMIN_KEY=ADMIN_KEY, **PROXIES))
        line = server.stdout.readline().decode()
        assert line.startswith("knowd listening"), \
            pathlib.Path(f"{data}.log").read_text()
        hub = Hub(line.split()[-1])
        poll(lambda: self.asking(hub.get, "/readyz").status_code == 200, 20)
        return hub

    def asking(self, call, *args, **more):
        """Calls in the one thread of this program that is in the namespace."""
        return self.thread.submit(call, *args, **more).result()

    def enter(self):
        with open(f"/proc/{self.holder.pid}/ns/net", "rb") as namespace:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

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
        packets, connects = self.packets(), self.counts()["connects"]
        self.looks += 1
        self.seen = (f"forbidden {packets['forbidden']} packets, "
                     f"other ports {packets['other_ports']} packets, "
                     f"{len(connects)} connects to dummies")
        assert packets["forbidden"] == 0
        assert packets["other_ports"] == 0
        assert connects == []

    def close(self):
        SUMMARY.append(f"outgoing: {self.looks} looks at the counters, "
                       f"{self.seen}")
        self.thread.shutdown()
        for program in reversed(self.running):
            program.terminate()
        for program in self.running:
            program.wait(10)
        self.holder.kill()
        self.holder.wait()


def opened(folder):
    """For a fixture; skips where there can be no lab."""
    if os.geteuid() != 0:
        pytest.skip("takes root to make a network namespace")
    for program in ("unshare", "nsenter", "ip", "nft", "nginx", "openssl"):
        if shutil.which(program, path="/usr/sbin:" + os.environ["PATH"]) is None:
            pytest.skip(f"takes {program}")
    if subprocess.run(["unshare", "--net", "--mount", "true"]).returncode != 0:
        pytest.skip("no network namespaces here")
    subprocess.run(["make", "-s", DRIVER.relative_to(ROOT)], cwd=ROOT,
                   check=True)
    made = Lab(folder)
    yield made
    made.close()

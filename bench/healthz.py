"""GET /healthz against nginx with one worker that returns the same bytes;
wrk, 64 connections, server and client on a core each."""

import os
import re
import subprocess
import tempfile
import time
import urllib.request

from server import Server, median, table

ROUNDS = 5
SECONDS = 3


def wrk(url):
    out = subprocess.run(["taskset", "-c", "1", "wrk", "-t1", "-c64",
                          f"-d{SECONDS}s", url], check=True,
                         capture_output=True, text=True).stdout
    if "Non-2xx" in out:
        raise SystemExit(out)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def nginx(body, port):
    where = tempfile.mkdtemp(prefix="knowd-nginx-")
    config = os.path.join(where, "nginx.conf")
    with open(config, "w") as f:
        f.write(f"""daemon off; worker_processes 1; pid {where}/pid;
error_log stderr crit; events {{ worker_connections 1024; }}
http {{ access_log off; client_body_temp_path {where}/b;
proxy_temp_path {where}/p; fastcgi_temp_path {where}/f;
uwsgi_temp_path {where}/u; scgi_temp_path {where}/s;
server {{ listen 127.0.0.1:{port};
location /healthz {{ default_type application/json;
return 200 '{body}'; }} }} }}""")
    process = subprocess.Popen(["taskset", "-c", "0", "nginx", "-c", config,
                                "-e", "stderr"], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/healthz"
    for _ in range(500):
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return process, url
        except OSError:
            time.sleep(0.01)
    raise SystemExit("nginx did not start")


def main():
    server = Server(cpus="0")
    body = urllib.request.urlopen(server.url + "/healthz").read().decode()
    process, url = nginx(body.strip(), 18080)
    ours, theirs = [], []
    try:
        for _ in range(ROUNDS):
            ours.append(wrk(server.url + "/healthz"))
            theirs.append(wrk(url))
    finally:
        process.terminate()
        process.wait()
        server.stop()
    ratio = median([o / t for o, t in zip(ours, theirs)])
    table(f"healthz: requests a second, median of {ROUNDS} interleaved rounds",
          ["server", "requests/s", "ratio"],
          [["knowd", f"{median(ours):.0f}", f"{ratio:.2f}x"],
           ["nginx", f"{median(theirs):.0f}", "1x"]])


if __name__ == "__main__":
    main()

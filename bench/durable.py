"""Durable small-text ingest over HTTP, 64 clients that wait for their 202:
commits in groups against the same program with groups of one. wrk drives, so
that the client is not what is measured."""

import os
import re
import subprocess
import tempfile

from server import KEY, Server, median, table

CLIENTS = 64
SECONDS = 5
ROUNDS = int(os.environ.get("ROUNDS", 5))

# Each request is a text of its own; the thread's number and a counter make it.
LUA = """
local threads = 0
function setup(thread)
  thread:set("me", threads)
  threads = threads + 1
end
function init(args)
  count = 0
  wrk.method = "POST"
  wrk.headers["x-api-key"] = "%(key)s"
  wrk.headers["content-type"] = "multipart/form-data; boundary=b"
end
function request()
  count = count + 1
  return wrk.format(nil, nil, nil,
    '--b\\r\\nContent-Disposition: form-data; name="manifest"\\r\\n\\r\\n' ..
    '[{"type":"text","title":"note","content":"note ' .. me .. ' ' .. count ..
    ' of a client that waits"}]\\r\\n--b--\\r\\n')
end
function response(status)
  if status ~= 202 then
    print("status " .. status)
    wrk.thread:stop()
  end
end
"""


def load(server, base, script):
    """Documents acknowledged a second, and documents a commit."""
    commits = server.metric("knowd_store_commits_total")
    out = subprocess.run(
        ["wrk", "-t2", f"-c{CLIENTS}", f"-d{SECONDS}s", "--timeout", "30s",
         "-s", script,
         f"{server.url}/v1/knowledge-base/knowledge-bases/{base}/ingest"],
        check=True, capture_output=True, text=True).stdout
    commits = server.metric("knowd_store_commits_total") - commits
    if "status " in out or "Non-2xx" in out:
        raise SystemExit(out)
    done = int(re.search(r"(\d+) requests in", out).group(1))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    return rate, done / max(commits, 1)


def main():
    results = {"groups": [], "one": []}
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as lua:
        lua.write(LUA % {"key": KEY})
        lua.flush()
        for _ in range(ROUNDS):
            for name, options in (("groups", []),
                                  ("one", ["--commit-group", "1"])):
                server = Server(*options)
                base = server.call(
                    "POST", "/v1/knowledge-base/knowledge-bases",
                    {"name": "bench"})["id"]
                results[name].append(load(server, base, lua.name))
                server.stop()
    groups, one = results["groups"], results["one"]
    ratio = median([g[0] / o[0] for g, o in zip(groups, one)])
    table(f"durable: {CLIENTS} clients, median of {ROUNDS} interleaved rounds",
          ["commits", "documents/s", "documents a commit", "ratio"],
          [["in groups", f"{median([g[0] for g in groups]):.0f}",
            f"{median([g[1] for g in groups]):.1f}", f"{ratio:.2f}x"],
           ["one by one", f"{median([o[0] for o in one]):.0f}",
            f"{median([o[1] for o in one]):.1f}", "1x"]])


if __name__ == "__main__":
    main()

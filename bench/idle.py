"""Memory when idle and time from start to ready, on 10,000 chunks."""

import json
import os
import shutil
import tempfile

from server import Server, median, table

CHUNKS = 10_000
ROUNDS = 9


def notes(path):
    words = ("segment posting recall cursor checkpoint tombstone ledger "
             "anchor harbour willow copper lantern meadow").split()
    with open(path, "w") as f:
        for i in range(CHUNKS):
            text = " ".join(words[(i * 7 + j * (1 + i % 5)) % len(words)]
                            for j in range(60))
            f.write(json.dumps({"_id": str(i), "title": f"note {i}",
                                "text": f"note {i} {text}"}) + "\n")


def main():
    data = tempfile.mkdtemp(prefix="knowd-idle-")
    source = os.path.join(data, "notes.jsonl")
    notes(source)
    folder = os.path.join(data, "data")
    server = Server(data=folder)
    added = server.cli("add", source, "--json")
    if added.returncode != 0:
        raise SystemExit(added.stdout + added.stderr)
    server.stop()
    ready, idle, searched = [], [], []
    for _ in range(ROUNDS):
        server = Server(data=folder)
        ready.append(server.ready_s * 1000)
        idle.append(server.rss_mib())
        server.cli("search", "harbour lantern", "--json", "--base", "default")
        searched.append(server.rss_mib())
        server.stop()
    table(f"idle: {CHUNKS} chunks, median of {ROUNDS} starts",
          ["what", "figure"],
          [["start to ready", f"{median(ready):.0f} ms"],
           ["memory when ready (server and children)",
            f"{median(idle):.1f} MiB"],
           ["memory after a first search", f"{median(searched):.1f} MiB"]])
    shutil.rmtree(data)


if __name__ == "__main__":
    main()

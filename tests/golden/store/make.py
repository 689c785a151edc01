"""Makes NAME.tar.xz beside this file: the data folder of a stopped server, as
the program of this moment writes it. Run once for each released schema:

    python3 tests/golden/store/make.py schema-N

schema-1 is of version 0.1.0, extractor 1. tests/e2e/test_upgrade.py says what
is in each.
"""

import io
import pathlib
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
from conftest import Server  # noqa: E402

GUIDE = b"# Guide\n\n## Pumps\n\nThe pump drips in winter.\n"
LONG = b"# Long\n\n" + b"".join(
    b"Sentence %d of a text that is a file of its own.\n" % i
    for i in range(1600)) + b"\nThe last word is quokka.\n"


def fill(api):
    base = api.make_base(name="golden")
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


def main(name):
    with tempfile.TemporaryDirectory() as work:
        data = pathlib.Path(work) / "data"
        server = Server(data)
        fill(server.api)
        assert server.stop() == 0
        (data / "reserve").unlink()  # noise; it is made again
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:xz") as tar:
            for path in sorted(data.rglob("*")):
                info = tar.gettarinfo(path, str(path.relative_to(data)))
                info.uid = info.gid = info.mtime = 0
                info.uname = info.gname = ""
                tar.addfile(info, path.open("rb") if path.is_file() else None)
        (HERE / f"{name}.tar.xz").write_bytes(out.getvalue())


main(sys.argv[1])

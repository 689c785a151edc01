"""Words of Office documents, in their order, against pandoc's plain text.

The manual's chapters, made into DOCX, ODT and EPUB by pandoc and, if it is
there, into DOCX by LibreOffice out of those ODT files; each through the server;
the share of pandoc's words that come in the same order (a common
subsequence, or a little less), and of ours.
"""

import difflib
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request

from server import KEY, ROOT, Server, table

CHAPTERS = os.path.join(ROOT, "docs/manual/*.md")


def words(text):
    # Numbers of lists and marks of Markdown are no words.
    return re.findall(r"[^\W_]+", text)


def run(*command):
    subprocess.run(command, check=True, capture_output=True, timeout=300)


def make(folder):
    """kind -> files"""
    files = {"docx, pandoc": [], "odt, pandoc": [], "epub, pandoc": []}
    for chapter in sorted(glob.glob(CHAPTERS)):
        name = os.path.join(folder, os.path.basename(chapter)[:-3])
        for kind in files:
            end = kind.split(",")[0]
            run("pandoc", chapter, "-o", f"{name}.{end}", "--metadata",
                "title=" + os.path.basename(chapter))
            files[kind].append(f"{name}.{end}")
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        print("left out: LibreOffice is not installed "
              "(Debian: libreoffice-writer-nogui)")
        return files
    out = os.path.join(folder, "office")
    run(office, "--headless", "-env:UserInstallation=file://" + folder +
        "/profile", "--convert-to", "docx", "--outdir", out,
        *files["odt, pandoc"])
    files["docx, LibreOffice"] = sorted(glob.glob(out + "/*.docx"))
    return files


def plain(path):
    done = subprocess.run(["pandoc", path, "-t", "plain", "--wrap=none"],
                          check=True, capture_output=True, timeout=300)
    return done.stdout.decode()


def normalised(server, path):
    added = server.cli("add", path, "--json", "--base", "bench")
    if added.returncode != 0:
        raise SystemExit(added.stdout + added.stderr)
    title = os.path.basename(path)
    page = server.call("GET", "/v1/knowledge-base/knowledge-bases")
    base, = [b["id"] for b in page["items"] if b["name"] == "bench"]
    found = server.call(
        "GET", f"/v1/knowledge-base/knowledge-bases/{base}/documents?limit=1")
    doc = server.call(
        "GET", "/v1/knowledge-base/documents/" + found["items"][0]["id"])
    assert title.split(".")[0] in json.dumps(doc), (title, doc)
    link = doc["normalized_download_url"]
    request = urllib.request.Request(
        link if link.startswith("http") else server.url + link,
        headers={"x-api-key": KEY})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read().decode()


def common(ours, theirs):
    match = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    return sum(block.size for block in match.get_matching_blocks())


def main():
    folder = tempfile.mkdtemp(prefix="knowd-docx-")
    server = Server()
    rows = []
    for kind, files in make(folder).items():
        ours_n = theirs_n = common_n = 0
        for path in files:
            ours, theirs = words(normalised(server, path)), words(plain(path))
            ours_n += len(ours)
            theirs_n += len(theirs)
            common_n += common(ours, theirs)
        rows.append([kind, str(len(files)), str(theirs_n),
                     f"{100 * common_n / theirs_n:.2f} %",
                     f"{100 * common_n / ours_n:.2f} %"])
    server.stop()
    table("words in order against pandoc -t plain",
          ["documents", "files", "words", "pandoc's that are ours",
           "ours that are pandoc's"], rows)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()

"""The PDF files of the benches: manuals out of Debian packages, downloaded by
apt-get and unpacked, not installed."""

import glob
import gzip
import os
import shutil
import subprocess
import tempfile

from server import ROOT

PACKAGES = ("r-doc-pdf", "octave-doc", "pari-doc", "gnuplot-doc",
            "debian-reference-en", "asymptote-doc")
FOLDER = os.path.join(ROOT, "build/bench/pdf")


def files():
    """Their paths, by name; those with the same bytes once."""
    if not os.path.isdir(FOLDER):
        part = FOLDER + ".part"
        shutil.rmtree(part, ignore_errors=True)
        os.makedirs(part)
        for package in PACKAGES:
            with tempfile.TemporaryDirectory() as tmp:
                subprocess.run(["apt-get", "download", "-qq", "-o",
                                "APT::Sandbox::User=root", package], cwd=tmp,
                               check=True)
                deb, = glob.glob(tmp + "/*.deb")
                subprocess.run(["dpkg-deb", "-x", deb, tmp + "/x"], check=True)
                unpack(tmp + "/x", part)
        os.rename(part, FOLDER)
    return sorted(glob.glob(FOLDER + "/*.pdf"))


def unpack(root, to):
    seen = set()
    for directory, _, names in sorted(os.walk(root)):
        for name in sorted(names):
            path = os.path.join(directory, name)
            if os.path.islink(path) or not name.endswith((".pdf", ".pdf.gz")):
                continue
            with (gzip.open if name.endswith(".gz") else open)(path, "rb") as f:
                data = f.read()
            if data not in seen:
                seen.add(data)
                with open(os.path.join(to, name.removesuffix(".gz")), "wb") as f:
                    f.write(data)


def pages(path):
    text = subprocess.run(["pdfinfo", path], capture_output=True, check=True,
                          text=True, errors="replace").stdout
    return int(next(line for line in text.splitlines()
                    if line.startswith("Pages:")).split()[1])

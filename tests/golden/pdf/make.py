"""Makes the inputs of tests/unit/test_pdf_golden.c: what pdftotext (-tsv),
pdfinfo (-isodates) and pdftohtml (-xml -i -f 1 -l 1) 22.12.0 say of the documents
in tests/pdfs.py. NAME.expected is written by GOLDEN=write and read by a person."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../.."))

import pdfs  # noqa: E402


def run(data, *command):
    return subprocess.run(command, input=data, check=True,
                          capture_output=True).stdout


def main():
    for name in ("book", "columns", "hidden"):
        data = getattr(pdfs, name)().bytes()
        with open(os.path.join(HERE, name + ".tsv"), "wb") as f:
            f.write(run(data, "pdftotext", "-tsv", "-", "-"))
        with open(os.path.join(HERE, name + ".about"), "wb") as f:
            f.write(run(data, "pdfinfo", "-isodates", "-"))
        with open(os.path.join(HERE, name + ".outline"), "wb") as f:
            f.write(run(data, "pdftohtml", "-xml", "-i", "-stdout", "-f", "1",
                        "-l", "1", "-", "none"))


if __name__ == "__main__":
    main()

"""python3 tests/bombs FOLDER: writes all hostile files into it."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bombs import office, pdf, web  # noqa: E402

KINDS = {"docx": office.BOMBS, "pdf": {**pdf.BOMBS, **pdf.SLOW},
         "html": web.BOMBS}

for ending, bombs in KINDS.items():
    for name, (make, *_) in bombs.items():
        name = name.replace(" ", "-").replace("/", "-")
        (pathlib.Path(sys.argv[1]) / f"{name}.{ending}").write_bytes(make())

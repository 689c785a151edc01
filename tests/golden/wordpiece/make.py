#!/usr/bin/env python3
"""What Hugging Face tokenizers make of the texts here: *.ids, digests.txt,
planes.txt; torture.bin and letters.txt on the way.

Made with tokenizers 0.21.0 (pip install tokenizers==0.21.0), by
`tests/golden/wordpiece/make.py build/model/all-MiniLM-L6-v2/vocab.txt`.
tests/unit/test_wordpiece_golden.c reads them.

NAME.ids: a line a setting, the ids of the whole text by that vocabulary.
letters.txt: a vocabulary of all characters of all texts, alone and continued,
so that its ids tell what normalising and parting words gave; digests.txt: a
line a text and setting, how many ids and their digest. planes.txt: a line a
plane and setting, digests of blocks of 4,096 code points, each alone, in a word
and beside marks of other orders (probe); the vocabulary is every code point of
the plane, and of plane 0."""

import hashlib
import os
import struct
import sys
import unicodedata

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
TEXTS = ["latin.txt", "cjk.txt", "arabic.txt", "cyrillic.txt", "emoji.txt",
         "torture.bin"]
# name: lower case, accents stripped, ideographs apart, cleaned
SETTINGS = {"uncased": (True, True, True, True),
            "cased": (False, False, True, True),
            "lower": (True, False, False, True),
            "stripped": (False, True, False, False),
            "raw": (False, False, False, False)}
PLANES = [0, 1, 2, 3, 14, 15]


def torture():
    parts = [
        "nul\0nul \x01\x02\x1b[1mbold\x1b[0m\x7f\x80\x9f del\x7fete \x00 \x00\x00",
        "tab\ttab\nnew\r\ncr\rvt\vvt ff\fff nel\x85nel \x1c\x1d\x1e\x1f",
        "nbsp\u00a0x ogham\u1680x en\u2000x\u2001x\u2002x\u2003x\u2009x hair\u200ax"
        " line\u2028x para\u2029x narrow\u202fx math\u205fx wide\u3000x",
        "zw\u200bsp zw\u200cnj zw\u200dj word\u2060joiner bom\ufeffbom"
        " soft\u00adhyphen lrm\u200erlm\u200f \u202eoverride\u202c"
        " mongolian\u180evowel \u061c \u2066isolate\u2069 \U000e0061tag",
        "rep\ufffdlaced \ufffd \ufffd\ufffd obj\ufffcect",
        "private \ue000 x\uf8ffx \U000f0000 \U0010fffd; none \ufdd0 x\uffffx"
        " \U0001ffff \u0378 \U000e0fff",
        "e\u0301 e\u0323\u0307 e\u0307\u0323 \u0301alone \u0301 x\u200d\u0301"
        " q\u0307\u0323\u0301\u0315\u0334 \u0344 \u0340\u0341 \u212b \u1fbe",
        "a\u302e\u1b44 a\u1b44\u302e a\u302e\u0301\u1b44 x\U0001d16e\U0001d165"
        " \U0001d15f \U0001d160 a\u0f71\u0f72 a\u0f72\u0f71 \u0f73 \u0e33 a\u0e31\u302e",
        "since: a\u08d4b a\u1dfbb a\U00011442b a\U0001e000b a\u0898b \u0890\u0891"
        " a\u2e43b a\u2e52b a\U00010eadb a\u1715\u1b44 \U00011938 a\U000111c9b"
        " a\u1734b a\u166db \U0001e944\u1b44",
        "\u0130stanbul \u0131 I \u0130 i\u0307 \u1e9e \u00df STRASSE \u017f \u03a3"
        " \u039f\u03a3 \u03a3\u0391\u03a3 \u1f88 \u01c4 \u01c5 \u01f1 \ua7ae \u10a0"
        " \u1c90 \u13a0 \uab70 \U00010400 \u2126 \u212a \u2c2f \U0001e921",
        "\ufb00 \ufb03 \ufb06 \ufb13 \ufb1d \ufb4f \ufdfa \ufefb \u0132 \u01c9 \u1e9a"
        " \u0149 \u2025 \u2026 \u2030 \u3392 \uff21\uff22\uff43 \u2460 \u00bc",
        "\uac00\ud7a3 \u1100\u1161\u11a8 \u1100\u1161 \u115f\u1160 \ua960\ud7b0"
        " \uac01\u11a8 \uffa1 \u3131",
        "\u037e \u1fef \u2260 \u226e \u003b\u0338 <\u0338 =\u0338 \u0374 \u0387 \u00b7"
        " \u2329\u3008 \uf900 \U0002f800 \U0002f9ff \U0002b820 \U0002b91f \U0002b920"
        " \U0002ceb0 \U00030000 \u9fff \u4dc0",
        "a" * 99, "a" * 100, "a" * 101, "b" * 250, "\u00e9" * 100, "\u00e9" * 101,
        "e\u0301" * 100, "e\u0301" * 101, "\u4e2d" * 120, "\U0001f600" * 101,
        "\u0301" * 300 + "x", "x" + "\u1b44\u302e" * 50, "\u302e\u1b44" * 51,
        "!" * 130, "a!" * 60, "ab" * 31 + "c", "ab" * 32, "ab" * 32 + "c",
        "x" * 24, "x" * 25, "#x ##x [CLS] [UNK][SEP] [MASK]x [unused1] ## # ###",
        "don't won\u2019t co-op re_do 3.14 1,000 $5 5\u20ac ~x^y`z a|b {c} <d> \\e",
        "\u0915\u094d\u0937 \u0928\u093c \u0929 \u0bca \u0bc6\u0bbe \u0ddd \u1026",
    ]
    text = "\n".join(parts).encode()
    broken = [b"\xff", b"a\xffb", b"\xc0\xaf", b"x\xe4\xb8", b"\xe4\xb8x",
              b"\xf0\x9f\x98 \xf0\x9f\x98", b"\xed\xa0\x80\xed\xb0\x80",
              b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\x80\x80\x80",
              b"caf\xe9 na\xefve", b"e\xcc\x81\xcc", b"\xcc\x81\xe2\x82",
              b"the\xe2\x80end", b"end\xf0"]
    return text + b"\n" + b" ".join(broken)


def tokenizer(vocabulary, setting):
    lower, strip, apart, clean = SETTINGS[setting]
    t = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]",
                                   max_input_chars_per_word=100))
    t.normalizer = normalizers.BertNormalizer(
        clean_text=clean, handle_chinese_chars=apart, strip_accents=strip,
        lowercase=lower)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return t


def numbered(tokens):
    return {t: i for i, t in enumerate(dict.fromkeys(tokens))}


def write(name, data):
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def read(name):
    with open(os.path.join(HERE, name), "rb") as f:
        return f.read().decode("utf-8", "replace")


def packed(ids):
    return struct.pack(f"<{len(ids) + 1}I", len(ids), *ids)


def digest(data):
    return hashlib.sha256(data).hexdigest()[:8]


def write_ids(path):
    with open(path, encoding="utf-8", newline="\n") as f:
        vocabulary = numbered(f.read().removesuffix("\n").split("\n"))
    for name in TEXTS:
        lines = []
        for setting in ("uncased", "cased"):
            ids = tokenizer(vocabulary, setting).encode(
                read(name), add_special_tokens=False).ids
            lines.append(" ".join([setting] + [str(i) for i in ids]) + "\n")
        write(os.path.splitext(name)[0] + ".ids", "".join(lines))


def write_letters():
    letters = set()
    for name in TEXTS:
        for text in (read(name), read(name).lower()):
            letters |= set(text) | set(unicodedata.normalize("NFD", text))
    # Those that no text can have as a word, and what would end a line
    letters = sorted(letters - set("\n\r\0 "))
    tokens = SPECIAL + letters + ["##" + c for c in letters]
    write("letters.txt", "\n".join(tokens) + "\n")
    lines = []
    for name in TEXTS:
        for setting in SETTINGS:
            ids = tokenizer(numbered(tokens), setting).encode(
                read(name), add_special_tokens=False).ids
            lines.append(f"{name} {setting} {len(ids)} {digest(packed(ids))}\n")
    write("digests.txt", "".join(lines))


def characters(first, last):
    return [chr(c) for c in range(first, last + 1) if not 0xd800 <= c < 0xe000]


def probe(c):
    return f"a{c}b {c}\u1b44 x\u302e{c}"


def write_planes():
    lines = []
    for plane in PLANES:
        here = characters(plane << 16, (plane << 16) + 0xffff)
        letters = characters(0x21, 0xffff) + (here if plane else [])
        vocabulary = numbered(SPECIAL + letters + ["##" + c for c in letters])
        for setting in ("uncased", "cased", "raw"):
            t, cells = tokenizer(vocabulary, setting), []
            for block in range(16):
                first = (plane << 16) + (block << 12)
                texts = [probe(c) for c in characters(first, first + 0xfff)]
                cells.append(digest(b"".join(
                    packed(e.ids) for e in t.encode_batch_fast(
                        texts, add_special_tokens=False))))
            lines.append(" ".join([str(plane), setting] + cells) + "\n")
    write("planes.txt", "".join(lines))


if __name__ == "__main__":
    write("torture.bin", torture())
    write_letters()
    write_ids(sys.argv[1])
    write_planes()

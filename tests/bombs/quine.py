"""A ZIP archive that holds exactly itself.

After Russ Cox, "Zip Files All The Way Down" (2010): deflate that prints the
headers around it and its own two operations, L (bytes as they are) and R (the
last bytes again), each packed in five bytes. The CRC-32 that stands in the
headers is a linear equation, for CRC is linear in the bits it runs over.
"""

import struct
import zlib

NAME = b"an-archive-that-holds-itself.z"
NAME_BYTES = 30  # so that R(header) takes five bytes, see again()


class Bits:
    """Deflate's bits, the lowest of each byte first."""

    def __init__(self):
        self.bits = []

    def number(self, v, n):
        self.bits += [v >> i & 1 for i in range(n)]
        return self

    def code(self, v, n):
        self.bits += [v >> i & 1 for i in reversed(range(n))]
        return self

    def bytes(self):
        pad = self.bits + [0] * (-len(self.bits) % 8)
        return bytes(sum(b << i for i, b in enumerate(pad[at:at + 8]))
                     for at in range(0, len(pad), 8))


def literal(n):
    """L: the head of n stored bytes."""
    return struct.pack("<BHH", 0, n, n ^ 0xffff)


def code_of(v, base, step):
    """The code of a length (from 3, four codes a bit) or of a distance (from
    1, two codes a bit), its extra bits and their number."""
    n, extra, first = 0, 0, base
    while True:
        size = 1 << extra
        if v < first + size:
            return n, v - first, extra
        n, first = n + 1, first + size
        if n >= 2 * step and n % step == 0:
            extra += 1


def copy(bits, length, distance):
    n, more, extra = code_of(length, 3, 4)
    code = 257 + n
    bits.code(*((code - 256, 7) if code < 280 else (code - 280 + 0xc0, 8)))
    bits.number(more, extra)
    n, more, extra = code_of(distance, 1, 2)
    return bits.code(n, 5).number(more, extra)


def again(*lengths, distance, last=False, empty=0):
    """R: copies in one block of fixed codes, then so many empty blocks."""
    bits = Bits().number(int(last), 1).number(1, 2)
    for n in lengths:
        copy(bits, n, distance)
    bits.code(0, 7)
    for _ in range(empty):
        bits.number(0, 1).number(1, 2).code(0, 7)
    return bits.bytes()


def body(head, tail):
    """Deflate that unpacks to head, itself and tail."""
    p = len(head) + 5
    l_p, l_5, l_20 = literal(p), literal(5), literal(20)
    r_p = again(p, distance=p, empty=1)
    r_20 = again(10, 10, distance=20)
    assert len(r_p) == len(r_20) == 5
    r_10 = again(5, 5, distance=20)
    r_end = bytes(9)
    for _ in range(2):  # it copies itself, too
        n = len(r_end) + len(tail)
        r_end = again(n, distance=n, last=True)
    l_end = literal(n)
    # What is printed lags behind what is read at first, then it is just ahead.
    return b"".join([
        l_p, head, l_p, r_p, l_5, r_p, l_5, l_5, l_20, r_p, l_5, l_5, l_20,
        r_20, l_20, r_20, l_20, r_20, l_20, r_20, l_20, r_10, l_end, bytes(10),
        r_10, l_end, r_end, tail, r_end])


def archive(crc, size=0, packed=0):
    fixed = struct.pack("<HHHHHIII", 20, 0, 8, 0, 0x21, crc, packed, size)
    head = b"PK\3\4" + fixed + struct.pack("<HH", NAME_BYTES, 0) + NAME
    directory = b"PK\1\2\x14\0" + fixed + struct.pack(
        "<HHHHHII", NAME_BYTES, 0, 0, 0, 0, 0, 0) + NAME
    tail = directory + b"PK\5\6" + struct.pack(
        "<HHHHIIH", 0, 0, 1, 1, len(directory), len(head) + packed, 0)
    return head, tail


def quine():
    assert len(NAME) == NAME_BYTES
    head, tail = archive(0)
    packed = len(body(head, tail))
    size = len(head) + packed + len(tail)

    def whole(crc):
        head, tail = archive(crc, size, packed)
        return head + body(head, tail) + tail
    # crc = A crc + b over GF(2): rows of (A + I | b), reduced.
    b = zlib.crc32(whole(0))
    columns = [zlib.crc32(whole(1 << i)) ^ b ^ 1 << i for i in range(32)]
    rows = [sum((columns[i] >> r & 1) << i for i in range(32)) |
            (b >> r & 1) << 32 for r in range(32)]
    for i in range(32):
        pivot = next(r for r in range(i, 32) if rows[r] >> i & 1)
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows = [row ^ rows[i] if r != i and row >> i & 1 else row
                for r, row in enumerate(rows)]
    made = whole(sum((rows[i] >> 32) << i for i in range(32)))
    assert zlib.decompress(made[len(head):len(head) + packed], -15) == made
    return made

#!/usr/bin/env python3
"""Writes segments of version 1 after index/FORMAT.md, with nothing but Python's own library.

    tools/golden/segment.py fixtures/golden/segment

A second pair of hands: if the crate read and wrote the same mistake, its own files would not tell. The files
of a version are kept for ever, so that later programs prove that they open them.
"""

import struct
import sys
import zlib
from pathlib import Path

IDS = [0, 7, 300, 2**32 - 1]
# The nearest binary32 of 1/3, and its doubles, as a program would compute them.
THIRD = struct.unpack("<f", struct.pack("<f", 1 / 3))[0]
VECTORS = [[1, 0, 0], [0, -1, 0], [0.6, 0.8, 0], [THIRD, 2 * THIRD, -2 * THIRD]]


def segment(bits: int) -> bytes:
    component = {32: "f", 16: "e"}[bits]
    sections = [
        (b"VECS", b"".join(struct.pack(f"<3{component}", *vector) for vector in VECTORS)),
        (b"IDS ", struct.pack("<4I", *IDS)),
        (b"LABL", b"golden"),
    ]
    table, body, end = b"", b"", 64 + 32 * len(sections)
    for kind, content in sections:
        gap = -end % 64
        table += struct.pack("<4sIQQQ", kind, zlib.crc32(content), end + gap, len(content), 0)
        body += bytes(gap) + content
        end += gap + len(content)
    header = b"\x8fLKSEG\r\n" + struct.pack(
        "<IIQIIQI16x", 1, len(sections), len(VECTORS), 3, bits, end, zlib.crc32(table)
    )
    return header + struct.pack("<I", zlib.crc32(header)) + table + body


folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for bits in (32, 16):
    (folder / f"version-1-f{bits}.seg").write_bytes(segment(bits))

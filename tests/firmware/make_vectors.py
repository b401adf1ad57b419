"""Writes ``protocol_vectors.json``: byte streams, and what a parser of the protocol has to find in them.

Run by hand when the protocol changes. It writes frames with ``struct`` and ``zlib`` alone, so that neither of
the implementations under test is its own judge.
"""

from __future__ import annotations

import json
import random
import struct
import zlib
from pathlib import Path

CAPACITY = 600
VECTORS = Path(__file__).with_name("protocol_vectors.json")


def frame(kind: int, sequence: int, payload: bytes = b"") -> bytes:
    head = struct.pack("<2sBBI", b"\xe5\x7a", kind, sequence, len(payload))
    head += struct.pack("<I", zlib.crc32(head))
    return head + payload + struct.pack("<I", zlib.crc32(head + payload))


def flipped(content: bytes, position: int, bit: int = 0) -> bytes:
    changed = bytearray(content)
    changed[position] ^= 1 << bit
    return bytes(changed)


def vectors() -> list[dict[str, object]]:
    noise = random.Random(4)  # noqa: S311
    every_byte = bytes(range(256))
    good = (2, 7, b"payload"), frame(2, 7, b"payload")
    other = (0x82, 255, every_byte), frame(0x82, 255, every_byte)
    cases: list[tuple[str, bytes, list[tuple[int, int, bytes]], int, int]] = [
        ("nothing", b"", [], 0, 0),
        ("an empty frame", frame(1, 1), [(1, 1, b"")], 0, 0),
        ("a frame", good[1], [good[0]], 0, 0),
        ("every byte value", other[1], [other[0]], 0, 0),
        ("two frames", good[1] + other[1], [good[0], other[0]], 0, 0),
        ("the largest payload", frame(2, 3, bytes(CAPACITY)), [(2, 3, bytes(CAPACITY))], 0, 0),
        ("text before a frame", b"boot ok\r\n" + good[1], [good[0]], 0, 0),
        ("half a magic number before a frame", b"\xe5" + good[1], [good[0]], 0, 0),
        ("halves of magic numbers", b"\xe5\xe5\xe5\x7a\xe5" + good[1], [good[0]], 0, 0),
        ("a magic number before a frame", b"\xe5\x7a" + good[1], [good[0]], 0, 0),
        ("a cut header before a frame", good[1][:11] + good[1], [good[0]], 0, 0),
        ("a damaged length", flipped(good[1], 5, 6) + good[1], [good[0]], 0, 0),
        ("a damaged type", flipped(good[1], 2) + good[1], [good[0]], 0, 0),
        ("a damaged header check", flipped(good[1], 9) + good[1], [good[0]], 0, 0),
        ("a damaged payload", flipped(good[1], 14) + other[1], [other[0]], 1, 0),
        ("a damaged trailer", flipped(good[1], len(good[1]) - 1) + other[1], [other[0]], 1, 0),
        ("too long", frame(2, 1, bytes(CAPACITY + 1)) + good[1], [good[0]], 0, 1),
        ("far too long", frame(2, 1, b"")[:4] + b"\xff" * 8 + good[1], [good[0]], 0, 0),
        ("a frame inside a payload", frame(2, 9, good[1]), [(2, 9, good[1])], 0, 0),
        ("a payload that looks like magic", frame(2, 9, b"\xe5\x7a" * 40), [(2, 9, b"\xe5\x7a" * 40)], 0, 0),
        ("cut off", good[1][:-1], [], 0, 0),
    ]
    for number in range(8):
        garbage = bytes(noise.choice(b"\xe5\x7a\x00\x01\x02\xff") for _ in range(noise.randrange(1, 300)))
        cases.append((f"garbage {number}", garbage + good[1] + garbage + other[1], [good[0], other[0]], 0, 0))
    return [
        {
            "name": name,
            "bytes": content.hex(),
            "frames": [{"type": k, "sequence": s, "payload": p.hex()} for k, s, p in frames],
            "damaged": damaged,
            "too_long": too_long,
        }
        for name, content, frames, damaged, too_long in cases
    ]


if __name__ == "__main__":
    document = {"capacity": CAPACITY, "vectors": vectors()}
    VECTORS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

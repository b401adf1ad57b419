"""Frames of the protocol that firmware speaks on UART0: bytes to frames and back. Pure.

The bytes are described in ``firmware/frame.h``. All numbers are little-endian. Everything that arrives is hostile:
lengths are bounded before they are believed.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

MAGIC = b"\xe5\x7a"
MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
DOORBELL = 0xB1
"""Between frames: one lies in the mailbox."""

MAX_NOISE_BYTES = 64 * 1024
"""How much of what lies between frames is kept: firmware that prints plain text is quoted in errors."""

_HEADER = struct.Struct("<2sBBI")
_CHECK = struct.Struct("<I")
HEADER_BYTES = _HEADER.size + _CHECK.size
MAX_FRAME_BYTES = HEADER_BYTES + MAX_PAYLOAD_BYTES + _CHECK.size


@dataclass(frozen=True)
class Frame:
    """A frame whose checks were right.

    Attributes:
        type: see ``Type``; may be one that is not known.
        sequence: that of the request in replies, 0 in what the firmware sends unasked.
        payload: what it carries.
    """

    type: int
    sequence: int
    payload: bytes = field(repr=False, default=b"")


def encode(kind: int, sequence: int, payload: bytes = b"") -> bytes:
    """A frame as bytes.

    Raises:
        ValueError: a field is out of range.
    """
    if not (0 <= kind <= 255 and 0 <= sequence <= 255 and len(payload) <= MAX_PAYLOAD_BYTES):
        raise ValueError("a field of the frame is out of range")
    header = _HEADER.pack(MAGIC, kind, sequence, len(payload))
    header += _CHECK.pack(zlib.crc32(header))
    return header + payload + _CHECK.pack(zlib.crc32(payload, zlib.crc32(header)))


class FrameReader:
    """Turns a stream of bytes into frames and steps over everything else.

    Args:
        max_payload: longest payload to believe in, in bytes.

    Attributes:
        noise: the last of what lay between frames.
        stray: how many bytes lay between frames.
        rung: how many of them were the doorbell.
        damaged: how many frames had a wrong check after their payload.
        too_long: how many headers announced more than is believed.
    """

    def __init__(self, max_payload: int = MAX_PAYLOAD_BYTES) -> None:
        self._max_payload = max_payload
        self._buffer = bytearray()
        self.noise = bytearray()
        self.stray = 0
        self.rung = 0
        self.damaged = 0
        self.too_long = 0

    @property
    def missing(self) -> tuple[int, int] | None:
        """(received, expected) bytes of a frame whose header has arrived but whose end has not; else None."""
        length = self._header_at_start()
        if length is None or length > self._max_payload:
            return None
        return len(self._buffer), HEADER_BYTES + length + _CHECK.size

    def feed(self, received: bytes) -> list[Frame]:
        """Take in bytes and return the frames that are complete now, in order."""
        self._buffer += received
        frames = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        while True:
            start = self._buffer.find(MAGIC)
            if start < 0:
                # The last byte may be the first half of a magic number.
                keep = 1 if self._buffer.endswith(MAGIC[:1]) else 0
                self._skip(len(self._buffer) - keep)
                return None
            self._skip(start)
            if len(self._buffer) < HEADER_BYTES:
                return None
            length = self._header_at_start()
            if length is None:
                self._skip(1)
                continue
            if length > self._max_payload:
                self.too_long += 1
                self._skip(HEADER_BYTES)
                continue
            total = HEADER_BYTES + length + _CHECK.size
            if len(self._buffer) < total:
                return None
            body, (check,) = bytes(self._buffer[: total - 4]), _CHECK.unpack(self._buffer[total - 4 : total])
            if zlib.crc32(body) != check:
                self.damaged += 1
                self._skip(total)
                continue
            del self._buffer[:total]
            return Frame(body[2], body[3], body[HEADER_BYTES:])

    def _header_at_start(self) -> int | None:
        """Length of the payload if the buffer begins with a valid header."""
        if len(self._buffer) < HEADER_BYTES:
            return None
        magic, _, _, length = _HEADER.unpack_from(self._buffer)
        (check,) = _CHECK.unpack_from(self._buffer, _HEADER.size)
        valid = magic == MAGIC and zlib.crc32(self._buffer[: _HEADER.size]) == check
        return length if valid else None

    def _skip(self, count: int) -> None:
        self.stray += count
        self.rung += self._buffer.count(DOORBELL, 0, count)
        self.noise += self._buffer[:count]
        del self._buffer[:count]
        if len(self.noise) > 2 * MAX_NOISE_BYTES:
            del self.noise[:-MAX_NOISE_BYTES]

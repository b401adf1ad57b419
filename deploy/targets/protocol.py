"""The framed protocol that firmware speaks on UART0, host side: bytes to frames, frames to what they mean. Pure.

The bytes are described in ``firmware/frame.h`` (frames) and ``firmware/server.c`` (payloads). All numbers are
little-endian. Everything that arrives is hostile: lengths are bounded before they are believed.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import TargetError
from deploy.hardware.npu_events import event_title
from deploy.tflite.dtypes import DTYPE_NUMBERS

VERSION = 1
MAGIC = b"\xe5\x7a"
MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
MAX_NOISE_BYTES = 64 * 1024
"""How much of what lies between frames is kept: firmware that prints plain text is quoted in errors."""

_HEADER = struct.Struct("<2sBBI")
_CHECK = struct.Struct("<I")
HEADER_BYTES = _HEADER.size + _CHECK.size
_HELLO = struct.Struct("<HH32s8sIBBHI")
_TENSOR = struct.Struct("<BBHIfi")
_RESULT = struct.Struct("<IIQ4H4II")
_MAX_RANK = 8
_DTYPES = {number: name for name, number in DTYPE_NUMBERS.items()}


class Type(IntEnum):
    """Types of frames; replies have bit 7 set."""

    HELLO = 0x01
    INFER = 0x02
    BYE = 0x03
    INFER_PACKED = 0x04
    HELLO_REPLY = 0x81
    RESULT = 0x82
    BYE_REPLY = 0x83
    LOG = 0x90
    ERROR = 0xEE


class ErrorCode(IntEnum):
    """Why the firmware refused a request."""

    UNKNOWN_REQUEST = 1
    DAMAGED = 2
    TRUNCATED = 3
    SIZE = 4
    VERSION_DIFFERS = 5
    NOT_READY = 6
    INFERENCE = 7
    FAULT = 8


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


@dataclass(frozen=True)
class TensorEntry:
    """A row of the firmware's tensor table.

    Attributes:
        name: as in the SignatureDef.
        dtype: NumPy name.
        shape: dimensions.
        bytes: size.
        scale: 0 when it is not quantized.
        zero_point: of the quantization.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Hello:
    """What firmware says about itself.

    Attributes:
        version: of the protocol.
        runtime: 1 ``npu``, 2 ``tflm``, 0 something else.
        model_sha256: of the compiled model it holds, in hex.
        build_id: tells builds of the firmware apart, in hex.
        request_bytes: largest request it takes.
        arena_bytes: size of its tensor arena.
        inputs: in the order in which it wants them.
        outputs: in the order in which it sends them.
    """

    version: int
    runtime: int
    model_sha256: str
    build_id: str
    request_bytes: int
    arena_bytes: int
    inputs: tuple[TensorEntry, ...]
    outputs: tuple[TensorEntry, ...]


@dataclass(frozen=True)
class Result:
    """One inference.

    Attributes:
        status: 0.
        arena_used: bytes of the arena in use.
        cycles: the NPU's cycle counter.
        counters: event name -> count.
        streams: command streams that the NPU ran.
        outputs: by name.
    """

    status: int
    arena_used: int
    cycles: int
    counters: dict[str, int]
    streams: int
    outputs: dict[str, NDArray[Any]] = field(repr=False)


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


def packed(content: bytes) -> bytes:
    """Run-length coded bytes (PackBits): the UART is what takes longest, and many inputs have plain areas.

    A control byte c stands for the c + 1 bytes that follow (0 to 127) or the next byte 257 - c times (129 to 255).
    """
    result = bytearray()
    literal = bytearray()

    def flush() -> None:
        for start in range(0, len(literal), 128):
            piece = literal[start : start + 128]
            result.append(len(piece) - 1)
            result.extend(piece)
        literal.clear()

    for run in re.finditer(rb"(.)\1{0,127}", content, re.DOTALL):
        piece = run[0]
        # Two equal bytes inside a literal cost nothing; a run of two would.
        if len(piece) < 3:
            literal += piece
        else:
            flush()
            result += bytes((257 - len(piece), piece[0]))
    flush()
    return bytes(result)


def hello_request() -> bytes:
    """Payload of HELLO."""
    return struct.pack("<H", VERSION)


class FrameReader:
    """Turns a stream of bytes into frames and steps over everything else.

    Args:
        max_payload: longest payload to believe in, in bytes.

    Attributes:
        noise: the last of what lay between frames.
        stray: how many bytes lay between frames.
        damaged: how many frames had a wrong check after their payload.
        too_long: how many headers announced more than is believed.
    """

    def __init__(self, max_payload: int = MAX_PAYLOAD_BYTES) -> None:
        self._max_payload = max_payload
        self._buffer = bytearray()
        self.noise = bytearray()
        self.stray = 0
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
        self.noise += self._buffer[:count]
        del self._buffer[:count]
        if len(self.noise) > 2 * MAX_NOISE_BYTES:
            del self.noise[:-MAX_NOISE_BYTES]


class _Cursor:
    """Reads a payload from front to back; reading past its end is a TargetError."""

    def __init__(self, payload: bytes, what: str) -> None:
        self._payload = payload
        self._what = what
        self.position = 0

    def take(self, count: int) -> bytes:
        piece = self._payload[self.position : self.position + count]
        if len(piece) != count:
            raise TargetError(f"the target's {self._what} is truncated: {len(self._payload)} bytes")
        self.position += count
        return piece

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        return layout.unpack(self.take(layout.size))

    def finish(self) -> None:
        if self.position != len(self._payload):
            raise TargetError(
                f"the target's {self._what} has {len(self._payload)} bytes, {self.position} were expected"
            )


def parse_hello(payload: bytes) -> Hello:
    """Read the payload of HELLO_REPLY.

    Raises:
        TargetError: truncated, too long, or it contradicts itself.
    """
    cursor = _Cursor(payload, "hello")
    version, runtime, model, build, request, inputs, outputs, _, arena = cursor.unpack(_HELLO)
    if version != VERSION:
        raise TargetError(f"the firmware speaks version {version} of the protocol, this deploy {VERSION}")
    hello = Hello(
        version,
        runtime,
        model.hex(),
        build.hex(),
        request,
        arena,
        tuple(_tensor(cursor) for _ in range(inputs)),
        tuple(_tensor(cursor) for _ in range(outputs)),
    )
    cursor.finish()
    return hello


def _tensor(cursor: _Cursor) -> TensorEntry:
    dtype, rank, name_length, size, scale, zero_point = cursor.unpack(_TENSOR)
    if dtype not in _DTYPES or rank > _MAX_RANK:
        raise TargetError(f"the target's tensor table is damaged (type {dtype}, {rank} dimensions)")
    shape = struct.unpack(f"<{rank}I", cursor.take(4 * rank))
    name = cursor.take(name_length).decode("utf-8", "replace")
    elements = 1
    for dimension in shape:
        elements *= dimension
    if elements * np.dtype(_DTYPES[dtype]).itemsize != size:
        raise TargetError(
            f"the target's tensor {printable(name, 40)} of shape {list(shape)} cannot have {size} bytes"
        )
    return TensorEntry(name, _DTYPES[dtype], shape, size, scale, zero_point)


def parse_result(payload: bytes, outputs: tuple[TensorEntry, ...]) -> Result:
    """Read the payload of RESULT.

    Args:
        payload: of the frame.
        outputs: the firmware's table.

    Raises:
        TargetError: truncated or too long.
    """
    cursor = _Cursor(payload, "result")
    status, arena, cycles, *rest = cursor.unpack(_RESULT)
    events, counts, streams = rest[:4], rest[4:8], rest[8]
    arrays: dict[str, NDArray[Any]] = {}
    for tensor in outputs:
        raw = cursor.take(tensor.bytes)
        arrays[tensor.name] = np.frombuffer(raw, dtype=tensor.dtype).reshape(tensor.shape)
    cursor.finish()
    counters = dict(zip(map(event_title, events), counts, strict=True))
    return Result(status, arena, cycles, counters, streams, arrays)


def parse_error(payload: bytes) -> tuple[int, str]:
    """Read the payload of ERROR: its code (see ``ErrorCode``) and text, which is safe to print."""
    code = payload[0] if payload else 0
    return code, printable(payload[2:].decode("utf-8", "replace"))


def printable(text: str, limit: int = 400) -> str:
    """Text of the target without anything that a terminal would act upon, and not longer than ``limit``."""
    return "".join(character if character.isprintable() else "." for character in text[:limit])

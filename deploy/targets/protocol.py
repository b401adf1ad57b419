"""The framed protocol that firmware speaks on UART0, host side: what frames mean. Pure.

The payloads are described in ``firmware/server.c``; :mod:`deploy.targets.frames` carries them. All numbers are
little-endian. Everything that arrives is hostile: lengths are bounded before they are believed.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import TargetError
from deploy.hardware.npu_events import event_title
from deploy.targets.frames import MAX_FRAME_BYTES
from deploy.targets.target_text import shown
from deploy.tflite.generated import DTYPE_NUMBERS

VERSION = 1

_HELLO = struct.Struct("<HH32s8sIBBHI")
_TENSOR = struct.Struct("<BBHIfi")
_RESULT = struct.Struct("<IIQ4H4II")
_MAILBOX = struct.Struct("<QQII")
_MAX_RANK = 8
_DTYPES = {number: name for name, number in DTYPE_NUMBERS.items()}


class Type(IntEnum):
    """Types of frames; replies have bit 7 set."""

    HELLO = 0x01
    INFER = 0x02
    BYE = 0x03
    INFER_PACKED = 0x04
    STOP_AFTER = 0x05
    READ = 0x06
    RESET = 0x07
    MAILBOX = 0x08
    FILES = 0x09
    HELLO_REPLY = 0x81
    RESULT = 0x82
    BYE_REPLY = 0x83
    STOP_REPLY = 0x85
    MEMORY = 0x86
    RESET_REPLY = 0x87
    MAILBOX_REPLY = 0x88
    FILES_REPLY = 0x89
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


@dataclass(frozen=True)
class MailboxPlace:
    """Where firmware has its mailbox.

    Attributes:
        request: address of the area for requests.
        reply: address of that for replies.
        request_bytes: of the longest frame that the former takes.
        reply_bytes: of the longest frame that the latter takes.
    """

    request: int
    reply: int
    request_bytes: int
    reply_bytes: int


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


def stop_request(words: int) -> bytes:
    """Payload of STOP_AFTER: words of the command stream that the NPU works on in the next inference."""
    return struct.pack("<I", words)


def read_request(region: int, offset: int, size: int) -> bytes:
    """Payload of READ: bytes of a region of the NPU's."""
    return struct.pack("<3I", region, offset, size)


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
        raise TargetError(f"the target's tensor {shown(name, 40)} of shape {list(shape)} cannot have {size} bytes")
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


def parse_mailbox(payload: bytes) -> MailboxPlace:
    """Read the payload of MAILBOX_REPLY or FILES_REPLY.

    Raises:
        TargetError: truncated, too long, or the areas are larger than any frame.
    """
    cursor = _Cursor(payload, "mailbox")
    place = MailboxPlace(*cursor.unpack(_MAILBOX))
    cursor.finish()
    if max(place.request_bytes, place.reply_bytes) > MAX_FRAME_BYTES:
        raise TargetError("the target's mailbox is larger than any frame could be")
    return place


def parse_error(payload: bytes) -> tuple[int, str]:
    """Read the payload of ERROR: its code (see ``ErrorCode``) and text, which is safe to print."""
    code = payload[0] if payload else 0
    return code, shown(payload[2:].decode("utf-8", "replace"))

"""Payloads of ``ethos-u`` operators with another command stream: its first operations, or what finds memory.

The size of a payload stays: what is left over is filled with driver actions that do nothing. The few commands that
are written here have the same numbers and fields on all NPUs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from deploy.npu.errors import StreamError, UnsupportedError
from deploy.npu.regions import CONSTANTS
from deploy.npu.stream.payload import COMMAND_STREAM, NOP, parse_payload
from deploy.npu.stream.u55_commands import Cmd0, Cmd1

_TWO_WORDS = 0x4000
_END_OF_STREAM = 0xFFFF
"""The parameter that Vela gives NPU_OP_STOP."""


def _command(code: Cmd0, parameter: int = 0) -> int:
    return int(code) | parameter << 16


ENDING = (
    _command(Cmd0.NPU_OP_KERNEL_WAIT),
    _command(Cmd0.NPU_OP_DMA_WAIT),
    _command(Cmd0.NPU_OP_STOP, _END_OF_STREAM),
)
"""What ends a command stream that is cut short: all that was begun is done, then the NPU stops."""


def cut(payload: bytes, kept: int) -> bytes:
    """The payload with the first bytes of its command stream only.

    Args:
        payload: of one ``ethos-u`` operator.
        kept: how many bytes of the stream stay, a whole number of commands; 0 for an NPU that does nothing.

    Raises:
        StreamError: not a payload, or its stream is shorter.
        UnsupportedError: a container other than COP1.
    """
    stream: list[int] = parse_payload(payload).stream.tolist()
    if not 0 <= kept <= 4 * len(stream) or kept % 4:
        raise StreamError(f"{kept} bytes of a command stream of {4 * len(stream)}")
    words = stream[: kept // 4]
    # A stream that ends right behind the last operation has room for its own stop alone.
    room = len(stream) - len(words)
    return with_stream(payload, [*words, *ENDING[max(len(ENDING) - room, 0) :]] if room else stream)


def copying(payload: bytes, copies: Iterable[tuple[int, int, int]]) -> bytes:
    """The payload with a command stream that copies constants to the beginning of other regions.

    Args:
        payload: of one ``ethos-u`` operator.
        copies: region to copy to, first byte of the constants, how many bytes; multiples of 16.

    Raises:
        StreamError: not a payload, or it is too small for such a stream.
        UnsupportedError: a container other than COP1.
    """
    words: list[int] = []
    for region, source, size in copies:
        words += [
            _command(Cmd0.NPU_SET_DMA0_SRC_REGION, CONSTANTS),
            _command(Cmd0.NPU_SET_DMA0_DST_REGION, region),
        ]
        for code, value in (
            (Cmd1.NPU_SET_DMA0_SRC, source),
            (Cmd1.NPU_SET_DMA0_DST, 0),
            (Cmd1.NPU_SET_DMA0_LEN, size),
        ):
            words += [int(code) | _TWO_WORDS, value]
        words += [_command(Cmd0.NPU_OP_DMA_START), _command(Cmd0.NPU_OP_DMA_WAIT)]
    return with_stream(payload, [*words, *ENDING])


def with_stream(payload: bytes, stream: Sequence[int]) -> bytes:
    """The payload with another command stream, which is not longer.

    Args:
        payload: of one ``ethos-u`` operator.
        stream: words.

    Raises:
        StreamError: not a payload, or the stream does not fit.
        UnsupportedError: a container other than COP1.
    """
    found = parse_payload(payload)
    if payload[:4] != b"COP1":
        raise UnsupportedError("command streams of COP2 payloads cannot be changed")
    room, count = int(found.stream.size), len(stream)
    if not 0 < count <= room:
        raise StreamError(f"{count} words of command stream in the place of {room}")
    words = np.frombuffer(payload, dtype="<u4").copy()
    start = found.stream_offset // 4
    words[start - 1] = COMMAND_STREAM | (count >> 16) << 8 | (count & 0xFFFF) << 16
    words[start : start + count] = stream
    words[start + count : start + room] = NOP
    return words.tobytes()

"""Reads the first input of an ``ethos-u`` custom operator: driver actions around a command stream."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deploy.npu.errors import StreamError, UnsupportedError

_COP1 = int.from_bytes(b"COP1", "little")
_OPTIMIZER_CONFIG, _COMMAND_STREAM, _NOP = 1, 2, 5


@dataclass(frozen=True)
class Payload:
    """The content of a custom operator's payload.

    Attributes:
        config_word: CONFIG register of the NPU it was compiled for; None if the payload does not say.
        id_word: ID register (architecture version) it was compiled for.
        stream: the command stream, uint32 words.
        stream_offset: where the command stream starts in the payload, in bytes.
    """

    config_word: int | None
    id_word: int | None
    stream: NDArray[np.uint32] = field(repr=False)
    stream_offset: int


def parse_payload(payload: bytes) -> Payload:
    """Parse the payload (fourcc ``COP1``) of one ``ethos-u`` operator.

    A driver action is one word with its tag in bits 7:0. Tag 1 (optimizer config) is followed by the
    config and id words, 5 is a NOP, 2 starts the command stream, whose length in words is
    ``bits 15:8 << 16 | bits 31:16`` (source: Vela 5.2.0, ``driver_actions.py``).

    Raises:
        StreamError: not a payload, or it ends too early.
        UnsupportedError: an action or a container version that is not known.
    """
    words = np.frombuffer(payload[: len(payload) // 4 * 4], dtype="<u4").astype(np.uint32, copy=False)
    if words.size == 0 or not payload[:3] == b"COP":
        raise StreamError("the operator's payload does not start with a driver header (COP1)")
    if int(words[0]) != _COP1:
        raise UnsupportedError(f"payload version {payload[:4]!r} is not known, only COP1")
    config_word = id_word = None
    position = 1
    while position < words.size:
        word = int(words[position])
        tag = word & 0xFF
        if tag == _COMMAND_STREAM:
            length = (word >> 8 & 0xFF) << 16 | word >> 16
            start = position + 1
            if start + length > words.size:
                raise StreamError(
                    f"the payload says {length} words of command stream, {words.size - start} follow",
                    command="driver action 2",
                    offset=4 * position,
                )
            return Payload(config_word, id_word, words[start : start + length], 4 * start)
        if tag == _OPTIMIZER_CONFIG:
            if position + 2 >= words.size:
                raise StreamError("the payload ends inside its config action", offset=4 * position)
            config_word, id_word = int(words[position + 1]), int(words[position + 2])
            position += 3
        elif tag == _NOP:
            position += 1
        else:
            raise UnsupportedError("unknown driver action", command=f"driver action {tag}", offset=4 * position)
    raise StreamError("the payload holds no command stream")

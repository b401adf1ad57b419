"""Reads the first input of an ``ethos-u`` custom operator: a driver header around a command stream.

Source of both layouts: Vela 5.2.0, ``driver_actions.py`` and ``custom_operator_ethosu.hpp``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deploy.npu.errors import StreamError, UnsupportedError

_OPTIMIZER_CONFIG, COMMAND_STREAM, NOP = 1, 2, 5
"""Tags of driver actions."""
_COP2_HEADER_BYTES = 16
_METADATA = int.from_bytes(b"VEUM", "little")
_LOCAL_ADDRESSING = 2
_FEATURES = (1, _LOCAL_ADDRESSING)


@dataclass(frozen=True)
class Payload:
    """The content of a custom operator's payload.

    Attributes:
        config_word: CONFIG register of the NPU it was compiled for; None if the payload does not say.
        id_word: ID register (architecture version) it was compiled for.
        stream: the command stream, uint32 words.
        stream_offset: where the command stream starts in the payload, in bytes.
        separate_io: inputs and outputs have regions of their own (from 3 on) instead of a place in the arena.
    """

    config_word: int | None
    id_word: int | None
    stream: NDArray[np.uint32] = field(repr=False)
    stream_offset: int
    separate_io: bool = False


def parse_payload(payload: bytes) -> Payload:
    """Parse the payload of one ``ethos-u`` operator (fourcc ``COP1`` or ``COP2``).

    Raises:
        StreamError: not a payload, or it ends too early.
        UnsupportedError: an action or a container version that is not known, or a second command stream.
    """
    if payload[:3] != b"COP" or len(payload) < 4:
        raise StreamError("the operator's payload does not start with a driver header (COP1 or COP2)")
    if len(payload) % 4:
        raise StreamError(f"the operator's payload of {len(payload)} bytes is not made of 32-bit words")
    words = np.frombuffer(payload, dtype="<u4").astype(np.uint32, copy=False)
    if payload[:4] == b"COP1":
        return _driver_actions(words)
    if payload[:4] == b"COP2":
        return _entries(words)
    raise UnsupportedError(f"payload version {payload[:4]!r} is not known, only COP1 and COP2")


def _driver_actions(words: NDArray[np.uint32]) -> Payload:
    """COP1: driver actions of one word each, tag in bits 7:0.

    Tag 1 (optimizer config) is followed by the config and id words, 5 is a NOP, 2 starts the command stream,
    whose length in words is ``bits 15:8 << 16 | bits 31:16``. Vela writes one stream. What a second one would mean
    is open: Arm's driver starts it while the first still runs. The firmware's driver refuses it as well.
    """
    config_word: int | None = None
    id_word: int | None = None
    stream: NDArray[np.uint32] | None = None
    stream_offset = 0
    position = 1
    while position < words.size:
        word = int(words[position])
        tag = word & 0xFF
        if tag == COMMAND_STREAM:
            if stream is not None:
                raise UnsupportedError(
                    "a second command stream in one payload", command="driver action 2", offset=4 * position
                )
            length = (word >> 8 & 0xFF) << 16 | word >> 16
            start = position + 1
            if length == 0 or start + length > words.size:
                raise StreamError(
                    f"the payload says {length} words of command stream, {words.size - start} follow",
                    command="driver action 2",
                    offset=4 * position,
                )
            stream, stream_offset = words[start : start + length], 4 * start
            position = start + length
        elif tag == _OPTIMIZER_CONFIG:
            if position + 2 >= words.size:
                raise StreamError("the payload ends inside its config action", offset=4 * position)
            found = int(words[position + 1]), int(words[position + 2])
            if config_word is not None and found != (config_word, id_word):
                raise UnsupportedError("a payload for two NPUs", command="driver action 1", offset=4 * position)
            config_word, id_word = found
            position += 3
        elif tag == NOP:
            position += 1
        else:
            raise UnsupportedError("unknown driver action", command=f"driver action {tag}", offset=4 * position)
    if stream is None:
        raise StreamError("the payload holds no command stream")
    return Payload(config_word, id_word, stream, stream_offset)


def _entries(words: NDArray[np.uint32]) -> Payload:
    """COP2: header (fourcc, version, u64 length of what follows), then one command stream entry.

    Entry: type 1, length in bytes, metadata length in bytes, ``VEUM``, version, length, config word, id word,
    addressing features, u64 staging size, padding up to the metadata length, command stream.
    """
    head: list[int] = words[:13].tolist()
    if len(head) < 13:
        raise StreamError("the payload ends inside its COP2 header")
    version, length = head[1], head[2] | head[3] << 32
    entry, entry_length, metadata_length, magic, _, _, config_word, id_word, features = head[4:13]
    if version != 1 or entry != 1 or magic != _METADATA or features not in _FEATURES:
        raise UnsupportedError(
            "unknown COP2 payload",
            parameters={"version": version, "entry": entry, "metadata": hex(magic), "features": features},
        )
    # metadata_length counts what follows it; entry_length includes metadata_length's own word.
    start = _COP2_HEADER_BYTES + 12 + metadata_length
    end = _COP2_HEADER_BYTES + 8 + entry_length
    if length + _COP2_HEADER_BYTES > 4 * words.size or start % 4 or not start <= end <= 4 * words.size:
        raise StreamError(
            "the lengths in the payload's COP2 header do not match its size",
            parameters={"payload": 4 * words.size, "length": length, "stream": f"{start}:{end}"},
        )
    return Payload(
        config_word, id_word, words[start // 4 : end // 4], start, separate_io=features == _LOCAL_ADDRESSING
    )

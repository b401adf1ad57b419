"""Splits a stream of 32-bit words into commands, whatever the instruction set.

Most of them set a register, as their names say; those that do something find what was set.

A command is one word, or two with bit 14 of the first set: number in bits 9:0, parameter in bits 31:16, then the
payload. Which numbers there are is a :class:`CommandSet`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.npu.errors import StreamError, UnsupportedError

# Bits 13:10 are reserved; bit 15 would be a payload of 64 bits, which these NPUs do not have.
_TWO_WORDS = 0x4000
_SETS = "NPU_SET_"
"""What the names of commands begin with that set a register."""


class Parameter(NamedTuple):
    """What a command's parameter may be.

    Attributes:
        bits: that exist.
        negative: from which value on it is a negative number, all bits of which exist.
    """

    bits: int
    negative: int = 0x10000


Settings = dict[str, tuple[int, int]]
"""Name of the command that sets a register -> parameter and payload, as they were set last.

By names: the numbers of commands of one and of two words coincide."""


class _Known(NamedTuple):
    """A command of an instruction set.

    Attributes:
        register: its name, if it sets one; else empty.
        bits: see :class:`Parameter`, as the next one.
    """

    code: IntEnum
    register: str
    bits: int
    negative: int


class CommandSet:
    """The commands of an instruction set.

    Args:
        one_word: commands of one word.
        two_words: those of two.
        parameter: of each command.

    Attributes:
        codes: lower half of a command's first word -> the command.
    """

    def __init__(
        self,
        one_word: Iterable[IntEnum],
        two_words: Iterable[IntEnum],
        parameter: Callable[[IntEnum], Parameter],
    ) -> None:
        codes = {int(code): code for code in one_word}
        codes.update({int(code) | _TWO_WORDS: code for code in two_words})
        self.codes: Mapping[int, _Known] = {
            number: _Known(code, code.name if code.name.startswith(_SETS) else "", *parameter(code))
            for number, code in codes.items()
        }


class Command(NamedTuple):
    """One command of a stream.

    Attributes:
        parameter: upper half of the first word, unsigned 16 bit.
        payload: the second word, unsigned 32 bit; 0 for commands of one word.
        offset: byte offset of the first word in the stream.
    """

    code: IntEnum
    parameter: int
    payload: int
    offset: int


def split(stream: NDArray[np.uint32], commands: CommandSet, settings: Settings) -> Iterator[Command]:
    """Split a command stream (without the driver's payload header) into commands, up to its end.

    Args:
        stream: of 32-bit words.
        commands: that there are.
        settings: becomes what the commands have set that come before the one that is given.

    Yields:
        The commands that set no register.

    Raises:
        UnsupportedError: a command number that the instruction set does not have.
        StreamError: the stream ends inside a command.
    """
    words: list[int] = stream.tolist()
    codes, count = commands.codes, len(words)
    position = 0
    while position < count:  # thousands of times a stream
        word = words[position]
        parameter = word >> 16
        found = codes.get(word & 0xFFFF)
        if found is None:
            raise UnsupportedError(
                "unknown command",
                command=f"command {word & 0xFFFF:#06x}",
                offset=4 * position,
                parameters={"parameter": parameter},
            )
        known, register, bits, negative = found
        if parameter & ~bits and parameter < negative:
            raise StreamError(
                "the parameter has bits that do not exist",
                command=known.name,
                offset=4 * position,
                parameters={"parameter": hex(parameter)},
            )
        first, payload = position, 0
        position += 1
        if word & _TWO_WORDS:
            if position == count:
                raise StreamError("the stream ends inside this command", command=known.name, offset=4 * first)
            payload = words[position]
            position += 1
        if register:
            settings[register] = parameter, payload
        else:
            yield Command(known, parameter, payload, 4 * first)

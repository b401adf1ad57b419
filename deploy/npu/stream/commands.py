"""Splits a stream of 32-bit words into commands, whatever the instruction set.

A command is one word, or two with bit 14 of the first set: number in bits 9:0, parameter in bits 31:16, then the
payload. Which numbers there are is a :class:`CommandSet`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.npu.errors import StreamError, UnsupportedError

# Bits 13:10 are reserved; bit 15 would be a payload of 64 bits, which these NPUs do not have.
_TWO_WORDS = 0x4000


class Parameter(NamedTuple):
    """What a command's parameter may be.

    Attributes:
        bits: that exist.
        negative: from which value on it is a negative number, all bits of which exist.
    """

    bits: int
    negative: int = 0x10000


class CommandSet:
    """The commands of an instruction set.

    Args:
        one_word: commands of one word.
        two_words: those of two.
        parameter: of each command.

    Attributes:
        codes: lower half of a command's first word -> the command and its parameter.
    """

    def __init__(
        self,
        one_word: Iterable[IntEnum],
        two_words: Iterable[IntEnum],
        parameter: Callable[[IntEnum], Parameter],
    ) -> None:
        codes = {int(code): code for code in one_word}
        codes.update({int(code) | _TWO_WORDS: code for code in two_words})
        self.codes: Mapping[int, tuple[IntEnum, int, int]] = {
            number: (code, *parameter(code)) for number, code in codes.items()
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


def split(stream: NDArray[np.uint32], commands: CommandSet) -> Iterator[Command]:
    """Split a command stream (without the driver's payload header) into commands, up to its end.

    Raises:
        UnsupportedError: a command number that the instruction set does not have.
        StreamError: the stream ends inside a command.
    """
    words: list[int] = stream.tolist()
    codes, command = commands.codes, functools.partial(tuple.__new__, Command)  # as Command(), in half the time
    position = 0
    while position < len(words):
        word = words[position]
        offset = 4 * position
        parameter = word >> 16
        found = codes.get(word & 0xFFFF)
        if found is None:
            raise UnsupportedError(
                "unknown command",
                command=f"command {word & 0xFFFF:#06x}",
                offset=offset,
                parameters={"parameter": parameter},
            )
        known, bits, negative = found
        if parameter & ~bits and parameter < negative:
            raise StreamError(
                "the parameter has bits that do not exist",
                command=known.name,
                offset=offset,
                parameters={"parameter": hex(parameter)},
            )
        if not word & _TWO_WORDS:
            position += 1
            yield command((known, parameter, 0, offset))
            continue
        if position + 1 == len(words):
            raise StreamError("the stream ends inside this command", command=known.name, offset=offset)
        yield command((known, parameter, words[position + 1], offset))
        position += 2

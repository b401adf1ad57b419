"""As much of the Thumb instruction set as tells which addresses code makes by itself, or of distances in literals.

Source: Armv8-M Architecture Reference Manual, C2.4, encodings MOV (immediate) T2 and T3, MOVT T1, LDR (literal) T1
and T2, ADD (register) T2.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# Little-endian halfwords. A MOV or MOVT of 32 bits, anywhere: what is in the middle of another instruction is
# sorted out afterwards, which is seldom needed.
_MOVT = re.compile(rb"(?=[\xc0-\xcf][\xf2\xf6].[\x00-\x7f])", re.DOTALL)
_MOV = re.compile(rb"(?=[\x4f\x5f][\xf0\xf4].[\x00-\x7f])", re.DOTALL)
_ADD_PC = re.compile(rb"(?=[\x78-\x7f\xf8-\xff]\x44)")
_NEAR = 16
"""MOVW and MOVT of a pair stand at most so many instructions apart."""
_NEAR_BYTES = 64
"""The load of a distance and the addition of the program counter stand at most so many bytes apart."""


@dataclass(frozen=True)
class Immediate:
    """A value that code puts into a register.

    Attributes:
        offset: of the instruction in the code.
        low: lowest value that it may be.
        high: highest value that it may be: the same, but for a MOVT whose MOVW was not found.
    """

    offset: int
    low: int
    high: int


def immediates(code: bytes) -> Iterator[Immediate]:
    """The values above 16 bits that instructions put together, in code that begins with an instruction."""
    starts: list[int] | None = None
    for match in _MOV.finditer(code):
        value = _expanded(code, match.start())
        if value >> 16 and not match.start() % 2:
            starts = starts or list(_starts(code))
            if _is_start(starts, match.start()):
                yield Immediate(match.start(), value, value)
    for match in _MOVT.finditer(code):
        if match.start() % 2:
            continue
        starts = starts or list(_starts(code))
        if _is_start(starts, match.start()):
            yield _pair(code, starts, match.start())


def distances(code: bytes, address: int, matters: Callable[[int, int], bool]) -> Iterator[tuple[int, int]]:
    """The literals that code takes for distances: ``ldr r3, =target - base`` and, a little later, ``add r3, pc``.

    Args:
        code: begins with an instruction.
        address: of its first byte.
        matters: called with address of the literal and base; what does not matter is not looked at any further.

    Yields:
        Address of the literal, and base: what its value is added to.
    """
    starts: list[int] | None = None
    for match in _ADD_PC.finditer(code):
        add = match.start()
        register = (code[add] & 7) | (code[add] >> 4 & 8)
        if add % 2:
            continue
        base = address + add + 4
        loads = [
            (load, (address + load + 4 & ~3) + distance)
            for load in range(add - 2, max(add - _NEAR_BYTES, 0) - 1, -2)
            if (distance := _literal(code, load, register)) is not None
        ]
        if any(matters(literal, base) for _, literal in loads):
            starts = starts or list(_starts(code))
            # What looks like a load may be the half of another instruction; the nearest one that is none counts.
            real = next((literal for load, literal in loads if _is_start(starts, load)), None)
            if real is not None and _is_start(starts, add) and matters(real, base):
                yield real, base


def _literal(code: bytes, offset: int, register: int) -> int | None:
    """Distance of the literal that an instruction loads a register from; None for any other one."""
    first = _half(code, offset)
    if first >> 8 == 0x48 | register:
        return 4 * (first & 0xFF)
    if first & 0xFF7F == 0xF85F:
        second = _half(code, offset + 2)
        if second >> 12 == register:
            return second & 0xFFF if first & 0x80 else -(second & 0xFFF)
    return None


def _pair(code: bytes, starts: list[int], offset: int) -> Immediate:
    register, upper = _moved(code, offset)
    place = bisect_left(starts, offset)
    for before in reversed(starts[max(0, place - _NEAR) : place]):
        first = _half(code, before)
        if first & 0xFBF0 == 0xF240 and before + 4 <= len(code):
            other, lower = _moved(code, before)
            if other == register:
                return Immediate(offset, upper << 16 | lower, upper << 16 | lower)
    return Immediate(offset, upper << 16, upper << 16 | 0xFFFF)


def _moved(code: bytes, offset: int) -> tuple[int, int]:
    """Register and 16 bits of a MOVW or MOVT: imm4:i:imm3:imm8."""
    first, second = _half(code, offset), _half(code, offset + 2)
    value = (first & 0xF) << 12 | (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF
    return second >> 8 & 0xF, value


def _expanded(code: bytes, offset: int) -> int:
    """The immediate of MOV.W: 8 bits repeated or rotated (ThumbExpandImm)."""
    first, second = _half(code, offset), _half(code, offset + 2)
    how, byte = (first >> 10 & 1) << 3 | second >> 12 & 7, second & 0xFF
    if how < 4:
        return byte * (1, 0x00010001, 0x01000100, 0x01010101)[how]
    turn = how << 1 | byte >> 7
    value = 0x80 | byte
    return (value >> turn | value << 32 - turn) & 0xFFFFFFFF


def _starts(code: bytes) -> Iterator[int]:
    """Offsets of the instructions."""
    offset = 0
    while offset + 2 <= len(code):
        yield offset
        offset += 4 if code[offset + 1] >= 0xE8 else 2


def _is_start(starts: list[int], offset: int) -> bool:
    place = bisect_left(starts, offset)
    return place < len(starts) and starts[place] == offset


def _half(code: bytes, offset: int) -> int:
    return int.from_bytes(code[offset : offset + 2], "little")

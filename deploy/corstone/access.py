"""Decodes the load or store that the CPU stopped at, and what it does to the registers.

QEMU stops before the access with the program counter at the instruction, so the instruction is carried out here:
every integer load and store of Armv8.1-M (single, pair, multiple, acquire/release, with write-back). Not decoded:
vector and floating-point forms, exclusives (QEMU's monitor knows nothing of a load made here), and loads of the
program counter. Encodings: Armv8-M Architecture Reference Manual, part C2.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

_MASK = 0xFFFFFFFF
SP = 13
PC = 15
XPSR = 16
# ITSTATE[1:0] is xPSR[26:25] and ITSTATE[7:2] is xPSR[15:10] (Armv8-M Architecture Reference Manual, B3.5).
_XPSR_IT = 0x0600FC00


@dataclass(frozen=True)
class Instruction:
    """A decoded load or store.

    Attributes:
        length: bytes of the instruction.
        load: whether it reads memory.
        size: bytes of each access.
        registers: transferred registers in the order of their addresses.
        base: register that holds the address.
        displacement: added to the address of the first access.
        write_back: added to the base register afterwards; 0 for none.
        index: register added to the address, shifted left by ``index_shift``; None for none.
        index_shift: see there.
        signed: whether a loaded value is sign-extended.
    """

    length: int
    load: bool
    size: int
    registers: tuple[int, ...]
    base: int
    displacement: int = 0
    write_back: int = 0
    index: int | None = None
    index_shift: int = 0
    signed: bool = False

    def addresses(self, registers: Sequence[int]) -> list[int]:
        """The address of each access, given the CPU's registers."""
        base = registers[self.base]
        if self.base == PC:
            base = (base + 4) & ~3
        first = base + self.displacement
        if self.index is not None:
            first += registers[self.index] << self.index_shift
        return [(first + position * self.size) & _MASK for position in range(len(self.registers))]

    def loaded(self, value: int) -> int:
        """What a register holds after a load of ``value``."""
        bits = 8 * self.size
        value &= (1 << bits) - 1
        if self.signed and value >> (bits - 1):
            value -= 1 << bits
        return value & _MASK


def advanced_xpsr(xpsr: int) -> int:
    """The status register after one instruction of an IT block; unchanged outside of one."""
    state = (xpsr >> 25 & 3) | (xpsr >> 8 & 0xFC)
    if state & 0xF == 0:
        return xpsr
    # The mask moves up; the last instruction of the block ends it.
    state = 0 if state & 7 == 0 else (state & 0xE0) | (state << 1 & 0x1F)
    return (xpsr & ~_XPSR_IT) | (state & 3) << 25 | (state & 0xFC) << 8


@functools.lru_cache(maxsize=1024)
def decode(code: bytes) -> Instruction | None:
    """Decode the first instruction of ``code`` (4 bytes, Thumb); None if it is no load or store modelled here."""
    first = int.from_bytes(code[:2], "little")
    if first >> 11 < 0b11101:
        return _narrow(first)
    second = int.from_bytes(code[2:4], "little")
    if first >> 9 == 0b1111100:
        return _single(first, second)
    if first >> 9 == 0b1110100:
        return _pair_or_ordered(first, second) if first & 0x40 else _multiple(first, second)
    return None


def _narrow(code: int) -> Instruction | None:
    """The 16-bit encodings."""
    target, base, immediate = (code & 7,), code >> 3 & 7, code >> 6 & 31
    load = bool(code & 0x0800)
    match code >> 12:
        case 0b0100 if load:
            return Instruction(2, True, 4, (code >> 8 & 7,), PC, 4 * (code & 0xFF))
        case 0b0101:
            # STR STRH STRB LDRSB LDR LDRH LDRB LDRSH
            kind = code >> 9 & 7
            size, signed = (4, 2, 1, 1, 4, 2, 1, 2)[kind], kind in (3, 7)
            return Instruction(2, kind >= 3, size, target, base, index=code >> 6 & 7, signed=signed)
        case 0b0110:
            return Instruction(2, load, 4, target, base, 4 * immediate)
        case 0b0111:
            return Instruction(2, load, 1, target, base, immediate)
        case 0b1000:
            return Instruction(2, load, 2, target, base, 2 * immediate)
        case 0b1001:
            return Instruction(2, load, 4, (code >> 8 & 7,), SP, 4 * (code & 0xFF))
        case 0b1100:
            listed = _listed(code & 0xFF)
            base = code >> 8 & 7
            back = 0 if load and base in listed else 4 * len(listed)
            return Instruction(2, load, 4, listed, base, write_back=back) if listed else None
    return None


def _single(first: int, second: int) -> Instruction | None:
    """LDR, LDRB, LDRH, LDRSB, LDRSH, STR, STRB, STRH and their unprivileged forms, 32-bit encodings."""
    load, signed, width = bool(first & 0x10), bool(first & 0x100), first >> 5 & 3
    base, target = first & 15, second >> 12
    # Loads of the program counter are branches or hints; there is no signed word, and no signed store.
    if target == PC or width == 3 or (signed and (not load or width == 2)):
        return None
    plain = Instruction(4, load, 1 << width, (target,), base, signed=signed)
    if base == PC:
        offset = second & 0xFFF if first & 0x80 else -(second & 0xFFF)
        return replace(plain, displacement=offset) if load else None
    if first & 0x80:
        return replace(plain, displacement=second & 0xFFF)
    if second & 0x0FC0 == 0:
        return replace(plain, index=second & 15, index_shift=second >> 4 & 3)
    if not second & 0x0800:
        return None
    offset = second & 0xFF if second & 0x200 else -(second & 0xFF)
    before, back = second & 0x400, second & 0x100
    if not before and not back:
        return None
    return replace(plain, displacement=offset if before else 0, write_back=offset if back else 0)


def _pair_or_ordered(first: int, second: int) -> Instruction | None:
    """LDRD and STRD; LDA and STL with their byte and halfword forms."""
    load, base, before, back = bool(first & 0x10), first & 15, first & 0x100, first & 0x20
    if not before and not back:
        width = {0xF8F: 1, 0xF9F: 2, 0xFAF: 4}.get(second & 0xFFF)
        ordered = first & 0x80 and width is not None and second >> 12 != PC
        return Instruction(4, load, width, (second >> 12,), base) if ordered and width else None
    targets = (second >> 12, second >> 8 & 15)
    if PC in targets or (base == PC and (back or not load)):
        return None
    offset = 4 * (second & 0xFF) * (1 if first & 0x80 else -1)
    return Instruction(4, load, 4, targets, base, offset if before else 0, offset if back else 0)


def _multiple(first: int, second: int) -> Instruction | None:
    """LDM, LDMDB, STM and STMDB, 32-bit encodings."""
    load, base, back, listed = bool(first & 0x10), first & 15, first & 0x20, _listed(second)
    mode = first >> 7 & 3
    if mode in (0, 3) or base == PC or PC in listed or SP in listed or not listed:
        return None
    size = 4 * len(listed) * (-1 if mode == 2 else 1)
    keeps = not back or (load and base in listed)
    return Instruction(4, load, 4, listed, base, min(size, 0), 0 if keeps else size)


def _listed(bits: int) -> tuple[int, ...]:
    return tuple(number for number in range(16) if bits >> number & 1)

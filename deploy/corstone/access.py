"""Carries out the load or store in a register window, the NPU's or another, that the CPU stopped at.

QEMU stops before the access with the program counter at the instruction, so the instruction is carried out here:
every integer load and store of Armv8.1-M (single, pair, multiple, acquire/release, with write-back). Reported as
not decoded: vector and floating-point forms, and exclusives (QEMU's monitor knows nothing of a load made here).

Capstone decodes. It takes 40 ms to load (measured), and a driver reads and writes nearly all registers with one of
three encodings of LDR and STR; so these are decoded here, and most simulations do without it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Protocol

_MASK = 0xFFFFFFFF
_SP = 13
PC = 15
XPSR = 16
# ITSTATE[1:0] is xPSR[26:25] and ITSTATE[7:2] is xPSR[15:10] (Armv8-M Architecture Reference Manual, B3.5).
XPSR_IT = 0x0600FC00

_SUFFIXES = {"b": (1, False), "h": (2, False), "sb": (1, True), "sh": (2, True), "": (4, False)}
_LOADS = {
    f"ldr{suffix}{user}": _SUFFIXES[suffix] for suffix in ("", "b", "h", "sb", "sh") for user in ("", "t")
} | {f"lda{suffix}": _SUFFIXES[suffix] for suffix in ("", "b", "h")}
_STORES = {f"str{suffix}{user}": _SUFFIXES[suffix] for suffix in ("", "b", "h") for user in ("", "t")} | {
    f"stl{suffix}": _SUFFIXES[suffix] for suffix in ("", "b", "h")
}


class ReadRegisters(Protocol):
    """r0 to r15 and what follows, by number: each a number, or an array of what it holds in turn."""

    def __getitem__(self, number: int, /) -> Any:
        """What a register holds."""


class Registers(ReadRegisters, Protocol):
    """The same, where they change."""

    def __setitem__(self, number: int, value: Any, /) -> None:
        """Change it."""


@dataclass(frozen=True)
class Instruction:
    """A decoded load or store.

    Attributes:
        length: bytes of the instruction.
        load: whether it reads memory.
        size: bytes of each access.
        signed: whether a loaded value is sign-extended.
        registers: transferred registers in the order of their addresses.
        base: register that holds the address.
        index: register added to it, shifted left by ``index_shift``; None for none.
        displacement: added to the address of the first access.
        write_back: added to the base register afterwards; 0 for none.
    """

    mnemonic: str
    length: int
    load: bool
    size: int
    signed: bool
    registers: tuple[int, ...]
    base: int
    index: int | None = None
    index_shift: int = 0
    displacement: int = 0
    write_back: int = 0

    def addresses(self, registers: ReadRegisters) -> list[Any]:
        """The address of each access, given the CPU's registers."""
        first = registers[self.base] + self.displacement
        if self.base == PC:
            first = ((registers[PC] + 4) & ~3) + self.displacement
        if self.index is not None:
            first += registers[self.index] << self.index_shift
        return [(first + position * self.size) & _MASK for position in range(len(self.registers))]

    def loaded(self, value: Any) -> Any:
        """What a register holds after a load of ``value``."""
        bits = 8 * self.size
        sign = int(self.signed) << (bits - 1)
        return (((value & ((1 << bits) - 1)) ^ sign) - sign) & _MASK


def pass_over(instruction: Instruction, registers: Registers, base: Any) -> None:
    """Write back the base register, which was ``base`` before the access, and go on behind the instruction."""
    if instruction.write_back:
        registers[instruction.base] = (base + instruction.write_back) & _MASK
    registers[PC] = registers[PC] + instruction.length


def advanced_xpsr(xpsr: int) -> int:
    """The status register after one instruction of an IT block; unchanged outside of one."""
    state = (xpsr >> 25 & 3) | (xpsr >> 8 & 0xFC)
    if state & 0xF == 0:
        return xpsr
    # The mask moves up; the last instruction of the block ends it.
    state = 0 if state & 7 == 0 else (state & 0xE0) | (state << 1 & 0x1F)
    return (xpsr & ~XPSR_IT) | (state & 3) << 25 | (state & 0xFC) << 8


def may_access(code: bytes) -> bool:
    """Whether an instruction (its first halfword is enough) may read or write memory.

    Armv8-M Architecture Reference Manual, C2.2 and C2.3.
    """
    first = int.from_bytes(code[:2], "little")
    group = first >> 9 & 3
    if first >> 11 in (0b11101, 0b11111):  # of 32 bits: load and store, data processing, coprocessors
        return group != 1
    if first >> 12 == 0b1011:
        return group == 2  # PUSH, POP
    return first >> 12 in range(0b0101, 0b1010) or first >> 12 == 0b1100 or first >> 11 == 0b01001


@functools.lru_cache(maxsize=1024)
def decode(code: bytes) -> Instruction | None:
    """Decode the first instruction of ``code`` (2 or 4 bytes, Thumb); None if it is no integer load or store."""
    return _plain_word(code) or disassembled(code)


def _plain_word(code: bytes) -> Instruction | None:
    """LDR or STR of a word in one of three encodings; None for everything else.

    Armv8-M Architecture Reference Manual, C2.4, LDR and STR: (immediate) T1 and T3, (register) T2.
    """
    first, second = int.from_bytes(code[:2], "little"), int.from_bytes(code[2:4], "little")
    base, value, index = first & 0xF, second >> 12, second & 0xF
    if first >> 12 == 0b0110:
        load, displacement = bool(first & 1 << 11), (first >> 6 & 0x1F) * 4
        return _word(2, load, value=first & 7, base=first >> 3 & 7, displacement=displacement)
    load = bool(first & 1 << 4)
    if len(code) < 4 or PC in (base, value):
        return None
    if first & 0xFFE0 == 0xF8C0:
        return _word(4, load, value=value, base=base, displacement=second & 0xFFF)
    if first & 0xFFE0 == 0xF840 and second & 0xFC0 == 0 and index not in (_SP, PC):
        return _word(4, load, value=value, base=base, index=index, index_shift=second >> 4 & 3)
    return None


def _word(length: int, load: bool, *, value: int, base: int, **offset: int) -> Instruction:
    return Instruction("ldr" if load else "str", length, load, 4, False, (value,), base, **offset)


def disassembled(code: bytes) -> Instruction | None:
    """What Capstone makes of the first instruction; as :func:`decode`."""
    decoded = next(disassembler().disasm(code, 0, count=1), None)
    return None if decoded is None else _translate(decoded)


@functools.cache
def disassembler():  # type: ignore[no-untyped-def]
    """Capstone's, for Armv8-M, with details."""
    import capstone

    disassembler = capstone.Cs(
        capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8
    )
    disassembler.detail = True
    return disassembler


def _translate(decoded) -> Instruction | None:  # type: ignore[no-untyped-def]
    from capstone import arm

    name = decoded.mnemonic.split(".")[0]
    numbers = register_numbers()
    operands = decoded.operands
    operand_registers = [op.reg for op in operands if op.type == arm.ARM_OP_REG]
    if not all(register in numbers for register in operand_registers):
        return None
    leading = [numbers[register] for register in operand_registers]
    if name in ("ldm", "stm", "ldmdb", "stmdb", "ldmea", "stmfd"):
        base, *transferred = leading
        down = 4 * len(transferred) if name.endswith(("db", "ea", "fd")) else 0
        amount = (-down or 4 * len(transferred)) if decoded.writeback else 0
        if name.startswith("ldm") and base in transferred:
            amount = 0
        load = name.startswith("ldm")
        return Instruction(name, decoded.size, load, 4, False, tuple(transferred), base, None, 0, -down, amount)
    place = next((op for op in operands if op.type == arm.ARM_OP_MEM), None)
    if place is None or place.mem.base not in numbers:
        return None
    if name in ("ldrd", "strd"):
        size, signed, load = 4, False, name == "ldrd"
    elif name in _LOADS:
        (size, signed), load = _LOADS[name], True
    elif name in _STORES:
        (size, signed), load = _STORES[name], False
    else:
        return None
    displacement, amount = place.mem.disp, 0
    if decoded.writeback:
        after = next((op.imm for op in operands if op.type == arm.ARM_OP_IMM), None)
        displacement, amount = (displacement, displacement) if after is None else (0, after)
    index = numbers.get(place.mem.index) if place.mem.index else None
    return Instruction(
        name,
        decoded.size,
        load,
        size,
        signed,
        tuple(leading),
        numbers[place.mem.base],
        index,
        place.shift.value if index is not None else 0,
        displacement,
        amount,
    )


@functools.cache
def register_numbers() -> dict[int, int]:
    """Capstone's register constants to the architecture's numbers."""
    from capstone import arm

    names = [*(f"R{number}" for number in range(13)), "SP", "LR", "PC"]
    return {getattr(arm, f"ARM_REG_{name}"): number for number, name in enumerate(names)}

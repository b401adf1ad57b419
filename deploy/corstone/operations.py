"""Instructions that reach no memory: arithmetic, logic, comparisons, moves and branches, as loops of stores have.

Armv8-M Architecture Reference Manual, C2.4. They are carried out on numbers, and on arrays of what the registers
hold in turn (:mod:`deploy.corstone.loops`), so all of it is arithmetic.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from deploy.corstone.access import PC, XPSR, Instruction, Registers, disassembler, register_numbers

LR = 14
FLAGS = XPSR + 1
"""Number of a register of its own for the condition flags, with each where it is in xPSR."""
_MASK = 0xFFFFFFFF
_NEGATIVE, _ZERO, _CARRY, _OVERFLOW = 1 << 31, 1 << 30, 1 << 29, 1 << 28
ALL_FLAGS = _NEGATIVE | _ZERO | _CARRY | _OVERFLOW
_KINDS = {"add": "add", "addw": "add", "sub": "sub", "subw": "sub", "cmp": "cmp", "mov": "mov", "movw": "mov"}
_LOGIC: dict[str, Callable[[Any, Any], Any]] = {
    "and": lambda first, second: first & second,
    "tst": lambda first, second: first & second,
    "orr": lambda first, second: first | second,
    "eor": lambda first, second: first ^ second,
    "bic": lambda first, second: first & ~second,
}
_KINDS |= {name: name for name in _LOGIC}
_EXTENSIONS = {"uxtb": 0xFF, "uxth": 0xFFFF}
_COMPARISONS = ("cmp", "tst")
_CONDITIONS: dict[str, Callable[[Any], Any]] = {
    "eq": lambda flags: flags & _ZERO != 0,
    "ne": lambda flags: flags & _ZERO == 0,
    "hs": lambda flags: flags & _CARRY != 0,
    "lo": lambda flags: flags & _CARRY == 0,
    "mi": lambda flags: flags & _NEGATIVE != 0,
    "pl": lambda flags: flags & _NEGATIVE == 0,
    "vs": lambda flags: flags & _OVERFLOW != 0,
    "vc": lambda flags: flags & _OVERFLOW == 0,
    "hi": lambda flags: flags & (_CARRY | _ZERO) == _CARRY,
    "ls": lambda flags: flags & (_CARRY | _ZERO) != _CARRY,
    "ge": lambda flags: flags >> 31 == flags >> 28 & 1,
    "lt": lambda flags: flags >> 31 != flags >> 28 & 1,
    "gt": lambda flags: (flags & _ZERO == 0) & (flags >> 31 == flags >> 28 & 1),
    "le": lambda flags: (flags & _ZERO != 0) | (flags >> 31 != flags >> 28 & 1),
}


@dataclass(frozen=True)
class Operation:
    """An instruction that reaches no memory.

    Attributes:
        kind: ``add``, ``sub``, ``cmp``, ``mov``, ``b``, ``cbz``, ``cbnz``, ``le``, or one of ``_LOGIC``.
        length: bytes of the instruction.
        target: register of the result.
        first: register of the first operand.
        second: register of the second operand; None for ``value``.
        value: the second operand, or how far a branch leads from the instruction.
        flags: whether the condition flags are set.
        condition: of a branch; empty for none.
    """

    kind: str
    length: int
    target: int = 0
    first: int = 0
    second: int | None = None
    value: int = 0
    flags: bool = False
    condition: str = ""

    def carry_out(self, registers: Registers) -> Any:
        """Change r0 to r14 and the flags as the instruction does, the program counter not.

        Returns:
            Whether it is a branch that is taken.
        """
        if self.kind == "b":
            return not self.condition or _CONDITIONS[self.condition](registers[FLAGS])
        if self.kind == "le":
            taken = registers[LR] > 1
            registers[LR] = registers[LR] - taken
            return taken
        if self.kind in ("cbz", "cbnz"):
            return (registers[self.first] == 0) == (self.kind == "cbz")
        second = self.value if self.second is None else registers[self.second]
        if self.kind == "mov":
            result, carries = second, None
        elif self.kind in _LOGIC:
            result, carries = _LOGIC[self.kind](registers[self.first], second), None
        elif self.kind == "add":
            result, carries = _added(registers[self.first], second, 0)
        else:
            result, carries = _added(registers[self.first], ~second & _MASK, 1)
        if self.kind not in _COMPARISONS:
            registers[self.target] = result
        if self.flags:
            if carries is None:
                carries = registers[FLAGS] & (_CARRY | _OVERFLOW)
            registers[FLAGS] = result & _NEGATIVE | (result == 0) * _ZERO | carries
        return False

    def next_place(self, place: int, taken: bool) -> int:
        """Where the CPU goes on behind the instruction at a place."""
        return (place + (self.value if taken else self.length)) & _MASK


class Step(NamedTuple):
    """An instruction that was carried out.

    Attributes:
        place: its address.
        instruction: what lies there.
        taken: whether it is a branch that was taken.
    """

    place: int
    instruction: Operation | Instruction
    taken: bool


def _added(first: Any, second: Any, carry: int) -> tuple[Any, Any]:
    """The sum of two words and a carry; with the carry and overflow flags."""
    whole = first + second + carry
    result = whole & _MASK
    overflow = (first ^ result) & (second ^ result) & _NEGATIVE
    return result, (whole >> 32) * _CARRY | overflow >> 3


@functools.lru_cache(maxsize=1024)
def operation(code: bytes) -> Operation | None:
    """Decode the first instruction of ``code`` (2 or 4 bytes, Thumb); None for one that is left to the CPU."""
    from capstone import arm

    # LE LR (encoding T1), which Capstone does not know.
    label = int.from_bytes(code[2:4], "little")
    if code[:2] == b"\x0f\xf0" and label & 0xF001 == 0xC001:
        return Operation("le", 4, value=4 - ((label & 0x7FE) << 1 | (label >> 11 & 1) << 1))
    decoded = next(disassembler().disasm(code, 0, count=1), None)
    if decoded is None:
        return None
    numbers, operands = register_numbers(), decoded.operands
    if any(each.shift.type for each in operands) or not all(
        each.type == arm.ARM_OP_IMM or (each.type == arm.ARM_OP_REG and each.reg in numbers) for each in operands
    ):
        return None
    registers = [numbers[each.reg] for each in operands if each.type == arm.ARM_OP_REG]
    values = [each.imm for each in operands if each.type == arm.ARM_OP_IMM]
    name, length = decoded.mnemonic.split(".")[0], decoded.size
    if PC in registers:
        return None
    if name[:1] == "b" and name[1:] in ("", *_CONDITIONS) and len(values) == 1 and not registers:
        return Operation("b", length, value=values[0], condition=name[1:])
    if name in ("cbz", "cbnz"):
        return Operation(name, length, first=registers[0], value=values[0])
    if name in _EXTENSIONS and len(registers) == 2 and not values:
        return Operation("and", length, registers[0], registers[1], value=_EXTENSIONS[name])
    flags = name in _COMPARISONS or (name.endswith("s") and bool(decoded.update_flags))
    kind = _KINDS.get(name if name in _COMPARISONS else name.removesuffix("s"))
    if kind is None or len(values) > 1 or len(registers) + len(values) not in (2, 3):
        return None
    if kind == "mov" and flags and not values:
        return None  # a shift
    if flags and (kind == "mov" or kind in _LOGIC) and values and not 0 <= values[0] < 256:
        return None  # a constant that sets the carry flag
    second = None if values else registers[-1]
    sources = registers if values else registers[:-1]
    return Operation(
        kind,
        length,
        registers[0],
        sources[-1] if sources else 0,
        second,
        (values or [0])[0] & _MASK,
        flags,
    )

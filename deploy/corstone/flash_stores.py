"""Stores to memory that QEMU keeps the CPU from writing, where every one of them stops the CPU.

To erase a sector of flash memory is a loop of ten thousands of stores. So what such loops do between two stores,
in the forms that compilers give memset and memcpy, is carried out here, too: loads from other memory, arithmetic,
logic, comparisons, moves and branches (Armv8-M Architecture Reference Manual, C2.4). With everything else, and
after some thousand instructions, since an interrupt may wait, the CPU goes on itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, MutableSequence, Sequence
from dataclasses import dataclass

from deploy.corstone.access import (
    PC,
    XPSR,
    XPSR_IT,
    Instruction,
    advanced_xpsr,
    decode,
    disassembler,
    register_numbers,
)
from deploy.corstone.core_clock import CoreClock
from deploy.corstone.memory import GuestMemory
from deploy.errors import TargetError

_LONGEST = 16384
LR = 14
_MASK = 0xFFFFFFFF
_NEGATIVE, _ZERO, _CARRY, _OVERFLOW = 1 << 31, 1 << 30, 1 << 29, 1 << 28
_KINDS = {"add": "add", "addw": "add", "sub": "sub", "subw": "sub", "cmp": "cmp", "mov": "mov", "movw": "mov"}
_LOGIC: dict[str, Callable[[int, int], int]] = {
    "and": lambda first, second: first & second,
    "tst": lambda first, second: first & second,
    "orr": lambda first, second: first | second,
    "eor": lambda first, second: first ^ second,
    "bic": lambda first, second: first & ~second,
}
_KINDS |= {name: name for name in _LOGIC}
_COMPARISONS = ("cmp", "tst")
_CONDITIONS: dict[str, Callable[[int], bool]] = {
    "eq": lambda flags: bool(flags & _ZERO),
    "ne": lambda flags: not flags & _ZERO,
    "hs": lambda flags: bool(flags & _CARRY),
    "lo": lambda flags: not flags & _CARRY,
    "mi": lambda flags: bool(flags & _NEGATIVE),
    "pl": lambda flags: not flags & _NEGATIVE,
    "vs": lambda flags: bool(flags & _OVERFLOW),
    "vc": lambda flags: not flags & _OVERFLOW,
    "hi": lambda flags: bool(flags & _CARRY) and not flags & _ZERO,
    "ls": lambda flags: not flags & _CARRY or bool(flags & _ZERO),
    "ge": lambda flags: bool(flags & _NEGATIVE) == bool(flags & _OVERFLOW),
    "lt": lambda flags: bool(flags & _NEGATIVE) != bool(flags & _OVERFLOW),
    "gt": lambda flags: not flags & _ZERO and bool(flags & _NEGATIVE) == bool(flags & _OVERFLOW),
    "le": lambda flags: bool(flags & _ZERO) or bool(flags & _NEGATIVE) != bool(flags & _OVERFLOW),
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

    def carry_out(self, registers: MutableSequence[int]) -> None:
        """Change r0 to r15 and xPSR as the instruction does."""
        after = registers[PC] + self.length
        second = self.value if self.second is None else registers[self.second]
        if self.kind == "b":
            taken = not self.condition or _CONDITIONS[self.condition](registers[XPSR])
        elif self.kind == "le":
            taken = registers[LR] > 1
            registers[LR] -= taken
        elif self.kind in ("cbz", "cbnz"):
            taken = (registers[self.first] == 0) == (self.kind == "cbz")
        else:
            taken = False
            if self.kind == "mov":
                result, carries = second, None
            elif self.kind in _LOGIC:
                result, carries = _LOGIC[self.kind](registers[self.first], second), None
            elif self.kind == "add":
                result, carries = added(registers[self.first], second, 0)
            else:
                result, carries = added(registers[self.first], ~second & _MASK, 1)
            if self.kind not in _COMPARISONS:
                registers[self.target] = result
            if self.flags:
                registers[XPSR] = _with_flags(registers[XPSR], result, carries)
        registers[PC] = (registers[PC] + self.value if taken else after) & _MASK


def added(first: int, second: int, carry: int) -> tuple[int, int]:
    """The sum of two words and a carry; with the carry and overflow flags."""
    whole = first + second + carry
    result = whole & _MASK
    overflow = (first ^ result) & (second ^ result) & _NEGATIVE
    return result, (_CARRY if whole > _MASK else 0) | (_OVERFLOW if overflow else 0)


def _with_flags(xpsr: int, result: int, carries: int | None) -> int:
    kept = ~(_NEGATIVE | _ZERO | (0 if carries is None else _CARRY | _OVERFLOW))
    return xpsr & kept | result & _NEGATIVE | (0 if result else _ZERO) | (carries or 0)


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


class FlashStores:
    """Carries out stores to such memory.

    Args:
        windows: address and bytes of each alias.
        memory: the machine's.
        clock: counts what is carried out here besides the first store.
        carries_on: whether the loop around a store is carried out, too; not where a debugger may wait in it.
    """

    def __init__(
        self, windows: Sequence[tuple[int, int]], memory: GuestMemory, clock: CoreClock, *, carries_on: bool
    ) -> None:
        self._windows = windows
        self._memory = memory
        self._clock = clock
        self._longest = _LONGEST if carries_on else 0
        self._pending: tuple[int, bytearray] = (0, bytearray())

    def covers(self, address: int) -> bool:
        """Whether an address is in such memory."""
        return any(base <= address < base + size for base, size in self._windows)

    def execute(self, instruction: Instruction, registers: Sequence[int]) -> dict[int, int]:
        """Carry out a store, and what follows; the registers that changed, always with the program counter.

        Raises:
            TargetError: the store leaves the memory.
        """
        state = list(registers)
        if not self._store(instruction, state):
            raise TargetError(f"a store to flash memory at 0x{registers[PC]:08x} leaves it")
        state[XPSR] = advanced_xpsr(state[XPSR])
        if not state[XPSR] & XPSR_IT:
            self._clock.served += self._carry_on(state)
        self._flush()
        changed = {number: value for number, value in enumerate(state) if value != registers[number]}
        return changed | {PC: state[PC]}

    def _carry_on(self, state: list[int]) -> int:
        known: dict[int, Operation | Instruction | None] = {}
        for count in range(self._longest):
            place = state[PC]
            if place not in known:
                code = self._memory.read(place, 4)
                known[place] = operation(code) or decode(code)
            step = known[place]
            if isinstance(step, Operation):
                step.carry_out(state)
            elif step is None or not (self._load if step.load else self._store)(step, state):
                return count
        return self._longest

    def _store(self, instruction: Instruction, state: list[int]) -> bool:
        addresses = instruction.addresses(state)
        if not all(map(self.covers, addresses)):
            return False
        content = b"".join(
            state[number].to_bytes(4, "little")[: instruction.size] for number in instruction.registers
        )
        start, pending = self._pending
        if start + len(pending) != addresses[0]:
            self._flush()
            self._pending = (addresses[0], bytearray())
        self._pending[1].extend(content)
        _pass(instruction, state)
        return True

    def _load(self, instruction: Instruction, state: list[int]) -> bool:
        addresses = instruction.addresses(state)
        found = self._memory.plain(addresses[0], instruction.size * len(addresses))
        if found is None or PC in instruction.registers:
            return False
        base = state[instruction.base]
        for position, number in enumerate(instruction.registers):
            raw = found[position * instruction.size : (position + 1) * instruction.size]
            state[number] = instruction.loaded(int.from_bytes(raw, "little"))
        _pass(instruction, state, base)
        return True

    def _flush(self) -> None:
        start, pending = self._pending
        if pending:
            self._memory.store(start, bytes(pending))
        self._pending = (0, bytearray())


def _pass(instruction: Instruction, state: list[int], base: int | None = None) -> None:
    """Write back the base register, and go on behind the instruction."""
    if instruction.write_back:
        state[instruction.base] = (
            (state[instruction.base] if base is None else base) + instruction.write_back
        ) & _MASK
    state[PC] += instruction.length

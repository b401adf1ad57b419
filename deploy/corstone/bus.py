"""Registers that are answered here instead of by QEMU: windows with devices, and the bus that finds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from deploy.corstone.access import PC, XPSR, Instruction, advanced_xpsr, decode
from deploy.errors import TargetError


class Device(Protocol):
    """Registers of 32 bits, by offset (a multiple of 4)."""

    def read(self, offset: int) -> int:
        """What a register holds."""

    def write(self, offset: int, value: int) -> None:
        """Write a register."""


@dataclass(frozen=True)
class Window:
    """Where the CPU finds a device's registers.

    Attributes:
        owner: whose they are, in words.
        bases: addresses of the first one.
        size: bytes.
    """

    owner: str
    bases: tuple[int, ...]
    size: int
    device: Device

    def offset(self, address: int) -> int | None:
        """Offset of an address in the window; None outside."""
        return next((address - base for base in self.bases if base <= address < base + self.size), None)


class StoredWords:
    """A device that is nothing but words: some fixed, the others as they were written, 0 at first.

    Args:
        fixed: offset -> what it reads.
        kept: whether the others keep what is written; else they always read 0.
    """

    def __init__(self, fixed: Mapping[int, int], *, kept: bool = True) -> None:
        self._fixed = fixed
        self._kept = kept
        self._stored: dict[int, int] = {}

    def read(self, offset: int) -> int:
        """What a word holds."""
        return self._fixed.get(offset, self._stored.get(offset, 0))

    def write(self, offset: int, value: int) -> None:
        """Write a word; to a fixed one without effect."""
        if self._kept:
            self._stored[offset] = value


class Executor(Protocol):
    """What carries out accesses in its own way."""

    def covers(self, address: int) -> bool:
        """Whether one there is its own."""

    def execute(self, instruction: Instruction, registers: Sequence[int]) -> dict[int, int]:
        """As :meth:`RegisterBus.execute`, for an access there."""


class RegisterBus:
    """Emulates the instructions that touch the windows.

    Args:
        code: fetches them: four bytes at an address.
        executors: each carries out those to places of its own.
    """

    def __init__(
        self, windows: Sequence[Window], code: Callable[[int], bytes], executors: Sequence[Executor] = ()
    ) -> None:
        self._windows = windows
        self._code = code
        self._executors = executors

    def execute(self, registers: Sequence[int]) -> dict[int, int]:
        """Carry out the instruction that the CPU stopped at with r0 to r15 and xPSR.

        Returns:
            The registers that are to change, by number; without the program counter where the CPU has gone on.

        Raises:
            TargetError: an instruction that is not modelled for device registers.
        """
        code = self._code(registers[PC])
        instruction = decode(code)
        if instruction is None:
            raise TargetError(
                f"the instruction at 0x{registers[PC]:08x} (bytes {code.hex()}) reaches registers or flash memory "
                "in a way that is not modelled: only integer loads and stores are"
            )
        places = instruction.addresses(registers)
        for each in self._executors:
            if any(map(each.covers, places)):
                return each.execute(instruction, registers)
        changed = self._transfer(instruction, registers)
        changed[PC] = registers[PC] + instruction.length
        status = advanced_xpsr(registers[XPSR])
        if status != registers[XPSR]:
            changed[XPSR] = status
        return changed

    def _transfer(self, instruction: Instruction, registers: Sequence[int]) -> dict[int, int]:
        changed: dict[int, int] = {}
        addresses = instruction.addresses(registers)
        window = self._window(addresses[0])
        for number, address in zip(instruction.registers, addresses, strict=True):
            offset = window.offset(address)
            if offset is None:
                raise TargetError(
                    f"an access that began in {window.owner}'s registers leaves them at 0x{address:08x}"
                )
            if instruction.load:
                changed[number] = instruction.loaded(_load(window.device, offset))
            else:
                _store(window.device, offset, instruction.size, registers[number])
        if instruction.write_back:
            changed[instruction.base] = (registers[instruction.base] + instruction.write_back) & 0xFFFFFFFF
        return changed

    def _window(self, address: int) -> Window:
        for window in self._windows:
            if window.offset(address) is not None:
                return window
        raise TargetError(f"the CPU stopped at an access to 0x{address:08x}, which is not watched")


def _load(device: Device, offset: int) -> int:
    return device.read(offset & ~3) >> (8 * (offset & 3))


def _store(device: Device, offset: int, size: int, value: int) -> None:
    if size == 4:
        device.write(offset & ~3, value)
        return
    shift = 8 * (offset & 3)
    mask = ((1 << 8 * size) - 1) << shift
    whole = (device.read(offset & ~3) & ~mask) | (value << shift & mask)
    device.write(offset & ~3, whole & 0xFFFFFFFF)

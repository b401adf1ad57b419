"""Carries out the CPU's loads and stores in the NPU's register window, one stop of the CPU at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from deploy.corstone import memory_map
from deploy.corstone.access import PC, XPSR, Instruction, advanced_xpsr, decode
from deploy.errors import TargetError

if TYPE_CHECKING:
    from deploy.npu.registers import RegisterFile


class RegisterBus:
    """Emulates the instructions that touch the window.

    Args:
        device: the NPU's register file.
        read_memory: reads the CPU's memory (address, size), to fetch the instruction.
    """

    def __init__(self, device: RegisterFile, read_memory: Callable[[int, int], bytes]) -> None:
        self._device = device
        self._read_memory = read_memory
        self.accesses = 0

    def execute(self, registers: Sequence[int]) -> dict[int, int]:
        """Carry out the instruction that the CPU stopped at.

        Args:
            registers: r0 to r15 and xPSR.

        Returns:
            The registers that changed, by number; always with the program counter.

        Raises:
            TargetError: an instruction that is not modelled for device registers.
        """
        code = self._read_memory(registers[PC], 4)
        instruction = decode(code)
        if instruction is None:
            raise TargetError(
                f"the instruction at 0x{registers[PC]:08x} (bytes {code.hex()}) reaches the NPU's registers "
                "in a way that is not modelled: only integer loads and stores are"
            )
        changed = self._transfer(instruction, registers)
        changed[PC] = registers[PC] + instruction.length
        status = advanced_xpsr(registers[XPSR])
        if status != registers[XPSR]:
            changed[XPSR] = status
        return changed

    def _transfer(self, instruction: Instruction, registers: Sequence[int]) -> dict[int, int]:
        changed: dict[int, int] = {}
        for number, address in zip(instruction.registers, instruction.addresses(registers), strict=True):
            self.accesses += 1
            if instruction.load:
                changed[number] = instruction.loaded(self._load(address, instruction))
            else:
                self._store(address, instruction.size, registers[number])
        if instruction.write_back:
            changed[instruction.base] = (registers[instruction.base] + instruction.write_back) & 0xFFFFFFFF
        return changed

    def _load(self, address: int, instruction: Instruction) -> int:
        offset = _window_offset(address)
        return self._device.read(offset & ~3) >> (8 * (offset & 3))

    def _store(self, address: int, size: int, value: int) -> None:
        offset = _window_offset(address)
        if size == 4:
            self._device.write(offset & ~3, value)
            return
        shift = 8 * (offset & 3)
        mask = ((1 << 8 * size) - 1) << shift
        whole = (self._device.read(offset & ~3) & ~mask) | (value << shift & mask)
        self._device.write(offset & ~3, whole & 0xFFFFFFFF)


def _window_offset(address: int) -> int:
    for window in memory_map.NPU_WINDOWS:
        if window <= address < window + memory_map.NPU_WINDOW_SIZE:
            return address - window
    raise TargetError(f"an access that began in the NPU's registers leaves them at 0x{address:08x}")

"""A register of QEMU's own that stores reach without some bits, where QEMU would do what no board does."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.corstone.access import PC, Instruction
from deploy.corstone.cpu import Cpu


class WithheldBits:
    """Carries out stores to one word.

    Args:
        place: address and bytes of the word, which the CPU stops at before it is written.
        bits: those that stay what they are.
        cpu: that stores.
    """

    def __init__(self, place: tuple[int, int], bits: int, cpu: Cpu) -> None:
        self._place = place
        self._bits = bits
        self._cpu = cpu

    def covers(self, address: int) -> bool:
        """Whether an address is in the word."""
        return 0 <= address - self._place[0] < self._place[1]

    def execute(self, instruction: Instruction, registers: Sequence[int]) -> dict[int, int]:
        """Have the CPU carry out the store with registers that lack the bits; those that differ afterwards.

        Raises:
            TargetError: QEMU does not.
        """
        lacking = {}
        for number, address in zip(instruction.registers, instruction.addresses(registers), strict=True):
            if self.covers(address):
                bits = self._bits >> 8 * (address - self._place[0])
                lacking[number] = registers[number] & ~bits
        self._cpu.write(lacking)
        self._cpu.pass_access((), writes=[self._place])
        return {number: registers[number] for number in lacking} | {PC: self._cpu.registers()[PC]}

"""Stores to memory that QEMU keeps the CPU from writing, where every one of them stops the CPU.

To erase a sector of flash memory is a loop of ten thousands of stores. So what such loops do between two stores,
in the forms that compilers give memset and memcpy, is carried out here, too: loads from other memory, and what
:mod:`deploy.corstone.operations` knows. With everything else, and after some thousand instructions, since an
interrupt may wait, the CPU goes on itself.
"""

from __future__ import annotations

from collections.abc import Callable, MutableSequence, Sequence

from deploy.corstone.access import PC, XPSR, XPSR_IT, Instruction, advanced_xpsr, decode, pass_over
from deploy.corstone.core_clock import CoreClock
from deploy.corstone.loops import run_loop
from deploy.corstone.memory import GuestMemory
from deploy.corstone.operations import ALL_FLAGS, Operation, Step, operation
from deploy.errors import TargetError

_LONGEST = 16384
_WORTH = 128
"""Instructions: to go through a loop many times at once takes as long as these do one by one (measured)."""


class FlashStores:
    """Carries out stores to such memory.

    Args:
        windows: address and bytes of each alias.
        memory: the machine's.
        code: four bytes of code at an address.
        clock: counts what is carried out here besides the first store.
        carries_on: whether the loop around a store is carried out, too; not where a debugger may wait in it.
    """

    def __init__(
        self,
        windows: Sequence[tuple[int, int]],
        memory: GuestMemory,
        code: Callable[[int], bytes],
        clock: CoreClock,
        *,
        carries_on: bool,
    ) -> None:
        self._windows = windows
        self._memory = memory
        self._code = code
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
        state = [*registers, registers[XPSR] & ALL_FLAGS]
        if not self._store(instruction, state):
            raise TargetError(f"a store to flash memory at 0x{registers[PC]:08x} leaves it")
        state[XPSR] = advanced_xpsr(state[XPSR])
        if not state[XPSR] & XPSR_IT:
            self._clock.served += self._carry_on(state)
        self._flush()
        flags = state.pop()
        state[XPSR] = state[XPSR] & ~ALL_FLAGS | flags
        changed = {number: value for number, value in enumerate(state) if value != registers[number]}
        return changed | {PC: state[PC]}

    def _carry_on(self, state: MutableSequence[int]) -> int:
        """Carry out what follows a store, and change the registers and flags; how many instructions it was."""
        known: dict[int, Operation | Instruction | None] = {}
        count, worth = 0, True
        head, before, path = -1, list(state), list[Step]()
        while count < self._longest:
            place = state[PC]
            if place not in known:
                code = self._code(place)
                known[place] = operation(code) or decode(code)
            step, taken = known[place], False
            if isinstance(step, Operation):
                taken = step.carry_out(state)
                state[PC] = step.next_place(place, taken)
            elif step is None or not (self._load if step.load else self._store)(step, state):
                break
            count += 1
            path.append(Step(place, step, taken))
            if taken and state[PC] < place:  # back to the beginning of a loop
                if state[PC] == head and worth:
                    at_once = self._repeat(path, before, state, self._longest - count)
                    count += at_once
                    worth = at_once >= _WORTH
                head, before, path = state[PC], list(state), []
        return count

    def _repeat(
        self, path: Sequence[Step], before: Sequence[int], state: MutableSequence[int], longest: int
    ) -> int:
        """Go on with the loop whose last iteration took a path; how many instructions were carried out."""
        found = run_loop(path, before, state, longest // len(path), self._windows, self._memory.plain)
        if found is None:
            return 0
        for address, content in found.stored:
            self._put(address, content)
        for number, value in found.changed.items():
            state[number] = value
        return found.count * len(path)

    def _store(self, instruction: Instruction, state: MutableSequence[int]) -> bool:
        addresses = instruction.addresses(state)
        if not all(map(self.covers, addresses)):
            return False
        content = b"".join(
            state[number].to_bytes(4, "little")[: instruction.size] for number in instruction.registers
        )
        self._put(addresses[0], content)
        pass_over(instruction, state, state[instruction.base])
        return True

    def _load(self, instruction: Instruction, state: MutableSequence[int]) -> bool:
        addresses = instruction.addresses(state)
        found = self._memory.plain(addresses[0], instruction.size * len(addresses))
        if found is None or PC in instruction.registers:
            return False
        base = state[instruction.base]
        for position, number in enumerate(instruction.registers):
            raw = found[position * instruction.size : (position + 1) * instruction.size]
            state[number] = instruction.loaded(int.from_bytes(raw, "little"))
        pass_over(instruction, state, base)
        return True

    def _put(self, address: int, content: bytes) -> None:
        """Have bytes written, in one piece with those before them."""
        start, pending = self._pending
        if start + len(pending) != address:
            self._flush()
            self._pending = (address, bytearray())
        self._pending[1].extend(content)

    def _flush(self) -> None:
        """Write what is not written yet."""
        start, pending = self._pending
        if pending:
            self._memory.store(start, bytes(pending))
        self._pending = (0, bytearray())

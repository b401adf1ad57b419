"""Many iterations of a loop at once: each register is an array of what it holds in one iteration after another.

What a register holds when an iteration begins is guessed: that it goes on changing by as much as in the last one.
The loop's path is gone through once, for all iterations. They end where the guess was wrong, where a branch leads
elsewhere, or with a store that is none to the memory in question; up to there nothing was guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from deploy.corstone.access import PC, Instruction, pass_over
from deploy.corstone.operations import Operation, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Lanes = NDArray[np.int64]

_MASK = 0xFFFFFFFF
_FEWEST = 4
_LARGEST = 1 << 20
"""Bytes from the first to the last of what a loop reads with one instruction, or writes."""


@dataclass(frozen=True)
class Iterations:
    """What some iterations did.

    Attributes:
        count: how many there were.
        changed: registers that they changed, by number.
        stored: address and bytes of each piece of memory that they wrote.
    """

    count: int
    changed: dict[int, int]
    stored: list[tuple[int, bytes]]


def run_loop(
    path: Sequence[Step],
    before: Sequence[int],
    state: Sequence[int],
    most: int,
    windows: Sequence[tuple[int, int]],
    read: Callable[[int, int], bytes | None],
) -> Iterations | None:
    """The iterations of a loop that follow one that was carried out.

    Args:
        path: that it took, from the loop's first instruction to the branch back to it.
        before: r0 to r15, xPSR and the flags, with the numbers of :mod:`deploy.corstone.operations`, when it
            began.
        state: the same when it had ended.
        most: how many iterations there may be.
        windows: address and bytes of each part of the memory that is stored to, and not read.
        read: reads memory at an address, so many bytes; None where there is none that loops may read.

    Returns:
        As many as are as they were guessed to be; None where there are too few to try.
    """
    while most >= _FEWEST:
        found = _Attempt(path, before, state, most).run(windows, read)
        if found is not None:
            return found
        most //= 4  # what is read may end before
    return None


class _Attempt:
    """As many iterations as were asked for, or the first of them that are as they were guessed to be."""

    def __init__(self, path: Sequence[Step], before: Sequence[int], state: Sequence[int], count: int) -> None:
        self._path = path
        self._before = before
        self._state = state
        self._count = count
        self._good = count
        self._guessed: dict[int, Lanes] = {}
        self._now: dict[int, Any] = {}
        self._written: list[tuple[Lanes, Lanes]] = []

    def __getitem__(self, number: int) -> Any:
        """What a register holds at this step."""
        if number not in self._now:
            change = self._state[number] - self._before[number]
            self._now[number] = self._guessed[number] = (
                self._state[number] + change * np.arange(self._count, dtype=np.int64)
            ) & _MASK
        return self._now[number]

    def __setitem__(self, number: int, value: Any) -> None:
        """Change what a register holds."""
        self._now[number] = value

    def run(
        self, windows: Sequence[tuple[int, int]], read: Callable[[int, int], bytes | None]
    ) -> Iterations | None:
        """Go through the path; None where it loads from what is not there, or writes here and there."""
        for step in self._path:
            self[PC] = step.place
            instruction = step.instruction
            if isinstance(instruction, Operation):
                self._end_with(instruction.carry_out(self) == step.taken)
            elif instruction.load:
                if not self._load(instruction, read):
                    return None
            else:
                self._store(instruction, windows)
        for number, guessed in self._guessed.items():
            # An iteration begins with what the one before it has left.
            right = guessed[1:] == self._lanes(self._now[number])[:-1]
            self._good = min(self._good, _first_false(right) + 1)
        if not self._good:
            return Iterations(0, {}, [])
        stored = self._stored()
        if stored is None:
            return None
        del self._now[PC]
        changed = {number: int(self._lanes(value)[self._good - 1]) for number, value in self._now.items()}
        return Iterations(self._good, changed, stored)

    def _load(self, instruction: Instruction, read: Callable[[int, int], bytes | None]) -> bool:
        places = [self._lanes(address) for address in instruction.addresses(self)]
        first = min(int(each.min()) for each in places)
        end = max(int(each.max()) for each in places) + instruction.size
        found = read(first, end - first) if end - first <= _LARGEST else None
        if found is None:
            return False
        content = np.frombuffer(found, dtype=np.uint8)
        base = self[instruction.base]
        for number, place in zip(instruction.registers, places, strict=True):
            value = np.zeros(self._count, dtype=np.int64)
            for position in range(instruction.size):
                value |= content[place - first + position].astype(np.int64) << 8 * position
            self[number] = instruction.loaded(value)
        pass_over(instruction, self, base)
        return True

    def _store(self, instruction: Instruction, windows: Sequence[tuple[int, int]]) -> None:
        for number, address in zip(instruction.registers, instruction.addresses(self), strict=True):
            place, value = self._lanes(address), self._lanes(self[number])
            inside = [(base <= place) & (place <= base + size - instruction.size) for base, size in windows]
            self._end_with(np.logical_or.reduce(inside))
            self._written += [
                (place + position, value >> 8 * position & 0xFF) for position in range(instruction.size)
            ]
        pass_over(instruction, self, self[instruction.base])

    def _stored(self) -> list[tuple[int, bytes]] | None:
        if not self._written:
            return []
        # In the order of the CPU: where a place is written twice, the last value stays.
        places = np.stack([place[: self._good] for place, _ in self._written], axis=1).ravel()
        first, end = int(places.min()), int(places.max()) + 1
        if end - first > _LARGEST:
            return None
        content, written = np.zeros(end - first, dtype=np.uint8), np.zeros(end - first + 2, dtype=np.int8)
        content[places - first] = np.stack([value[: self._good] for _, value in self._written], axis=1).ravel()
        written[places - first + 1] = 1
        borders = np.flatnonzero(np.diff(written)).reshape(-1, 2).tolist()
        return [(first + start, content[start:stop].tobytes()) for start, stop in borders]

    def _lanes(self, value: Any) -> Lanes:
        return value if isinstance(value, np.ndarray) else np.full(self._count, value)

    def _end_with(self, as_guessed: Any) -> None:
        """The iterations end before the first for which this is not true."""
        if as_guessed is not True:
            self._good = min(self._good, _first_false(self._lanes(as_guessed)))


def _first_false(true: NDArray[Any]) -> int:
    false = np.flatnonzero(~true)
    return int(false[0]) if len(false) else len(true)

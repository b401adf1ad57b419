"""The program's code, for what decodes it at every stop of the CPU."""

from __future__ import annotations

from deploy.corstone.memory import GuestMemory

_BLOCK = 128
"""Bytes that are read at a time: a gdb connection takes as long for them as for four."""


class CodeMemory:
    """Code in memory.

    Args:
        memory: the machine's.
        keeps: keep what lies in flash memory, where reading takes an exchange with QEMU, as long as nobody has
            written there; not where a debugger may do so.
    """

    def __init__(self, memory: GuestMemory, *, keeps: bool) -> None:
        self._memory = memory
        self._keeps = keeps
        self._kept: dict[int, bytes] = {}

    def at(self, place: int) -> bytes:
        """The four bytes at an address.

        Raises:
            TargetError: there is no memory.
        """
        if self._keeps and self._memory.as_loaded(place) and self._memory.as_loaded(place + 2):
            return self._halfword(place) + self._halfword(place + 2)
        return self._memory.read(place, 4)

    def _halfword(self, place: int) -> bytes:
        offset = place % _BLOCK
        start = place - offset
        if start not in self._kept:
            self._kept[start] = self._memory.read(start, _BLOCK)
        return self._kept[start][offset : offset + 2]

"""Memory that QEMU keeps the CPU from writing, and the board does not: QSPI.

What the CPU stores there is noticed by a watchpoint and written as a debugger writes: QEMU lets a debugger write
what is read-only, and forgets the code that it had translated of it. A debugger reaches what the CPU reaches
now: one alias may be guarded, by the SAU or by an MPC, so the other one is tried, too.
"""

from __future__ import annotations

from collections.abc import Callable

from deploy.corstone.cpu import Cpu
from deploy.errors import TargetError

_BULK = 4096
"""Bytes from which on speed counts: all of it for the NPU, or a dump."""


class FlashStore:
    """One such memory, by offset.

    Args:
        name: of the memory.
        cpu: that reaches it.
        bases: addresses of its first byte.
        bulk: reads many bytes at an offset faster, past the CPU: what an MPC makes Non-secure it does not see.
    """

    def __init__(self, name: str, cpu: Cpu, bases: tuple[int, ...], bulk: Callable[[int, int], bytes]) -> None:
        self._name = name
        self._cpu = cpu
        self._bases = bases
        self._bulk = bulk

    def read(self, offset: int, size: int) -> bytes:
        """Read bytes.

        Raises:
            TargetError: the CPU does not reach them.
        """
        if size > _BULK:
            return self._bulk(offset, size)
        for base in reversed(self._bases):
            if (content := self._cpu.peek(base + offset, size)) is not None:
                return content
        raise TargetError(f"{self._name} is not reached at offset 0x{offset:x}")

    def write(self, offset: int, content: bytes) -> None:
        """Write bytes, by each alias that leads there: one that an MPC guards takes them without effect.

        Raises:
            TargetError: the CPU does not reach them.
        """
        reached = [self._cpu.poke(base + offset, content) for base in self._bases]
        if not any(reached):
            raise TargetError(f"{self._name} is not reached at offset 0x{offset:x}")

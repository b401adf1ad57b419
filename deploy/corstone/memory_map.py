"""A board's memories as the CPU and the NPU see them, and as QEMU lays them out; from the board's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.hardware.boards import BoardMemory
from deploy.hardware.sizes import KIB, MIB


@dataclass(frozen=True)
class Place:
    """Where some bytes are.

    Attributes:
        memory: of the board.
        block: memory of QEMU's machine that holds them: the same, or the one that stands for it.
        offset: of the first byte in the block.
    """

    memory: BoardMemory
    block: BoardMemory
    offset: int


class MemoryMap:
    """The memories of one board.

    Args:
        owner: name of the board, for messages.
        memories: all of them.
        instances: ``board`` and ``subsystem`` -> instance in the FVP.

    Attributes:
        blocks: those that QEMU has.
        ddr: the one among them that is a file.
        instances: name that the FVP has for a memory -> address of its first byte.
    """

    def __init__(self, owner: str, memories: Sequence[BoardMemory], instances: Mapping[str, str]) -> None:
        self.owner = owner
        self._memories = tuple(memories)
        self.instances = {
            memory.fvp_instance.format(**instances): memory.bases[-1] for memory in memories if memory.fvp_instance
        }
        self.blocks = tuple(memory for memory in memories if not memory.open_inside)
        named = {block.name: block for block in self.blocks}
        self.ddr = named["DDR"]
        shared = {memory.open_inside for memory in memories}
        self._spans: list[tuple[int, int, BoardMemory, BoardMemory, int]] = []
        for memory in memories:
            block = named[memory.open_inside or memory.name]
            # What QEMU has beyond the board belongs to whoever lies inside.
            size = memory.size if memory.name in shared else memory.open_size
            bases = memory.bases
            if block is not memory:
                # The NPU is handed pointers by a program that was moved.
                bases += tuple(base + memory.open_offset for base in block.bases)
            self._spans += [(base, size, memory, block, memory.open_offset) for base in bases]

    def locate(self, address: int, size: int = 1) -> Place | None:
        """The place of ``size`` bytes from ``address`` on; None if they do not lie in one memory."""
        for base, span, memory, block, offset in self._spans:
            if base <= address <= base + span - size:
                return Place(memory, block, offset + address - base)
        return None

    def moves(self) -> tuple[tuple[BoardMemory, int, int], ...]:
        """The memories that QEMU has elsewhere: memory, its address on the board, its address in QEMU."""
        named = {block.name: block for block in self.blocks}
        return tuple(
            (memory, here, there + memory.open_offset)
            for memory in self._memories
            if memory.open_inside
            for here, there in zip(memory.bases, named[memory.open_inside].bases, strict=True)
        )

    def describe(self) -> str:
        """The memory map in one line, for messages."""
        sizes = {memory.name: size for _, size, memory, _, _ in self._spans}
        return ", ".join(
            f"{memory.name} {' / '.join(f'0x{base:08x}' for base in memory.bases)} ({_size(sizes[memory.name])})"
            for memory in self._memories
        )


def _size(size: int) -> str:
    return f"{size // MIB} MB" if size >= MIB and not size % MIB else f"{size // KIB} KB"

"""Corstone-300's memories as the CPU and the NPU see them, and as QEMU lays them out; from the board's file."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.hardware.boards import BoardMemory, board, hardware
from deploy.hardware.sizes import KIB, MIB

BOARD = board("corstone-300")
HARDWARE = hardware(BOARD.id)


@dataclass(frozen=True)
class MemoryBlock:
    """One contiguous memory.

    Attributes:
        name: what it is called in Arm's documents.
        size: bytes.
        bases: the addresses it answers at (non-secure first, then the secure alias).
        npu: whether the NPU's AXI ports reach it.
        chip_size: QEMU builds the block from equal pieces of this many bytes, each a mapping of its own.
    """

    name: str
    size: int
    bases: tuple[int, ...]
    npu: bool
    chip_size: int

    def offset(self, address: int) -> int | None:
        """Where in the block an absolute address lies, or None."""
        for base in self.bases:
            if base <= address < base + self.size:
                return address - base
        return None


def _block(memory: BoardMemory) -> MemoryBlock:
    # Blocks that are Non-secure and Secure in turn are distinct memory, so one flat block here.
    bases = (memory.nonsecure, memory.secure) if memory.blocks == 1 else (memory.nonsecure,)
    return MemoryBlock(memory.name, memory.open_size, bases, memory.npu, memory.open_size // memory.open_pieces)


def _named(name: str) -> MemoryBlock:
    return next(block for block in MEMORY_MAP if block.name == name)


MEMORY_MAP: tuple[MemoryBlock, ...] = tuple(map(_block, HARDWARE.memories))
BRAM, SRAM, DDR = map(_named, ("BRAM", "SRAM", "DDR"))

NPU_WINDOWS: tuple[int, ...] = (HARDWARE.npu.nonsecure, HARDWARE.npu.secure)
NPU_WINDOW_SIZE = 0x1000
NPU_INTERRUPT = HARDWARE.npu.interrupt


def locate(address: int, size: int = 1) -> tuple[MemoryBlock, int] | None:
    """The block that holds ``size`` bytes from ``address`` on, and the offset in it; None if none does."""
    for block in MEMORY_MAP:
        offset = block.offset(address)
        if offset is not None and offset + size <= block.size:
            return block, offset
    return None


def describe() -> str:
    """The memory map in one line, for messages."""
    return ", ".join(
        f"{block.name} {' / '.join(f'0x{base:08x}' for base in block.bases)} ({_size(block.size)})"
        for block in MEMORY_MAP
    )


def _size(size: int) -> str:
    return f"{size // MIB} MB" if size >= MIB else f"{size // KIB} KB"

"""Corstone-300's memories as the CPU and the NPU see them, and as QEMU's machine mps3-an547 lays them out.

Addresses: Arm's Corstone SSE-300 application note AN547. Sizes: what QEMU provides, which is at least what the
FVP has (BRAM 1 MB and SRAM 2 MB there), read from its monitor command ``info mtree``.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


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


ITCM = MemoryBlock("ITCM", 512 * KIB, (0x00000000, 0x10000000), False, 512 * KIB)
BRAM = MemoryBlock("BRAM", 2 * MIB, (0x01000000, 0x11000000), True, 2 * MIB)
DTCM = MemoryBlock("DTCM", 512 * KIB, (0x20000000, 0x30000000), False, 512 * KIB)
SRAM = MemoryBlock("SRAM", 4 * MIB, (0x21000000, 0x31000000), True, 2 * MIB)
# On the board 256 MB blocks that are non-secure and secure in turn; distinct memory, so one flat block here.
DDR = MemoryBlock("DDR", 2048 * MIB, (0x60000000,), True, 2048 * MIB)

MEMORY_MAP: tuple[MemoryBlock, ...] = (ITCM, BRAM, DTCM, SRAM, DDR)
DDR_BASE = DDR.bases[0]

NPU_WINDOWS: tuple[int, ...] = (0x48102000, 0x58102000)
NPU_WINDOW_SIZE = 0x1000
NPU_INTERRUPT = 56


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

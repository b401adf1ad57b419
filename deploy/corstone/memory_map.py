"""Corstone-300's memories as the CPU and the NPU see them, and as QEMU lays them out; from the board's file."""

from __future__ import annotations

from deploy.hardware.boards import BoardMemory, board, hardware
from deploy.hardware.sizes import KIB, MIB

BOARD = board("corstone-300")
HARDWARE = hardware(BOARD.id)


MEMORY_MAP = HARDWARE.memories
BRAM, SRAM, DDR = map(HARDWARE.memory, ("BRAM", "SRAM", "DDR"))

NPU_WINDOWS: tuple[int, ...] = (HARDWARE.npu.nonsecure, HARDWARE.npu.secure)
NPU_WINDOW_SIZE = 0x1000
NPU_INTERRUPT = HARDWARE.npu.interrupt


def locate(address: int, size: int = 1) -> tuple[BoardMemory, int] | None:
    """The memory that holds ``size`` bytes from ``address`` on, and the offset in it; None if none does."""
    for memory in MEMORY_MAP:
        for base in memory.bases:
            if base <= address <= base + memory.open_size - size:
                return memory, address - base
    return None


def describe() -> str:
    """The memory map in one line, for messages."""
    return ", ".join(
        f"{block.name} {' / '.join(f'0x{base:08x}' for base in block.bases)} ({_size(block.open_size)})"
        for block in MEMORY_MAP
    )


def _size(size: int) -> str:
    return f"{size // MIB} MB" if size >= MIB else f"{size // KIB} KB"

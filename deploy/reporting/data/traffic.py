"""Bandwidth: the bytes that one inference moves, and how fast each memory is, from Vela's summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.compiling.vela_reports import Cell

_COLUMNS = {
    "sram": "SRAM",
    "dram": "DRAM",
    "on_chip_flash": "flash",
    "off_chip_flash": "flash",
}
_PURPOSES = {
    "feature_map_read": "feature maps read",
    "feature_map_write": "feature maps written",
    "weight_read": "weights read",
    "weight_write": "weights buffered",
}
OTHER = "scales and tables"
_GIB = 1 << 30


@dataclass(frozen=True)
class MovedBytes:
    """Bytes that one inference moves: one memory, one purpose, one direction."""

    memory: str
    purpose: str
    size: int


def traffic_of(summary: Mapping[str, Cell], *, constants_in_sram: bool) -> tuple[MovedBytes, ...]:
    """Bytes per memory and purpose; what is zero is left out.

    Args:
        summary: the row of Vela's summary CSV.
        constants_in_sram: the memory mode keeps weights in SRAM, which Vela counts as on-chip flash.
    """
    sizes: dict[tuple[str, str], int] = {}
    for prefix, name in _COLUMNS.items():
        memory = "SRAM" if constants_in_sram and prefix == "on_chip_flash" else name
        named = 0
        for column, purpose in _PURPOSES.items():
            size = _number(summary, f"{prefix}_{column}_bytes")
            named += int(size)
            sizes[memory, purpose] = sizes.get((memory, purpose), 0) + int(size)
        other = int(_number(summary, f"{prefix}_total_bytes")) - named
        sizes[memory, OTHER] = sizes.get((memory, OTHER), 0) + max(other, 0)
    return tuple(MovedBytes(memory, purpose, size) for (memory, purpose), size in sizes.items() if size)


def bytes_per_cycle(summary: Mapping[str, Cell], *, constants_in_sram: bool) -> dict[str, float]:
    """Memory -> bytes per NPU cycle, for the memories that are used."""
    clock = _number(summary, "core_clock")
    found: dict[str, float] = {}
    if clock <= 0:
        return found
    used = {item.memory for item in traffic_of(summary, constants_in_sram=constants_in_sram)}
    for prefix, memory in _COLUMNS.items():
        # Of the two kinds of flash, the one that bytes are read from.
        moved = _number(summary, f"{prefix}_total_bytes")
        rate = _number(summary, f"{prefix}_bandwidth") * _GIB / clock
        if memory in used and rate > 0 and (moved > 0 or memory == "SRAM"):
            found[memory] = rate
    return found


def _number(summary: Mapping[str, Cell], column: str) -> float:
    value = summary.get(column, 0)
    return float(value) if isinstance(value, int | float) else 0.0

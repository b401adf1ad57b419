"""Bandwidth, from Vela's summary: the bytes that one inference moves, how fast each memory is, and its roofline.

Above the ridge point (MAC per byte) the MAC units set the pace, below it the memory does. Each memory has a
chart of its own, since an operator moves other bytes through SRAM than it reads from flash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deploy.compiling.vela_reports import Cell, summary_number
from deploy.reporting.data.operators import NamedOperator, OperatorRow

_COLUMNS = {"sram": "SRAM", "dram": "DRAM", "on_chip_flash": "flash", "off_chip_flash": "flash"}
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
            size = summary_number(summary, f"{prefix}_{column}_bytes")
            named += int(size)
            sizes[memory, purpose] = sizes.get((memory, purpose), 0) + int(size)
        other = int(summary_number(summary, f"{prefix}_total_bytes")) - named
        sizes[memory, OTHER] = sizes.get((memory, OTHER), 0) + max(other, 0)
    return tuple(MovedBytes(memory, purpose, size) for (memory, purpose), size in sizes.items() if size)


def bytes_per_cycle(summary: Mapping[str, Cell], *, constants_in_sram: bool) -> dict[str, float]:
    """Memory -> bytes per NPU cycle, for the memories that are used."""
    clock = summary_number(summary, "core_clock")
    found: dict[str, float] = {}
    if clock <= 0:
        return found
    used = {item.memory for item in traffic_of(summary, constants_in_sram=constants_in_sram)}
    for prefix, memory in _COLUMNS.items():
        # Of the two kinds of flash, the one that bytes are read from.
        moved = summary_number(summary, f"{prefix}_total_bytes")
        rate = summary_number(summary, f"{prefix}_bandwidth") * _GIB / clock
        if memory in used and rate > 0 and (moved > 0 or memory == "SRAM"):
            found[memory] = rate
    return found


MAX_POINTS = 300
"""Most operators of a chart; of more the costliest are drawn."""


@dataclass(frozen=True)
class Roof:
    """The roofline of one memory."""

    memory: str
    bytes_per_cycle: float
    peak: int
    points: tuple[RooflinePoint, ...]

    @property
    def ridge(self) -> float:
        """MAC per byte from which on the MAC units, not the memory, set the pace."""
        return self.peak / self.bytes_per_cycle


@dataclass(frozen=True)
class RooflinePoint(NamedOperator):
    """An operator in a roofline chart: MAC per byte and MAC per cycle."""

    intensity: float
    performance: float
    limit: str


def roofs(rates: Mapping[str, float], peak: int, operators: Iterable[OperatorRow]) -> tuple[Roof, ...]:
    """One roofline per memory, at its bytes per NPU cycle, that an operator with MACs moves bytes through."""
    rows = sorted((row for row in operators if row.cycles and row.macs), key=lambda row: -(row.cycles or 0))
    found = []
    for memory, rate in rates.items():
        points = tuple(
            RooflinePoint(
                index=row.index,
                type=row.type,
                name=row.name,
                intensity=(row.macs or 0) / row.traffic[memory],
                performance=(row.macs or 0) / (row.cycles or 1),
                limit=row.limited_by,
            )
            for row in rows
            if row.traffic.get(memory)
        )[:MAX_POINTS]
        if points:
            found.append(Roof(memory, rate, peak, points))
    return tuple(found)

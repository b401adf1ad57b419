"""Roofline: which operators could keep the MAC units busy with what each memory delivers.

Above the ridge point (MAC per byte) the MAC units set the pace, below it the memory does. Each memory has a
chart of its own, since an operator moves other bytes through SRAM than it reads from flash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deploy.reporting.data.operators import NamedOperator, OperatorRow

MAX_POINTS = 300
"""Most operators of a chart; of more the costliest are drawn."""


@dataclass(frozen=True)
class Roof:
    """The roofline of one memory.

    Attributes:
        memory: ``SRAM``, ``flash`` or ``DRAM``.
        bytes_per_cycle: its bandwidth in NPU cycles.
        peak: MAC per cycle of the NPU.
        points: one per operator with MACs that moves bytes there.
    """

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
    """One roofline per memory that an operator with MACs moves bytes through.

    Args:
        rates: memory -> bytes per NPU cycle.
        peak: MAC units of the NPU.
        operators: with traffic.
    """
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

"""Roofline: which operators could keep the MAC units busy with what each memory delivers.

Above the ridge point (MAC per byte) the MAC units set the pace, below it the memory does. Each memory has a
chart of its own, since an operator moves other bytes through SRAM than it reads from flash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from deploy.reporting.content import OperatorRow, Roof, RooflinePoint

UNKNOWN = "unknown"
MAX_POINTS = 300
"""Most operators of a chart; of more the costliest are drawn."""


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
                limit=row.limit or UNKNOWN,
            )
            for row in rows
            if row.traffic.get(memory)
        )[:MAX_POINTS]
        if points:
            found.append(Roof(memory, rate, peak, points))
    return tuple(found)

"""The bytes that an inference moves, per memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploy.reporting.charts.vega import (
    Chart,
    at,
    bars,
    bars_of_builds,
    bytes_axis,
    category,
    coloured,
    document,
    listed,
    quantity,
)
from deploy.reporting.data.report import Report
from deploy.reporting.data.side_by_side import SideBySide

_PURPOSES = {
    "feature maps read": "#4477aa",
    "feature maps written": "#66ccee",
    "weights read": "#ccbb44",
    "weights buffered": "#ee6677",
    "scales and tables": "#999999",
}


def traffic(report: Report) -> Iterator[Chart]:
    """Bytes per memory and purpose."""
    moved = report.traffic
    if not moved:
        return
    memories = list(dict.fromkeys(item.memory for item in moved))
    most = max(sum(item.size for item in moved if item.memory == memory) for memory in memories)
    purposes = coloured("purpose", _PURPOSES, (item.purpose for item in moved))
    order = purposes["scale"]["domain"]
    values = [
        {"memory": item.memory, "purpose": item.purpose, "bytes": item.size, "order": order.index(item.purpose)}
        for item in moved
    ]
    spec = bars(values, y=category("memory", memories), x=_axis(most), color=purposes, order=at("order"))
    summary = "Bytes that an inference moves, per memory and purpose."
    yield Chart("traffic", "bandwidth", summary, document(spec, height=42 * len(memories)))


def traffic_compared(builds: SideBySide) -> Iterator[Chart]:
    """Bytes per memory in each build."""
    moved = {letter: report.traffic for letter, report in builds.reports.items()}
    memories = list(dict.fromkeys(item.memory for build in moved.values() for item in build))
    values: list[dict[str, Any]] = [
        {
            "memory": memory,
            "build": letter,
            "bytes": sum(item.size for item in build if item.memory == memory),
            **{item.purpose: item.size for item in build if item.memory == memory},
        }
        for memory in memories
        for letter, build in moved.items()
    ]
    if not values:
        return
    most = max(value["bytes"] for value in values)
    spec, height = bars_of_builds(values, category("memory", memories), _axis(most), list(moved))
    summary = f"Bytes that an inference moves in {listed(list(moved))}, per memory."
    yield Chart("traffic", "bandwidth", summary, document(spec, height=height))


def _axis(most: float) -> dict[str, Any]:
    return quantity("bytes", "bytes per inference", axis=bytes_axis(most))

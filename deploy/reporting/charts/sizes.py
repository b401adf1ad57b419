"""Bytes: of the compiled file's parts, of weights before and after compression, and moved by an inference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploy.reporting.charts.vega import (
    BAR,
    Chart,
    at,
    bars,
    bars_of_builds,
    bars_with_shares,
    bytes_axis,
    category,
    coloured,
    costliest,
    document,
    listed,
    operators,
    quantity,
    told,
)
from deploy.reporting.data.report import Report
from deploy.reporting.data.side_by_side import SideBySide

_PARTS_AXIS = {"labelLimit": 150}
_WEIGHTS = {"original": "#bbbbbb", "encoded": "#4477aa"}


def flash(report: Report) -> Iterator[Chart]:
    """The parts of the file."""
    parts = report.flash.parts
    if not parts:
        return
    values = [{"part": part.name, "bytes": part.size, "share": part.size / report.flash.size} for part in parts]
    spec = bars_with_shares(
        values,
        {"mark": {**BAR, "color": "#4477aa"}},
        category("part", [part.name for part in parts], axis=_PARTS_AXIS),
        quantity("bytes", None, axis=bytes_axis(max(part.size for part in parts))),
    )
    yield Chart("flash", "flash", "Parts of the compiled model file.", document(spec, height=28 * len(parts)))


def flash_compared(builds: SideBySide) -> Iterator[Chart]:
    """The parts of each build's file."""
    values = [
        {"part": part.name, "build": letter, "bytes": part.size}
        for letter, report in builds.reports.items()
        for part in report.flash.parts
    ]
    if not values:
        return
    letters, names = list(builds.reports), list(dict.fromkeys(str(value["part"]) for value in values))
    most = max(part.size for report in builds.reports.values() for part in report.flash.parts)
    spec, height = bars_of_builds(
        values, category("part", names, axis=_PARTS_AXIS), quantity("bytes", None, axis=bytes_axis(most)), letters
    )
    summary = f"Parts of the compiled model files of {listed(letters)}."
    yield Chart("flash", "flash", summary, document(spec, height=height))


def compression(report: Report) -> Iterator[Chart]:
    """Weights per operator before and after encoding."""
    rows = costliest(report.flash.weights, lambda row: row.original)
    if not rows:
        return
    spec = bars(
        [{**told(row), "original": row.original, "encoded": row.encoded} for row in rows],
        x=operators("index", "operator with weights"),
        xOffset={"field": "weights", "sort": list(_WEIGHTS)},
        y=quantity("bytes", "bytes", axis=bytes_axis(max(max(row.original, row.encoded) for row in rows))),
        color=coloured("weights", _WEIGHTS, _WEIGHTS, sort=list(_WEIGHTS)),
    )
    spec["transform"] = [{"fold": list(_WEIGHTS), "as": ["weights", "bytes"]}]
    summary = f"Weights of {len(rows)} operators before and after encoding."
    yield Chart("compression", "weights", summary, document(spec, height=200))


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

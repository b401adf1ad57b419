"""What the compiled model file is made of, and how far its weights are compressed."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.reporting.charts.vega import (
    BAR,
    Chart,
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

"""What verdicts say of the outputs: differences in LSB, and confusion tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deploy.figures import percent
from deploy.reporting.charts.vega import TEXT, TOLD, Chart, Spec, at, category, document, quantity
from deploy.reporting.data.confusions import Confusion
from deploy.reporting.data.names import shown
from deploy.reporting.data.report import Report

if TYPE_CHECKING:
    from deploy.judging.comparison import OutputComparison

MOST_OUTPUTS = 40
"""Most outputs of a verdict that are shown."""

_FEW_LABELS = 8
"""So many classes have cells of a fixed size; more share the width of the page."""


def differences(report: Report) -> Iterator[Chart]:
    """Target minus reference in LSB, of each output that differs and has such a unit."""
    for command, verdict in report.verdicts.items():
        for number, output in enumerate(verdict.outputs[:MOST_OUTPUTS]):
            if output.mismatches and output.lsb_histogram:
                yield _histogram(f"{command}-{number}", output)


def confusions(report: Report) -> Iterator[Chart]:
    """Counts of (label of the row, label on target)."""
    for command, tables in report.confusions.items():
        for number, confusion in enumerate(tables):
            yield _confusion(f"confusion-{command}-{number}", confusion)


def _histogram(output_key: str, output: OutputComparison) -> Chart:
    bins = output.lsb_histogram
    exact = all(bar.low == bar.high for bar in bins)
    widen = 0.4 if exact else 0.0
    values = [
        {
            "from": bar.low,
            "to": bar.high,
            "low": bar.low - widen,
            "high": bar.high + widen,
            "elements": bar.elements,
        }
        for bar in bins
    ]
    spec = {
        "data": {"values": values},
        "mark": {"type": "rect", "color": "#4477aa", "tooltip": TOLD},
        "encoding": {
            "x": quantity(
                "low",
                "target minus reference, LSB",
                scale={"zero": False},
                axis={"tickMinStep": 1, "format": "~g"},
            ),
            "x2": {"field": "high"},
            "y": quantity(
                "elements",
                "elements, log",
                # A count of one must not vanish beside millions of equal elements.
                scale={"type": "symlog", "constant": 1},
                axis={"format": "~s", "values": [0, *(10**k for k in range(len(str(output.elements)) + 1))]},
            ),
            "y2": {"datum": 0},
        },
    }
    summary = f"Differences: {output.mismatches} of {output.elements} elements."
    title = f"{shown(output.name)}: differences"
    place = f"differences-{output_key}"
    return Chart(f"histogram-{output_key}", place, summary, document(spec, height=180), title)


def _confusion(key: str, confusion: Confusion) -> Chart:
    values = [
        {"row": row, "column": column, "inputs": count, "same": row == column}
        for (row, column), count in confusion.counts.items()
    ]
    labels = list(confusion.labels)
    few, scale = len(labels) <= _FEW_LABELS, {"domain": labels}
    angle = 0 if few and max(map(len, labels), default=0) <= 3 else -45
    x = category("column", labels, "on target", scale=scale, axis={"labelAngle": angle, "labelLimit": 80})
    y = category("row", labels, confusion.against, scale=scale, axis={"labelLimit": 80})
    cells: Spec = {
        "mark": {"type": "rect", "tooltip": TOLD},
        "encoding": {
            "color": {
                "field": "same",
                "type": "nominal",
                "scale": {"domain": [True, False], "range": ["#4477aa", "#cc3311"]},
                "legend": None,
            },
            "opacity": at("inputs", scale={"range": [0.65, 1]}, legend=None),
        },
    }
    counts: Spec = {
        "mark": {**TEXT, "fontSize": 10, "fill": "#ffffff", "style": "on-mark", "tooltip": None},
        "encoding": {"text": {"field": "inputs"}},
    }
    spec = {"data": {"values": values}, "encoding": {"x": x, "y": y}, "layer": [cells, counts]}
    drawn = document(spec, height=24 * len(labels))
    if few:
        drawn |= {"width": 36 * len(labels), "autosize": "pad"}
    title = f"{confusion.output}: on target against {confusion.against}"
    summary = f"Confusion table of {title}, {confusion.agreement:.1%} of the inputs agree."
    return Chart(key, key, summary, drawn, f"{title}, {percent(confusion.agreement, 1)} agree")

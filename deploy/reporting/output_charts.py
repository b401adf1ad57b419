"""The charts of a verification: differences in LSB per output, and confusion tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.reporting.charts import Chart, Spec, document
from deploy.reporting.content import Confusion

if TYPE_CHECKING:
    from deploy.judging.comparison import OutputComparison

_FEW_LABELS = 8
"""So many classes have cells of a fixed size; more share the width of the page."""


def histogram_chart(key: str, output: OutputComparison) -> Chart | None:
    """Target minus reference in LSB; None where every element is equal or there is no such unit."""
    if not output.mismatches or not output.lsb_histogram:
        return None
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
        "mark": {"type": "rect", "color": "#4477aa", "tooltip": {"content": "data"}},
        "encoding": {
            "x": {
                "field": "low",
                "type": "quantitative",
                "title": "target minus reference, LSB",
                "scale": {"zero": False},
                "axis": {"tickMinStep": 1, "format": "~g"},
            },
            "x2": {"field": "high"},
            "y": {
                "field": "elements",
                "type": "quantitative",
                "title": "elements, log",
                # A count of one must not vanish beside millions of equal elements.
                "scale": {"type": "symlog", "constant": 1},
                "axis": {"format": "~s", "values": [0, *(10**k for k in range(len(str(output.elements)) + 1))]},
            },
            "y2": {"datum": 0},
        },
    }
    summary = f"Differences: {output.mismatches} of {output.elements} elements."
    return Chart(key, summary, document(spec, height=180))


def confusion_chart(key: str, confusion: Confusion) -> Chart:
    """Counts of (label of the row, label on target)."""
    values = [
        {"row": row, "column": column, "inputs": count, "same": row == column}
        for (row, column), count in confusion.counts.items()
    ]
    long = max(map(len, confusion.labels), default=0) > 3 or len(confusion.labels) > _FEW_LABELS
    x = {
        "field": "column",
        "type": "nominal",
        "title": "on target",
        "sort": list(confusion.labels),
        "scale": {"domain": list(confusion.labels)},
        "axis": {"labelAngle": -45 if long else 0, "labelLimit": 80},
    }
    y = {
        "field": "row",
        "type": "nominal",
        "title": confusion.against,
        "sort": list(confusion.labels),
        "scale": {"domain": list(confusion.labels)},
        "axis": {"labelLimit": 80},
    }
    cells: Spec = {
        "mark": {"type": "rect", "tooltip": {"content": "data"}},
        "encoding": {
            "color": {
                "field": "same",
                "type": "nominal",
                "scale": {"domain": [True, False], "range": ["#4477aa", "#cc3311"]},
                "legend": None,
            },
            "opacity": {
                "field": "inputs",
                "type": "quantitative",
                "scale": {"range": [0.65, 1]},
                "legend": None,
            },
        },
    }
    counts: Spec = {
        "mark": {"type": "text", "fontSize": 10, "fill": "#ffffff", "style": "on-mark", "tooltip": None},
        "encoding": {"text": {"field": "inputs"}},
    }
    spec = {"data": {"values": values}, "encoding": {"x": x, "y": y}, "layer": [cells, counts]}
    summary = (
        f"Confusion table of {confusion.output}: on target against {confusion.against}, "
        f"{confusion.agreement:.1%} of the inputs agree."
    )
    drawn = document(spec, height=24 * len(confusion.labels))
    if len(confusion.labels) <= _FEW_LABELS:
        drawn |= {"width": 36 * len(confusion.labels), "autosize": "pad"}
    return Chart(key, summary, drawn)

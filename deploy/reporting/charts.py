"""The charts as Vega-Lite documents: plain dictionaries, no library needed to make them.

Colours of marks are chosen to read on white and on black; axes and texts take theirs from the page's style sheet,
so that the same SVG serves light, dark and print. Every chart comes with a sentence for those who cannot see it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.reporting.content import CompressedWeights, FlashPart, OperatorRow, Traffic
from deploy.reporting.roofline import UNKNOWN
from deploy.reporting.schedule import LIMITS

Spec = dict[str, Any]

# Paul Tol's bright scheme: distinct for colour-blind readers, too.
LIMIT_COLOURS = {
    "MACs": "#4477aa",
    "elementwise": "#ccbb44",
    "SRAM": "#228833",
    "DRAM": "#aa3377",
    "flash": "#ee6677",
    UNKNOWN: "#999999",
}
_BYTES = (
    "datum.value >= 1048576 ? format(datum.value / 1048576, '.3~f') + ' MiB' : "
    "datum.value >= 1024 ? format(datum.value / 1024, '.3~f') + ' KiB' : format(datum.value, '~f') + ' B'"
)
_PURPOSES = {
    "feature maps read": "#4477aa",
    "feature maps written": "#66ccee",
    "weights read": "#ccbb44",
    "weights buffered": "#ee6677",
    "scales and tables": "#999999",
}
MOST_BARS = 400
"""Most bars of a chart; of more operators the costliest are drawn."""


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        key: names it in the page, letters and hyphens.
        summary: what it shows, for screen readers.
        spec: Vega-Lite document.
    """

    key: str
    summary: str
    spec: Spec


def document(content: Spec, *, height: int) -> Spec:
    """A chart as wide as its container."""
    return {
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": {
            "background": "transparent",
            "font": "system-ui, sans-serif",
            "view": {"stroke": None},
            "axis": {"labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "labelLimit": 120},
            "legend": {
                "orient": "top",
                "direction": "horizontal",
                "columns": 4,
                "labelFontSize": 11,
                "title": None,
                "labelLimit": 200,
            },
        },
        **content,
    }


def bytes_axis(most: float) -> Spec:
    """An axis from 0 to ``most`` bytes whose ticks are round in powers of two."""
    step = 1 << max(int(most / 4).bit_length() - 1, 0)
    return {"values": list(range(0, int(most) + 1, step)), "labelExpr": _BYTES, "labelOverlap": "greedy"}


def limit_colour(present: Iterable[str]) -> Spec:
    """Colour by what limits an operator; only what occurs stands in the legend."""
    seen = set(present)
    domain = [limit for limit in (*LIMITS, UNKNOWN) if limit in seen]
    return {
        "field": "limit",
        "type": "nominal",
        "scale": {"domain": domain, "range": [LIMIT_COLOURS[limit] for limit in domain]},
    }


def cycles_chart(operators: Sequence[OperatorRow]) -> Chart | None:
    """Cycles per operator in execution order; None where no operator has any."""
    rows = sorted((row for row in operators if row.cycles), key=lambda row: -(row.cycles or 0))[:MOST_BARS]
    if not rows:
        return None
    values = [
        {
            "index": row.index,
            "operator": row.type,
            "output": row.name,
            "shape": row.shape,
            "cycles": row.cycles,
            "MAC": row.macs,
            "limit": row.limit or UNKNOWN,
        }
        for row in sorted(rows, key=lambda row: row.index)
    ]
    spec = {
        "data": {"values": values},
        "mark": {"type": "bar", "tooltip": {"content": "data"}},
        "encoding": {
            "x": {
                "field": "index",
                "type": "ordinal",
                "title": "operator, in execution order",
                "axis": {"labelAngle": 0, "labelOverlap": "greedy", "ticks": False},
            },
            "y": {"field": "cycles", "type": "quantitative", "title": "cycles", "axis": {"format": "~s"}},
            "color": limit_colour(str(value["limit"]) for value in values),
        },
    }
    longest = rows[0]
    summary = f"Cycles of {len(rows)} operators; operator {longest.index} {longest.type} takes most."
    return Chart("cycles", summary, document(spec, height=240))


def limits_chart(operators: Sequence[OperatorRow]) -> Chart | None:
    """How many cycles go to operators that are limited by what."""
    sums: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for row in operators:
        if row.cycles:
            sums[row.limit or UNKNOWN] += row.cycles
            counts[row.limit or UNKNOWN] += 1
    if not sums:
        return None
    total = sum(sums.values())
    values = [
        {"limit": limit, "cycles": cycles, "share": cycles / total, "operators": counts[limit]}
        for limit, cycles in sums.most_common()
    ]
    bar = {
        "mark": {"type": "bar", "tooltip": {"content": "data"}},
        "encoding": {"color": {**limit_colour(sums), "legend": None}},
    }
    label = {
        "mark": {"type": "text", "align": "left", "dx": 4, "fontSize": 11},
        "encoding": {"text": {"field": "share", "format": ".1%"}},
    }
    spec = {
        "data": {"values": values},
        "encoding": {
            "y": {
                "field": "limit",
                "type": "nominal",
                "sort": [limit for limit, _ in sums.most_common()],
                "title": None,
            },
            "x": {
                "field": "cycles",
                "type": "quantitative",
                "title": "cycles of the operators that this limits",
                "axis": {"format": "~s", "tickCount": 5},
                "scale": {"domain": [0, 1.2 * max(sums.values())], "nice": False},
            },
        },
        "layer": [bar, label],
    }
    shares = ", ".join(f"{limit} {cycles / total:.0%}" for limit, cycles in sums.most_common())
    return Chart(
        "limits",
        f"Share of the cycles by what limits the operator: {shares}.",
        document(spec, height=28 * len(sums)),
    )


def traffic_chart(traffic: Sequence[Traffic]) -> Chart | None:
    """Bytes per inference, per memory and purpose."""
    if not traffic:
        return None
    memories = list(dict.fromkeys(item.memory for item in traffic))
    purposes = [purpose for purpose in _PURPOSES if any(item.purpose == purpose for item in traffic)]
    most = max(sum(item.size for item in traffic if item.memory == memory) for memory in memories)
    spec = {
        "data": {
            "values": [
                {
                    "memory": item.memory,
                    "purpose": item.purpose,
                    "bytes": item.size,
                    "order": purposes.index(item.purpose),
                }
                for item in traffic
            ]
        },
        "mark": {"type": "bar", "tooltip": {"content": "data"}},
        "encoding": {
            "y": {"field": "memory", "type": "nominal", "title": None, "sort": memories},
            "x": {
                "field": "bytes",
                "type": "quantitative",
                "title": "bytes per inference",
                "axis": bytes_axis(most),
            },
            "color": {
                "field": "purpose",
                "type": "nominal",
                "scale": {"domain": purposes, "range": [_PURPOSES[purpose] for purpose in purposes]},
            },
            "order": {"field": "order", "type": "quantitative"},
        },
    }
    return Chart(
        "traffic",
        "Bytes that an inference moves, per memory and purpose.",
        document(spec, height=42 * len(memories)),
    )


def flash_chart(parts: Sequence[FlashPart]) -> Chart:
    """What the compiled file is made of."""
    total = sum(part.size for part in parts) or 1
    spec = {
        "data": {
            "values": [{"part": part.name, "bytes": part.size, "share": part.size / total} for part in parts]
        },
        "encoding": {
            "y": {
                "field": "part",
                "type": "nominal",
                "sort": [part.name for part in parts],
                "title": None,
                "axis": {"labelLimit": 150},
            },
            "x": {
                "field": "bytes",
                "type": "quantitative",
                "title": None,
                "axis": bytes_axis(max(part.size for part in parts)),
                "scale": {"domain": [0, 1.2 * max(part.size for part in parts)], "nice": False},
            },
        },
        "layer": [
            {"mark": {"type": "bar", "color": "#4477aa", "tooltip": {"content": "data"}}},
            {
                "mark": {"type": "text", "align": "left", "dx": 4, "fontSize": 11},
                "encoding": {"text": {"field": "share", "format": ".1%"}},
            },
        ],
    }
    return Chart("flash", "Parts of the compiled model file.", document(spec, height=28 * len(parts)))


def compression_chart(weights: Sequence[CompressedWeights]) -> Chart | None:
    """Weights per operator before and after encoding."""
    rows = sorted(weights, key=lambda row: -row.original)[:MOST_BARS]
    if not rows:
        return None
    values = [
        {
            "index": row.index,
            "operator": row.type,
            "output": row.name,
            "original": row.original,
            "encoded": row.encoded,
        }
        for row in sorted(rows, key=lambda row: row.index)
    ]
    spec = {
        "data": {"values": values},
        "transform": [{"fold": ["original", "encoded"], "as": ["weights", "bytes"]}],
        "mark": {"type": "bar", "tooltip": {"content": "data"}},
        "encoding": {
            "x": {
                "field": "index",
                "type": "ordinal",
                "title": "operator with weights",
                "axis": {"labelAngle": 0, "labelOverlap": "greedy", "ticks": False},
            },
            "xOffset": {"field": "weights", "sort": ["original", "encoded"]},
            "y": {
                "field": "bytes",
                "type": "quantitative",
                "title": "bytes",
                "axis": bytes_axis(max(value for row in rows for value in (row.original, row.encoded))),
            },
            "color": {
                "field": "weights",
                "type": "nominal",
                "sort": ["original", "encoded"],
                "scale": {"domain": ["original", "encoded"], "range": ["#bbbbbb", "#4477aa"]},
            },
        },
    }
    return Chart(
        "compression",
        f"Weights of {len(rows)} operators before and after encoding.",
        document(spec, height=200),
    )

"""The roofline of each memory: operators as points under the roof, the ridge point marked."""

from __future__ import annotations

import math
from collections.abc import Iterator

from deploy.figures import number
from deploy.reporting.charts.cycles import limit_colour
from deploy.reporting.charts.vega import TEXT, TOLD, Chart, Spec, document, quantity, told
from deploy.reporting.data.report import Report
from deploy.reporting.data.traffic import Roof


def rooflines(report: Report) -> Iterator[Chart]:
    """Operators as points under the roof of each memory: MAC per cycle over MAC per byte, both logarithmic."""
    return map(_roofline, report.roofs)


def _roofline(roof: Roof) -> Chart:
    lowest = min(*(point.intensity for point in roof.points), roof.ridge) / 2
    highest = max(*(point.intensity for point in roof.points), roof.ridge) * 3
    corners = [
        {"intensity": lowest, "performance": lowest * roof.bytes_per_cycle},
        {"intensity": roof.ridge, "performance": roof.peak},
        {"intensity": highest, "performance": roof.peak},
    ]
    bottom = min(*(point.performance for point in roof.points), corners[0]["performance"]) / 2
    x = _logarithmic("intensity", f"MAC per byte of {roof.memory} traffic", lowest, highest)
    y = _logarithmic("performance", "MAC per cycle", bottom, roof.peak * 1.6)
    points = [
        {
            **told(point),
            "intensity": round(point.intensity, 3),
            "performance": round(point.performance, 3),
            "limit": point.limit,
        }
        for point in roof.points
    ]
    bend = {**corners[1], "text": f"ridge {roof.ridge:.3g} MAC/byte"}
    ridge: Spec = {
        "data": {"values": [bend]},
        "layer": [
            {"mark": {"type": "rule", "strokeDash": [4, 3], "color": "#888888"}, "encoding": {"x": x}},
            {
                "mark": {**TEXT, "align": "center", "baseline": "bottom", "dy": -6},
                "encoding": {"x": x, "y": y, "text": {"field": "text"}},
            },
        ],
    }
    spec = {
        "layer": [
            {
                "data": {"values": corners},
                "mark": {"type": "line", "color": "#888888", "strokeWidth": 2, "clip": True},
                "encoding": {"x": x, "y": y},
            },
            ridge,
            {
                "name": "operators",
                "data": {"values": points},
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 0.8, "tooltip": TOLD},
                "encoding": {"x": x, "y": y, "color": limit_colour(point.limit for point in roof.points)},
            },
        ]
    }
    below = sum(point.intensity < roof.ridge for point in roof.points)
    summary = (
        f"Roofline of {roof.memory}: {below} of {len(points)} operators lie below the ridge point of "
        f"{roof.ridge:.3g} MAC per byte."
    )
    rate, ridge_at = number(roof.bytes_per_cycle), number(roof.ridge)
    title = f"{roof.memory}: {rate} bytes per cycle, ridge at {ridge_at} MAC per byte"
    return Chart(f"roofline-{roof.memory.lower()}", "roofs", summary, document(spec, height=260), title)


def _logarithmic(field: str, title: str, low: float, high: float) -> Spec:
    return quantity(
        field,
        title,
        scale={"type": "log", "domain": [low, high], "nice": False},
        axis={"format": "~g", "values": _powers_of_ten(low, high)},
    )


def _powers_of_ten(lowest: float, highest: float) -> list[float]:
    return [10.0**k for k in range(math.ceil(math.log10(lowest)), math.floor(math.log10(highest)) + 1)]

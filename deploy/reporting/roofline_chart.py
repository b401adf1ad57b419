"""The roofline chart of a memory: operators as points under the roof, the ridge point marked."""

from __future__ import annotations

import math

from deploy.reporting.charts import Chart, Spec, document, limit_colour
from deploy.reporting.content import Roof


def roofline_chart(roof: Roof) -> Chart:
    """MAC per cycle over MAC per byte, both logarithmic."""
    lowest = min(*(point.intensity for point in roof.points), roof.ridge) / 2
    highest = max(*(point.intensity for point in roof.points), roof.ridge) * 3
    corners = [
        {"intensity": lowest, "performance": lowest * roof.bytes_per_cycle},
        {"intensity": roof.ridge, "performance": roof.peak},
        {"intensity": highest, "performance": roof.peak},
    ]
    bottom = min(*(point.performance for point in roof.points), corners[0]["performance"]) / 2
    x = {
        "field": "intensity",
        "type": "quantitative",
        "title": f"MAC per byte of {roof.memory} traffic",
        "scale": {"type": "log", "domain": [lowest, highest], "nice": False},
        "axis": {"format": "~g", "values": _powers_of_ten(lowest, highest)},
    }
    y = {
        "field": "performance",
        "type": "quantitative",
        "title": "MAC per cycle",
        "scale": {"type": "log", "domain": [bottom, roof.peak * 1.6], "nice": False},
        "axis": {"format": "~g", "values": _powers_of_ten(bottom, roof.peak * 1.6)},
    }
    points = [
        {
            "index": point.index,
            "operator": point.type,
            "output": point.name,
            "intensity": round(point.intensity, 3),
            "performance": round(point.performance, 3),
            "limit": point.limit,
        }
        for point in roof.points
    ]
    ridge: Spec = {
        "data": {
            "values": [
                {
                    "intensity": roof.ridge,
                    "performance": roof.peak,
                    "text": f"ridge {roof.ridge:.3g} MAC/byte",
                }
            ]
        },
        "layer": [
            {
                "mark": {"type": "rule", "strokeDash": [4, 3], "color": "#888888"},
                "encoding": {"x": x},
            },
            {
                "mark": {"type": "text", "align": "center", "baseline": "bottom", "dy": -6, "fontSize": 11},
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
                "mark": {
                    "type": "point",
                    "filled": True,
                    "size": 60,
                    "opacity": 0.8,
                    "tooltip": {"content": "data"},
                },
                "encoding": {"x": x, "y": y, "color": limit_colour(point.limit for point in roof.points)},
            },
        ]
    }
    below = sum(point.intensity < roof.ridge for point in roof.points)
    summary = (
        f"Roofline of {roof.memory}: {below} of {len(points)} operators lie below the ridge point of "
        f"{roof.ridge:.3g} MAC per byte."
    )
    return Chart(f"roofline-{roof.memory.lower()}", summary, document(spec, height=260))


def _powers_of_ten(lowest: float, highest: float) -> list[float]:
    return [10.0**k for k in range(math.ceil(math.log10(lowest)), math.floor(math.log10(highest)) + 1)]

"""Points of which the Pareto-optimal ones are filled, as the charts of sweeps and searches draw them."""

from __future__ import annotations

from deploy.reporting.charts.vega import TOLD, Spec

OPTIMAL = "Pareto-optimal"
"""Key of the values: ``yes`` or ``no``."""

IS_OPTIMAL = f"datum['{OPTIMAL}'] == 'yes'"


def pareto_points(colour: Spec, **more: Spec) -> Spec:
    """A layer of points.

    Args:
        colour: of a point.
        more: what else tells points apart.
    """
    return {
        "mark": {"type": "point", "size": 90, "strokeWidth": 1.5, "tooltip": TOLD},
        "encoding": {
            "stroke": colour,
            "fill": colour,
            "fillOpacity": {"condition": {"test": IS_OPTIMAL, "value": 0.9}, "value": 0},
            **more,
        },
    }

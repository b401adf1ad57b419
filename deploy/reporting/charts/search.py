"""The Pareto chart of a search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deploy.reporting.charts.pareto import IS_OPTIMAL, OPTIMAL, pareto_points
from deploy.reporting.charts.vega import Chart, Spec, coloured, document, quantity
from deploy.searching.documents import ACCURACY, CYCLES, Candidate, SearchResult
from deploy.searching.space import blocks_text, widths_text

_HEIGHT = 340
# Paul Tol's bright scheme: distinct for colour-blind readers, on white and on black.
_COLOURS = {"1: widths": "#4477aa", "2: blocks": "#ee6677"}


def charts(result: SearchResult, candidates: Sequence[Candidate]) -> Iterator[Chart]:
    """Accuracy against cycles: every trained candidate a point, those of the front filled and joined."""
    optimal = {entry.number for entry in result.front}
    rows = [
        {
            "network": candidate.number,
            "stage": "1: widths" if candidate.stage == 1 else "2: blocks",
            "widths": widths_text(network := candidate.network.network()),
            "blocks": blocks_text(network),
            "cycles": candidate.value(CYCLES),
            "accuracy": candidate.value(ACCURACY),
            OPTIMAL: "yes" if candidate.number in optimal else "no",
        }
        for candidate in candidates
        if candidate.status == "trained"
    ]
    scale = {"zero": False, "padding": 20}
    spec: Spec = {
        "data": {"values": rows},
        "encoding": {
            "x": quantity("cycles", f"cycles of an inference on {result.settings.npu} (estimate)", scale=scale),
            "y": quantity(
                "accuracy",
                "accuracy after the short training (measured)",
                axis={"format": ".1%"},
                scale=scale,
            ),
        },
        "layer": [
            {
                "transform": [{"filter": IS_OPTIMAL}],
                "mark": {"type": "line", "interpolate": "step-after", "color": "#888888", "strokeDash": [4, 3]},
            },
            pareto_points(coloured("stage", _COLOURS, _COLOURS)),
        ],
    }
    summary = f"Accuracy against cycles: {len(rows)} trained networks, the {len(optimal)} of the front filled."
    yield Chart("pareto", "trade-off", summary, document(spec, height=_HEIGHT))

"""The Pareto charts of sweeps and searches: the optimal points are filled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

from deploy.figures import title_of
from deploy.reporting.charts.vega import TOLD, Chart, Spec, bytes_axis, coloured, document, quantity
from deploy.reporting.data.sweep_table import remarks
from deploy.searching.documents import ACCURACY, CYCLES, Candidate, SearchResult
from deploy.sweeping.documents import SweepDocument

OPTIMAL = "Pareto-optimal"
"""Key of the values: ``yes`` or ``no``."""

IS_OPTIMAL = f"datum['{OPTIMAL}'] == 'yes'"


def pareto_points(colour: Spec, **more: Spec) -> Spec:
    """A layer of points."""
    return {
        "mark": {"type": "point", "size": 90, "strokeWidth": 1.5, "tooltip": TOLD},
        "encoding": {
            "stroke": colour,
            "fill": colour,
            "fillOpacity": {"condition": {"test": IS_OPTIMAL, "value": 0.9}, "value": 0},
            **more,
        },
    }


_HEIGHT = 300
_WIDTH = 520
# Paul Tol's muted scheme: distinct for colour-blind readers, on white and on black.
_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#999933", "#ee7733", "#009988")
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


def sweep_charts(sweep: SweepDocument) -> Iterator[Chart]:
    """Time against SRAM, flash, DRAM where any is used, and accuracy where it is known."""
    for name in ("sram_peak", "flash", "dram_peak", ACCURACY):
        values = [point.value(name) for point in sweep.points if point.status != "failed"]
        if any(value is not None and (value or name != "dram_peak") for value in values):
            yield _against_time(sweep, name)


def combined(sweep: SweepDocument, drawn: Sequence[Chart]) -> Spec:
    """All charts one above the other, as one document on white."""
    of_the_page = ("config", "autosize", "width", "height")
    subtitle = [sentence for sentence in remarks(sweep) if sentence.startswith(("estimate", "measured"))]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": {"text": sweep.model, "subtitle": subtitle[:4], "anchor": "start"},
        "background": "white",
        "padding": 12,
        "config": {"font": "sans-serif", "view": {"stroke": None}},
        "vconcat": [
            {
                **{key: value for key, value in chart.spec.items() if key not in of_the_page},
                "width": _WIDTH,
                "height": _HEIGHT,
            }
            for chart in drawn
        ],
    }


def _against_time(sweep: SweepDocument, name: str) -> Chart:
    rows = [
        {
            "network": point.network,
            "NPU": point.npu,
            "memory mode": point.memory_mode,
            "system": point.system_config,
            "optimise": point.optimise,
            "ms": point.value("inference_time"),
            "value": point.value(name),
            OPTIMAL: "yes" if point.pareto else "no",
            "fits": "yes" if point.status == "ok" else point.reason,
        }
        for point in sweep.points
        if point.value("inference_time") is not None and point.value(name) is not None
    ]
    title = title_of(name)
    most = max((float(str(row["value"])) for row in rows), default=0.0)
    by = "network" if len({row["network"] for row in rows}) > 1 else "NPU"
    names = list(dict.fromkeys(str(row[by]) for row in rows))
    colour = coloured(
        by,
        dict(zip(names, cycle(_COLOURS), strict=False)),
        names,
        legend={"orient": "bottom", "direction": "horizontal", "columns": 3 if by == "network" else 6},
    )
    modes = list(dict.fromkeys(str(row["memory mode"]) for row in rows))
    points = pareto_points(
        colour,
        shape={
            "field": "memory mode",
            "type": "nominal",
            "legend": {"columns": 2},
            "scale": {"domain": modes, "range": [_SHAPES[i % len(_SHAPES)] for i in range(len(modes))]},
        },
        opacity={"condition": {"test": "datum.fits == 'yes'", "value": 1}, "value": 0.35},
    )
    encoding: Spec = {
        "x": quantity(
            "ms", "inference time in ms (estimate)", scale={"type": "log", "nice": False, "padding": 20}
        ),
        "y": quantity(
            "value",
            title if name == ACCURACY else f"{title} (estimate)",
            axis={"format": ".1%"} if name == ACCURACY else bytes_axis(most),
            scale={"zero": name != ACCURACY},
        ),
    }
    optimal = sum(row[OPTIMAL] == "yes" for row in rows)
    spec = {"data": {"values": rows}, "encoding": encoding, "layer": [points]}
    summary = f"{title} against time: {len(rows)} points, the {optimal} Pareto-optimal ones filled."
    return Chart(name.replace("_", "-"), "charts-of-sweep", summary, document(spec, height=_HEIGHT))


def search_charts(result: SearchResult, candidates: Sequence[Candidate]) -> Iterator[Chart]:
    """Accuracy against cycles: every trained candidate a point, those of the front filled and joined."""
    optimal = {entry.number for entry in result.front}
    stages = [f"{number}: {name}" for number, name in enumerate(result.stages, start=1)]
    rows = [
        {
            **candidate.columns,
            "network": candidate.number,
            "stage": stages[candidate.stage - 1],
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
                "accuracy", "accuracy after the short training (measured)", axis={"format": ".1%"}, scale=scale
            ),
        },
        "layer": [
            {
                "transform": [{"filter": IS_OPTIMAL}],
                "mark": {"type": "line", "interpolate": "step-after", "color": "#888888", "strokeDash": [4, 3]},
            },
            pareto_points(coloured("stage", dict(zip(stages, cycle(_COLOURS), strict=False)), stages)),
        ],
    }
    summary = f"Accuracy against cycles: {len(rows)} trained networks, the {len(optimal)} of the front filled."
    yield Chart("pareto", "trade-off", summary, document(spec, height=340))

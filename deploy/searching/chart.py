"""The Pareto chart of a search, in a self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from deploy.reporting.chart_library import javascript
from deploy.reporting.charts import Chart, Spec
from deploy.reporting.charts import document as page_chart
from deploy.reporting.page import content_policy, script_json
from deploy.searching.documents import ACCURACY, CYCLES, Candidate, SearchResult
from deploy.searching.text import headings, remarks, row

CHART = "pareto.html"

_HEIGHT = 340
# Paul Tol's bright scheme: distinct for colour-blind readers, on white and on black.
_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")


def pareto(result: SearchResult, candidates: Sequence[Candidate]) -> Chart:
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
            "Pareto-optimal": "yes" if candidate.number in optimal else "no",
        }
        for candidate in candidates
        if candidate.status == "trained"
    ]
    coloured: Spec = {
        "field": "stage",
        "type": "nominal",
        "scale": {"domain": stages, "range": list(_COLOURS[: len(stages)])},
    }
    on_front = "datum['Pareto-optimal'] == 'yes'"
    spec: Spec = {
        "data": {"values": rows},
        "encoding": {
            "x": {
                "field": "cycles",
                "type": "quantitative",
                "title": f"cycles of an inference on {result.settings.npu} (estimate)",
                "scale": {"zero": False, "padding": 20},
            },
            "y": {
                "field": "accuracy",
                "type": "quantitative",
                "title": "accuracy after the short training (measured)",
                "axis": {"format": ".1%"},
                "scale": {"zero": False, "padding": 20},
            },
        },
        "layer": [
            {
                "transform": [{"filter": on_front}],
                "mark": {"type": "line", "interpolate": "step-after", "color": "#888888", "strokeDash": [4, 3]},
            },
            {
                "mark": {"type": "point", "size": 90, "strokeWidth": 1.5, "tooltip": {"content": "data"}},
                "encoding": {
                    "stroke": coloured,
                    "fill": coloured,
                    "fillOpacity": {"condition": {"test": on_front, "value": 0.9}, "value": 0},
                },
            },
        ],
    }
    summary = f"Accuracy against cycles: {len(rows)} trained networks, the {len(optimal)} of the front filled."
    return Chart("pareto", summary, page_chart(spec, height=_HEIGHT))


def page(result: SearchResult, candidates: Sequence[Candidate]) -> str:
    """One HTML page with chart, table and charting library, that asks nothing of a network.

    Raises:
        NotInstalledError: the charting library is missing.
    """
    import jinja2

    library, script = javascript(), _resource("report.js")
    chart = pareto(result, candidates)
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: _resource(name, "search")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    return environment.get_template("search.html.j2").render(
        result=result,
        chart=chart,
        headings=headings(result),
        rows=[row(entry, result) for entry in result.front],
        remarks=remarks(result),
        data=script_json({chart.key: chart.spec}),
        style=_resource("report.css"),
        library=library,
        script=script,
        policy=content_policy([library, script]),
    )


def _resource(name: str, folder: str = "report") -> str:
    return files("deploy.templates").joinpath(folder, name).read_text(encoding="utf-8")

"""The Pareto chart of a sweep: Vega-Lite documents, drawn as SVG or PNG, or in a self-contained HTML page."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from deploy.errors import BadInputError, NotInstalledError
from deploy.files import write_bytes, write_text
from deploy.reporting.chart_library import javascript
from deploy.reporting.charts import Chart, Spec, bytes_axis
from deploy.reporting.charts import document as page_chart
from deploy.reporting.page import content_policy, script_json
from deploy.sweeping.documents import SweepDocument
from deploy.sweeping.pareto import ACCURACY
from deploy.sweeping.text import columns, remarks
from deploy.tables import title_of

FORMATS = (".html", ".svg", ".png")
_HEIGHT = 300
_WIDTH = 520
_SCALE = 2.0
# Paul Tol's muted scheme: distinct for colour-blind readers, on white and on black.
_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#999933", "#ee7733", "#009988")
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


def check_format(path: Path) -> None:
    """Check, before long work, that a chart can be written there in the end.

    Raises:
        BadInputError: not a format that is known.
        NotInstalledError: the charting library is missing.
    """
    if path.suffix.lower() not in FORMATS:
        raise BadInputError(f"--chart {path}: the name must end in {', '.join(FORMATS)}")
    from deploy.reporting import chart_library

    if chart_library.installed_version() is None:
        raise NotInstalledError(
            "--chart needs the charting library Vega, which is not installed",
            hints=["pip install 'vl-convert-python>=1.9,<2'", "or with this package's extra `charts`"],
        )


def write_chart(document: SweepDocument, path: Path) -> None:
    """Write the chart in the format that the file's name says.

    Raises:
        BadInputError: it cannot be written.
        NotInstalledError: the charting library is missing.
    """
    check_format(path)
    kind = path.suffix.lower()
    if kind == ".html":
        write_text(path, page(document))
        return
    import vl_convert

    spec = combined(document)
    if kind == ".svg":
        write_text(path, vl_convert.vegalite_to_svg(spec, vl_version="v6.1"))
    else:
        write_bytes(path, vl_convert.vegalite_to_png(spec, vl_version="v6.1", scale=_SCALE))


def charts(document: SweepDocument) -> list[Chart]:
    """Time against SRAM, flash, DRAM where any is used, and accuracy where it is known."""
    found = []
    for name in ("sram_peak", "flash", "dram_peak", ACCURACY):
        values = [point.value(name) for point in document.points if point.status != "failed"]
        if any(value is not None and (value or name != "dram_peak") for value in values):
            found.append(_against_time(document, name))
    return found


def combined(document: SweepDocument) -> Spec:
    """All charts one above the other, as one document on white."""
    drawn = []
    for chart in charts(document):
        content = {
            key: value for key, value in chart.spec.items() if key not in ("config", "autosize", "width", "height")
        }
        drawn.append({**content, "width": _WIDTH, "height": _HEIGHT})
    subtitle = [sentence for sentence in remarks(document) if sentence.startswith(("estimate", "measured"))]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": {"text": document.model, "subtitle": subtitle[:4], "anchor": "start"},
        "background": "white",
        "padding": 12,
        "config": {"font": "sans-serif", "view": {"stroke": None}},
        "vconcat": drawn,
    }


def _against_time(document: SweepDocument, name: str) -> Chart:
    rows = [
        {
            "network": point.network,
            "NPU": point.npu,
            "memory mode": point.memory_mode,
            "system": point.system_config,
            "optimise": point.optimise,
            "ms": point.value("inference_time"),
            "value": point.value(name),
            "Pareto-optimal": "yes" if point.pareto else "no",
            "fits": "yes" if point.status == "ok" else point.reason,
        }
        for point in document.points
        if point.value("inference_time") is not None and point.value(name) is not None
    ]
    title = title_of(name)
    most = max((float(str(row["value"])) for row in rows), default=0.0)
    axis: Spec = {"format": ".1%"} if name == ACCURACY else bytes_axis(most)
    y: Spec = {
        "field": "value",
        "type": "quantitative",
        "title": title if name == ACCURACY else f"{title} (estimate)",
        "axis": axis,
        "scale": {"zero": name != ACCURACY},
    }
    colour = "network" if len({row["network"] for row in rows}) > 1 else "NPU"
    domain = list(dict.fromkeys(row[colour] for row in rows))
    coloured: Spec = {
        "field": colour,
        "type": "nominal",
        "legend": {"orient": "bottom", "direction": "horizontal", "columns": 3 if colour == "network" else 6},
        "scale": {"domain": domain, "range": [_COLOURS[i % len(_COLOURS)] for i in range(len(domain))]},
    }
    shapes = list(dict.fromkeys(row["memory mode"] for row in rows))
    encoding: Spec = {
        "x": {
            "field": "ms",
            "type": "quantitative",
            "title": "inference time in ms (estimate)",
            "scale": {"type": "log", "nice": False, "padding": 20},
        },
        "y": y,
    }
    points: Spec = {
        "mark": {"type": "point", "size": 90, "strokeWidth": 1.5, "tooltip": {"content": "data"}},
        "encoding": {
            "stroke": coloured,
            "fill": coloured,
            "shape": {
                "field": "memory mode",
                "type": "nominal",
                "legend": {"columns": 2},
                "scale": {"domain": shapes, "range": [_SHAPES[i % len(_SHAPES)] for i in range(len(shapes))]},
            },
            "fillOpacity": {"condition": {"test": "datum['Pareto-optimal'] == 'yes'", "value": 0.9}, "value": 0},
            "opacity": {"condition": {"test": "datum.fits == 'yes'", "value": 1}, "value": 0.35},
        },
    }
    optimal = sum(row["Pareto-optimal"] == "yes" for row in rows)
    spec = {"data": {"values": rows}, "encoding": encoding, "layer": [points]}
    summary = f"{title} against time: {len(rows)} points, the {optimal} Pareto-optimal ones filled."
    return Chart(name.replace("_", "-"), summary, page_chart(spec, height=_HEIGHT))


def page(document: SweepDocument) -> str:
    """One HTML page with table, charts and charting library, that asks nothing of a network.

    Raises:
        NotInstalledError: the charting library is missing.
    """
    import jinja2

    library, script = javascript(), _resource("report.js")
    drawn = charts(document)
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: _resource(name, "sweep")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    shown = columns(document)
    rows: list[dict[str, Any]] = [
        {
            "point": point,
            "cells": [
                {"number": bool(column.figure), "value": point.value(column.figure), "text": column.text(point)}
                for column in shown
            ],
        }
        for point in document.points
    ]
    return environment.get_template("sweep.html.j2").render(
        document=document,
        columns=shown,
        rows=rows,
        charts=drawn,
        remarks=remarks(document),
        data=script_json({chart.key: chart.spec for chart in drawn}),
        style=_resource("report.css"),
        library=library,
        script=script,
        policy=content_policy([library, script]),
    )


def _resource(name: str, folder: str = "report") -> str:
    return files("deploy.templates").joinpath(folder, name).read_text(encoding="utf-8")

"""The HTML report: one file with style, data, charts and charting library in it, that asks nothing of a network.

Names come from model files, so three walls stand between them and the page: Jinja escapes them in HTML, the data
of the charts cannot leave its script element (:func:`script_json`), and a content security policy lets the browser
run the scripts whose hashes it names, and load nothing.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import json
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.build_folder import BuildFolder, Figure
from deploy.errors import BadInputError, NotInstalledError
from deploy.files import write_text
from deploy.reporting import charts
from deploy.reporting.chart_library import javascript
from deploy.reporting.charts import Chart
from deploy.reporting.collecting import collect, collect_compilation
from deploy.reporting.content import Report, shown
from deploy.reporting.graph_chart import graph_chart
from deploy.reporting.memory_chart import memory_chart
from deploy.reporting.output_charts import confusion_chart, histogram_chart
from deploy.reporting.roofline_chart import roofline_chart
from deploy.tables import figure_title, format_bytes, format_figure

if TYPE_CHECKING:
    from jinja2 import Template

REPORT_FILE = "report.html"
MAX_ROWS = 500
"""Most operators of the table; of more the costliest are listed."""
_SUMMARY = (
    "inference_time",
    "total_cycles",
    "macs",
    "sram_peak",
    "dram_peak",
    "flash",
    "npu_operators",
    "cpu_operators",
)


def write_report(build: BuildFolder, path: Path | None = None) -> Path:
    """Write the report of a build and return where it is.

    Args:
        build: opened.
        path: file to write; default ``report.html`` in the build folder.

    Raises:
        BadInputError: the folder holds damaged files, or the report cannot be written.
        NotInstalledError: the charting library is missing.
    """
    library = javascript()
    path = path or build.path / REPORT_FILE
    write_text(path, render(collect(build), library))
    return path


def preload(build: BuildFolder | None = None) -> None:
    """Make ready what a report needs, while another process is waited for: 0.25 s of work (measured).

    Args:
        build: one that is compiled already.
    """
    with contextlib.suppress(BadInputError, NotInstalledError):  # Writing the report will say so.
        javascript()
        _template()
        if build is not None:
            collect_compilation(build)


def render(report: Report, library: str) -> str:
    """The page.

    Args:
        report: what it shows.
        library: JavaScript that defines ``window.vegaEmbed``.
    """
    drawn = {chart.key: chart for chart in all_charts(report)}
    script = _resource("report.js")
    return _template().render(
        report=report,
        document=report.document,
        most_rows=MAX_ROWS,
        figures=_figures(report),
        operators=sorted(report.operators, key=lambda row: -(row.cycles or 0))[:MAX_ROWS],
        total_cycles=sum(row.cycles or 0 for row in report.operators) or 1,
        cpu_operators=[row for row in report.operators if row.placement == "CPU"][:MAX_ROWS],
        charts=drawn,
        data=script_json({key: chart.spec for key, chart in drawn.items()}),
        colours=charts.LIMIT_COLOURS,
        style=_resource("report.css"),
        library=library,
        script=script,
        policy=content_policy([library, script]),
    )


def _figures(report: Report) -> list[Figure]:
    """The figures of the summary: what Vela estimates, then what the target and its labels gave."""
    known = (report.document.figure(name) for name in _SUMMARY)
    found = [figure for figure in known if figure and (figure.value or figure.name != "dram_peak")]
    for verdict in report.verdicts.values():
        found += [
            figure
            for figure in verdict.figures[:100]
            if figure.name == "target_npu_active_cycles" or figure.name.startswith("accuracy_")
        ]
    return found


def all_charts(report: Report) -> Iterable[Chart]:
    """Every chart that the report has data for."""
    found = [
        charts.cycles_chart(report.operators),
        charts.limits_chart(report.operators),
        *(memory_chart(memory) for memory in report.memories),
        charts.flash_chart(report.flash.parts) if report.flash.parts else None,
        charts.compression_chart(report.flash.weights),
        *(roofline_chart(roof) for roof in report.roofs),
        charts.traffic_chart(report.traffic),
        graph_chart(report.graph),
    ]
    for command, verdict in report.verdicts.items():
        for number, output in enumerate(verdict.outputs):
            found.append(histogram_chart(f"histogram-{command}-{number}", output))
        for number, confusion in enumerate(report.confusions.get(command, ())):
            found.append(confusion_chart(f"confusion-{command}-{number}", confusion))
    return (chart for chart in found if chart is not None)


def script_json(data: Any) -> str:
    """JSON that stays inside its script element whatever strings it holds."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def content_policy(scripts: Iterable[str]) -> str:
    """A content security policy: only these inline scripts run, nothing is loaded, nothing is sent."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )


@functools.cache
def _template() -> Template:
    import jinja2

    from deploy.reporting.template_cache import TemplateCache

    options: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True, "autoescape": True}
    environment = jinja2.Environment(  # noqa: S701 - autoescape is among the options
        loader=jinja2.FunctionLoader(_resource),
        undefined=jinja2.StrictUndefined,
        bytecode_cache=TemplateCache(options),
        **options,
    )
    environment.filters |= {
        "bytes": format_bytes,
        "figure": format_figure,
        "figure_title": figure_title,
        "shown": shown,
        "number": _number,
    }
    return environment.get_template("report.html.j2")


def _number(value: float | None, digits: int = 4) -> str:
    """A number for people; a dash for none."""
    if value is None:
        return "-"
    return f"{int(value):,}" if value == int(value) else f"{value:.{digits}g}"


def _resource(name: str) -> str:
    return files("deploy.templates").joinpath("report", name).read_text(encoding="utf-8")

"""The HTML report: one file with style, data, charts and charting library in it; it asks nothing of a network."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from deploy.build_folder import BuildFolder, Figure
from deploy.errors import BadInputError, NotInstalledError
from deploy.files import write_text
from deploy.reporting import charts
from deploy.reporting.advice_rows import hint_row
from deploy.reporting.build_figures import ACCURACY, MEASURED_ON_TARGET
from deploy.reporting.chart_library import javascript
from deploy.reporting.charts import Chart
from deploy.reporting.collecting import collect, collect_compilation
from deploy.reporting.content import Report
from deploy.reporting.graph_chart import graph_chart
from deploy.reporting.memory_chart import memory_chart
from deploy.reporting.output_charts import confusion_chart, histogram_chart
from deploy.reporting.page import page, template
from deploy.reporting.roofline_chart import roofline_chart

REPORT_FILE = "report.html"
_TEMPLATE = "report.html.j2"
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
        template(_TEMPLATE)
        if build is not None:
            collect_compilation(build)


def render(report: Report, library: str) -> str:
    """The page.

    Args:
        report: what it shows.
        library: JavaScript that defines ``window.vegaEmbed``.
    """
    return page(
        _TEMPLATE,
        all_charts(report),
        library,
        report=report,
        document=report.document,
        most_rows=MAX_ROWS,
        figures=_figures(report),
        operators=sorted(report.operators, key=lambda row: -(row.cycles or 0))[:MAX_ROWS],
        total_cycles=sum(row.cycles or 0 for row in report.operators) or 1,
        cpu_operators=[row for row in report.operators if row.placement == "CPU"][:MAX_ROWS],
        hints=[hint_row(hint) for hint in report.advice.hints[:MAX_ROWS]] if report.advice else [],
        colours=charts.LIMIT_COLOURS,
    )


def _figures(report: Report) -> list[Figure]:
    """The figures of the summary: what Vela estimates, then what the target and its labels gave."""
    known = (report.document.figure(name) for name in _SUMMARY)
    found = [figure for figure in known if figure and (figure.value or figure.name != "dram_peak")]
    for verdict in report.verdicts.values():
        found += [figure for figure in verdict.figures[:100] if figure.name == MEASURED_ON_TARGET]
    judged = [report.evaluation] if report.evaluation else report.verdicts.values()
    for document in judged:
        found += [figure for figure in document.figures[:100] if figure.name.startswith(ACCURACY)]
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

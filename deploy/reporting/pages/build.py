"""The page of a build: one file with style, data, charts and charting library in it; no network is asked."""

from __future__ import annotations

import contextlib
from pathlib import Path

from deploy.build_folder import BuildFolder, Figure
from deploy.errors import BadInputError, NotInstalledError
from deploy.files import write_text
from deploy.reporting.charts.cycles import LIMIT_COLOURS
from deploy.reporting.charts.gallery import BUILD
from deploy.reporting.charts.library import javascript
from deploy.reporting.charts.outputs import MOST_OUTPUTS
from deploy.reporting.data.advice_rows import hint_row
from deploy.reporting.data.build_documents import ACCURACY, MEASURED_ON_TARGET
from deploy.reporting.data.key_facts import key_facts
from deploy.reporting.data.report import Report, collect, collect_compilation
from deploy.reporting.data.standing import standing_of
from deploy.reporting.pages.page import page, template

_TEMPLATE = "build.html.j2"
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
    """Write the report of a build, by default as ``report.html`` in its folder, and return where it is.

    Raises:
        BadInputError: the folder holds damaged files, or the report cannot be written.
        NotInstalledError: the charting library is missing.
    """
    library = javascript()
    path = path or build.report_file
    write_text(path, render(collect(build), library))
    return path


def preload(build: BuildFolder | None = None) -> None:
    """Make ready what a compiled build's report needs, while another process is waited for: 0.25 s (measured)."""
    with contextlib.suppress(BadInputError, NotInstalledError):  # Writing the report will say so.
        javascript()
        template(_TEMPLATE)
        if build is not None:
            collect_compilation(build)


def render(report: Report, library: str) -> str:
    """The page."""
    return page(
        _TEMPLATE,
        (chart for draw in BUILD for chart in draw(report)),
        library,
        version=report.document.versions.get("deploy", ""),
        report=report,
        document=report.document,
        most_rows=MAX_ROWS,
        most_outputs=MOST_OUTPUTS,
        standing=standing_of(report),
        facts=key_facts(report),
        figures=_figures(report),
        operators=sorted(report.operators, key=lambda row: -(row.cycles or 0))[:MAX_ROWS],
        total_cycles=sum(row.cycles or 0 for row in report.operators) or 1,
        cpu_operators=[row for row in report.operators if row.placement == "CPU"][:MAX_ROWS],
        hints=[hint_row(hint) for hint in report.advice.hints[:MAX_ROWS]] if report.advice else [],
        colours=LIMIT_COLOURS,
    )


def _figures(report: Report) -> list[Figure]:
    """The figures of the summary: what Vela estimates, then what the target and its labels gave."""
    known = (report.document.figure(name) for name in _SUMMARY)
    found = [figure for figure in known if figure and (figure.value or figure.name != "dram_peak")]
    for verdict in report.verdicts.values():
        found += [figure for figure in verdict.figures[:100] if figure.name == MEASURED_ON_TARGET]
    # Of two verdicts' accuracy the one on more inputs says more.
    judged = (
        [report.evaluation] if report.evaluation else sorted(report.verdicts.values(), key=lambda one: one.inputs)
    )
    figures = (figure for document in judged for figure in document.figures[:100])
    return [*found, *{figure.name: figure for figure in figures if figure.name.startswith(ACCURACY)}.values()]

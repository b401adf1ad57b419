"""The page of a comparison: builds side by side, in the style of a build's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy.errors import BadInputError
from deploy.files import write_text
from deploy.reporting.charts.gallery import COMPARISON
from deploy.reporting.charts.library import javascript
from deploy.reporting.charts.vega import BUILD_COLOURS
from deploy.reporting.data import difference_words
from deploy.reporting.data.build_documents import ACCURACY
from deploy.reporting.data.report import Report
from deploy.reporting.data.side_by_side import side_by_side
from deploy.reporting.documents import Comparison
from deploy.reporting.pages.page import page

COMPARISON_FILE = "comparison.html"
MAX_BUILDS = 8
"""Most builds of a page: they have a colour each, and the page stays below 2 MB."""

MAX_CHANGES = 200
"""Most operators of a table."""

_MAX_CHANGES = 600
"""The same of all builds together."""

_TILES = ("inference_time", "total_cycles", "sram_peak", "dram_peak", "flash", "cpu_operators")


def write_comparison(comparison: Comparison, reports: Sequence[Report], path: Path) -> Path:
    """Write the page and return where it is.

    Raises:
        BadInputError: more builds than a page holds, or it cannot be written.
        NotInstalledError: the charting library is missing.
    """
    check_count(len(reports))
    write_text(path, render(comparison, reports, javascript()))
    return path


def check_count(builds: int) -> None:
    """Check how many builds a page is asked to hold.

    Raises:
        BadInputError: they are too many.
    """
    if builds > MAX_BUILDS:
        raise BadInputError(
            f"--format html compares at most {MAX_BUILDS} builds, these are {builds}",
            hints=["for more: --format text, or --format json"],
        )


def render(comparison: Comparison, reports: Sequence[Report], library: str) -> str:
    """The page."""
    builds = side_by_side(comparison, reports)
    versions = dict.fromkeys(name for report in reports for name in report.document.versions)
    return page(
        "comparison.html.j2",
        (chart for draw in COMPARISON for chart in draw(builds)),
        library,
        version=reports[0].document.versions.get("deploy", ""),
        comparison=comparison,
        rows=builds.rows,
        sides=builds.sides,
        tiles=[row for row in builds.rows if row.name in _TILES or row.name.startswith(ACCURACY)],
        memories=builds.memories,
        versions=list(versions),
        most_changes=min(_MAX_CHANGES // len(builds.others), MAX_CHANGES),
        words=difference_words,
        colours=BUILD_COLOURS,
        created=reports[0].created,
    )

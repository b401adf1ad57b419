"""The pages of a sweep and of a search: Pareto charts and tables; or a sweep's charts as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy.errors import BadInputError
from deploy.files import write_bytes, write_text
from deploy.reporting.charts.library import installed_version, javascript, png, svg
from deploy.reporting.charts.pareto import combined, search_charts, sweep_charts
from deploy.reporting.charts.vega import printable_spec
from deploy.reporting.data import search_table
from deploy.reporting.data.sweep_table import columns, remarks
from deploy.reporting.pages.page import page
from deploy.searching.documents import Candidate, SearchResult
from deploy.sweeping.documents import SweepDocument

FORMATS = (".html", ".svg", ".png")


def check_format(path: Path) -> None:
    """Check, before long work, that a chart can be written there in the end.

    Raises:
        BadInputError: not a format that is known.
        NotInstalledError: the charting library is missing.
    """
    if path.suffix.lower() not in FORMATS:
        raise BadInputError(f"--chart {path}: the name must end in {', '.join(FORMATS)}")
    installed_version("--chart")


def write_sweep(sweep: SweepDocument, path: Path) -> None:
    """Write the page, or the picture, as the file's name says.

    Raises:
        BadInputError: it cannot be written.
        NotInstalledError: the charting library is missing.
    """
    check_format(path)
    kind = path.suffix.lower()
    if kind == ".html":
        write_text(path, render_sweep(sweep, javascript()))
        return
    picture = printable_spec(combined(sweep, list(sweep_charts(sweep))))
    if kind == ".svg":
        write_text(path, svg(picture))
    else:
        write_bytes(path, png(picture))


def render_sweep(sweep: SweepDocument, library: str) -> str:
    """The page."""
    return page(
        "sweep.html.j2",
        sweep_charts(sweep),
        library,
        version=sweep.versions.get("deploy", ""),
        sweep=sweep,
        columns=columns(sweep),
        remarks=remarks(sweep),
    )


SEARCH_FILE = "pareto.html"


def write_search(result: SearchResult, candidates: Sequence[Candidate], path: Path) -> None:
    """Write the page.

    Raises:
        BadInputError: it cannot be written.
        NotInstalledError: the charting library is missing.
    """
    write_text(path, render_search(result, candidates, javascript()))


def render_search(result: SearchResult, candidates: Sequence[Candidate], library: str) -> str:
    """The page."""
    return page(
        "search.html.j2",
        search_charts(result, candidates),
        library,
        version=result.settings.versions.get("deploy", ""),
        result=result,
        headings=search_table.headings(result),
        rows=[search_table.row(entry, result) for entry in result.front],
        remarks=search_table.remarks(result),
    )

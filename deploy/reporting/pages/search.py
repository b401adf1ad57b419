"""The page of a search: its chart and the table of its front."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy.files import write_text
from deploy.reporting.charts.library import javascript
from deploy.reporting.charts.search import charts
from deploy.reporting.data.search_table import HEADINGS, NUMERIC, remarks, row
from deploy.reporting.pages.page import page
from deploy.searching.documents import Candidate, SearchResult

SEARCH_FILE = "pareto.html"


def write_search(result: SearchResult, candidates: Sequence[Candidate], path: Path) -> None:
    """Write the page.

    Raises:
        BadInputError: it cannot be written.
        NotInstalledError: the charting library is missing.
    """
    write_text(path, render(result, candidates, javascript()))


def render(result: SearchResult, candidates: Sequence[Candidate], library: str) -> str:
    """The page.

    Args:
        result: the front.
        candidates: all networks that were tried.
        library: JavaScript that defines ``window.vegaEmbed``.
    """
    return page(
        "search.html.j2",
        charts(result, candidates),
        library,
        version=result.settings.versions.get("deploy", ""),
        result=result,
        headings=HEADINGS,
        numeric=NUMERIC,
        rows=[row(entry, result) for entry in result.front],
        remarks=remarks(result),
    )

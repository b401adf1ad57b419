"""Prints a search: the networks of its front, and what its figures are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.reporting.data.search_table import HEADINGS, NUMERIC, remarks, row
from deploy.reporting.text.tables import column, table_of
from deploy.searching.documents import SearchResult

if TYPE_CHECKING:
    from rich.console import Console


def print_search(result: SearchResult, console: Console) -> None:
    """Print the front and the remarks."""
    limit = result.settings.limit_cycles
    within = f", at most {limit:,} cycles" if limit else ""
    columns = (
        column(heading, justify="right" if index in NUMERIC else "left", no_wrap=True)
        for index, heading in enumerate(HEADINGS)
    )
    table = table_of(f"Pareto front on {result.settings.npu}{within}", *columns)
    for entry in result.front:
        table.add_row(*row(entry, result))
    if result.front:
        console.print(table)
    for remark in remarks(result):
        console.print(remark)

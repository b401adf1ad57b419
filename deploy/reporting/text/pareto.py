"""Prints sweeps and searches as tables for the terminal, and writes sweeps as CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Literal

from deploy.reporting.data import search_table
from deploy.reporting.data.sweep_table import Column, columns, remarks
from deploy.reporting.text.tables import column, table_of
from deploy.searching.documents import SearchResult
from deploy.sweeping.documents import SweepDocument, SweepPoint
from deploy.sweeping.pareto import ACCURACY

if TYPE_CHECKING:
    from rich.console import Console

PARETO_MARK = "*"
_FILES_ONLY = frozenset(["total_cycles"])


def print_sweep(document: SweepDocument, console: Console) -> None:
    """Print the table, what is best in what, what was left out and what the figures are."""
    # Beside each other at 80 columns; the files hold all figures.
    shown = [
        one
        for one in columns(document)
        if one.figure not in _FILES_ONLY and one.title != "reason" and not one.figure.startswith(f"{ACCURACY}_")
    ]
    table = table_of(f"{document.model}: {len(document.points)} points, {PARETO_MARK} marks the Pareto-optimal")
    table.padding, table.collapse_padding = (0, 1), True
    for one in shown:
        justify: Literal["left", "right"] = "right" if one.figure else "left"
        table.add_column(one.title, justify=justify, no_wrap=one.title != "network")
    for point in document.points:
        table.add_row(*(_marked(one, point) for one in shown))
    console.print(table)
    for sentence in remarks(document):
        console.print(sentence)


def _marked(column: Column, point: SweepPoint) -> str:
    text = column.text(point)
    return f"{text} {PARETO_MARK}" if point.pareto and column.title == "NPU" else text


def csv_text(document: SweepDocument) -> str:
    """All points, one a row, figures in the units that the heading names (``sram_peak [bytes]``)."""
    units: dict[str, str] = {}
    for point in document.points:
        for figure in point.figures:
            units.setdefault(figure.name, f"{figure.name} [{figure.unit}, {figure.label}]")
    fixed = ("network", "npu", "system_config", "memory_mode", "optimise", "status", "pareto", "reason", "command")
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*fixed, *units.values()])
    for point in document.points:
        values = (point.value(name) for name in units)
        writer.writerow(
            [
                *(_cell(getattr(point, name)) for name in fixed),
                *("" if value is None else f"{value:.12g}" for value in values),
            ]
        )
    return buffer.getvalue()


def _cell(value: object) -> str:
    """Text of a cell; what a spreadsheet would take for a formula starts with a quote."""
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text


def print_search(result: SearchResult, console: Console) -> None:
    """Print the front and the remarks."""
    limit = result.settings.limit_cycles
    within = f", at most {limit:,} cycles" if limit else ""
    columns = (
        column(heading, justify="right" if numeric else "left", no_wrap=True)
        for heading, numeric in search_table.headings(result)
    )
    table = table_of(f"Pareto front on {result.settings.npu}{within}", *columns)
    for entry in result.front:
        table.add_row(*search_table.row(entry, result))
    if result.front:
        console.print(table)
    for remark in search_table.remarks(result):
        console.print(remark)

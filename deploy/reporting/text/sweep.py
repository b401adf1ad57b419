"""Prints a sweep as a table for the terminal, and writes it as CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from deploy.reporting.data.sweep_table import Column, columns, remarks
from deploy.reporting.text.tables import table_of
from deploy.sweeping.documents import SweepDocument, SweepPoint
from deploy.sweeping.pareto import ACCURACY

if TYPE_CHECKING:
    from rich.console import Console

PARETO_MARK = "*"
_FILES_ONLY = frozenset(["total_cycles"])


def print_sweep(document: SweepDocument, console: Console) -> None:
    """Print the table, what is best in what, what was left out and what the figures are."""
    # Beside each other at 80 columns; the files hold all figures.
    shown = [column for column in columns(document) if column.figure not in _FILES_ONLY]
    shown = [column for column in shown if column.title != "reason"]
    shown = [column for column in shown if not column.figure.startswith(f"{ACCURACY}_")]
    table = table_of(f"{document.model}: {len(document.points)} points, {PARETO_MARK} marks the Pareto-optimal")
    table.padding, table.collapse_padding = (0, 1), True
    for column in shown:
        wraps = column.title == "network"
        table.add_column(column.title, justify="right" if column.figure else "left", no_wrap=not wraps)
    for point in document.points:
        table.add_row(*(_marked(column, point) for column in shown))
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

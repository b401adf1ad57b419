"""A sweep for people and spreadsheets: rich table and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.build_folder import Figure
from deploy.sweeping.documents import SweepDocument, SweepPoint
from deploy.sweeping.pareto import ACCURACY
from deploy.tables import sources_of, table_of, title_of

if TYPE_CHECKING:
    from rich.console import Console

PARETO_MARK = "*"
_COLUMNS = ("inference_time", "total_cycles", "sram_peak", "flash", "dram_peak", "cpu_operators")
_FORMATS = {
    # Figure: heading, digits behind the point, unit of the heading.
    "inference_time": ("time\nms", 4, 1.0),
    "total_cycles": ("cycles", 0, 1.0),
    "sram_peak": ("SRAM\nKiB", 1, 1024.0),
    "flash": ("flash\nKiB", 1, 1024.0),
    "dram_peak": ("DRAM\nKiB", 1, 1024.0),
    "cpu_operators": ("on\nCPU", 0, 1.0),
}
_FILES_ONLY = frozenset(["total_cycles"])
_ALWAYS = frozenset(["inference_time", "sram_peak", "flash"])


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        title: its heading.
        text: what it says of a point.
        figure: name of the figure that it shows; empty for text.
    """

    title: str
    text: Callable[[SweepPoint], str]
    figure: str = ""


def columns(document: SweepDocument) -> list[Column]:
    """The columns that tell points apart, and the figures that any point has."""
    points = document.points
    systems = {(point.npu, point.system_config) for point in points}
    axes = [
        (
            Column("network", lambda point: " ".join(point.assignments) or point.network),
            len({point.network for point in points}) > 1,
        ),
        (Column("NPU", lambda point: point.npu), True),
        (Column("system", _system), len(systems) > len({point.npu for point in points})),
        (Column("memory mode", lambda point: point.memory_mode), len({point.memory_mode for point in points}) > 1),
        (Column("optimise", lambda point: point.optimise), len({point.optimise for point in points}) > 1),
    ]
    found = [axis for axis, tells in axes if tells]
    for name in (*_COLUMNS, *accuracies(document)):
        if name in _ALWAYS or any(point.value(name) for point in points):
            found.append(_figure_column(name))
    if any(point.reason for point in points):
        found.append(Column("reason", lambda point: point.reason or ""))
    return found


def _system(point: SweepPoint) -> str:
    """Without the NPU's family, which stands in the column before."""
    return point.system_config.removeprefix(f"Ethos_{point.npu.partition('-')[0]}_")


def accuracies(document: SweepDocument) -> list[str]:
    """Names of the accuracy figures."""
    return list(
        dict.fromkeys(
            figure.name
            for point in document.points
            for figure in point.figures
            if figure.name.startswith(ACCURACY)
        )
    )


def _figure_column(name: str) -> Column:
    title, digits, scale = _FORMATS.get(name, (title_of(name), 0, 1.0))
    if name.startswith(ACCURACY):
        title, digits, scale = f"{title_of(name)}\n%", 2, 0.01

    def text(point: SweepPoint) -> str:
        value = point.value(name)
        return "-" if value is None else f"{value / scale:,.{digits}f}"

    return Column(title, text, name)


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


def remarks(document: SweepDocument) -> list[str]:
    """What stands below the table, one sentence each."""
    names = ", ".join(title_of(objective.name) for objective in document.objectives)
    found = [f"Pareto-optimal: no other point is better in one of {names} and as good in the rest."]
    left_out: dict[tuple[str, str], list[str]] = {}
    for skipped in document.skipped:
        left_out.setdefault((skipped.what, skipped.reason), []).append(skipped.npu)
    found += [f"left out: {what} on {', '.join(npus)}: {reason}" for (what, reason), npus in left_out.items()]
    cached = sum(point.cached for point in document.points)
    if cached:
        found.append(f"{cached} of {len(document.points)} points were known from earlier sweeps.")
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for point in document.points:
        if point.reason:
            words = (point.status, " ".join(point.assignments), point.reason)
            reasons.setdefault(words, []).append(point.npu)
    for (status, network, reason), npus in reasons.items():
        on = ", ".join(dict.fromkeys(npus))
        found.append(f"{status}: {f'{network} on ' if network else ''}{on}: {reason}")
    found += [f"note: {warning}" for warning in document.warnings]
    operators = sorted({operator for point in document.points for operator in point.cpu_operators})
    if operators:
        found.append(f"note: times leave out operators on the CPU ({', '.join(operators)}): Vela estimates none")
    if len({point.system_config for point in document.points}) > 1:
        found.append("Estimates of different system configurations do not compare.")
    figures: list[Figure] = [figure for point in document.points for figure in point.figures]
    return [*found, *sources_of(figures)[:_MOST_SOURCES]]


_MOST_SOURCES = 12


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

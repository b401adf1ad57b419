"""Prints a comparison: figures side by side, coloured on a terminal, plain in a pipe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from deploy.figures import format_bytes, title_of
from deploy.judging.standing_word import stamp_of
from deploy.reporting.data.difference_words import (
    difference_words,
    judged_words,
    labels_of,
    percent_words,
    rows_shown,
    value_words,
)
from deploy.reporting.data.names import LONGEST_NAME, one_word, shown
from deploy.reporting.documents import (
    Cell,
    ComparedBuild,
    Comparison,
    FigureRow,
    Judgement,
    OperatorChange,
    RuleOutcome,
)
from deploy.reporting.text.tables import column, numbers, table_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

TOP_OPERATORS = 10
_COLOURS: dict[Judgement, str] = {"better": "green", "worse": "red", "same": "dim", "changed": "yellow"}


def print_comparison(comparison: Comparison, console: Console, *, every_operator: bool = False) -> None:
    """Print figures, operators (of those whose cycles changed ten, or every one) and notes."""
    for build in comparison.builds:
        console.print(
            f"{build.letter}  {build.build}: {build.model} on {build.npu}, {build.system_config}, "
            f"{build.memory_mode}, optimised for {build.optimise}; verdict: {stamp_of(build.verdict)}"
        )
    console.print()
    rows = rows_shown(comparison)
    table_for = _pair if len(comparison.builds) == 2 else _several
    for labels in dict.fromkeys(map(labels_of, rows)):
        console.print(table_for(comparison, labels, [row for row in rows if labels_of(row) == labels]))
    for build in comparison.builds[1:]:
        _print_operators(comparison.builds[0], build, console, None if every_operator else TOP_OPERATORS)
    for note in comparison.notes:
        console.print(f"note: {note}")


def print_outcomes(outcomes: Sequence[RuleOutcome], console: Console) -> None:
    """Print the rules that broke, each with value, limit and build; one line where all hold."""
    from rich.text import Text

    broken = [outcome for outcome in outcomes if not outcome.holds]
    for outcome in broken:
        console.print(Text.assemble(("fail", "bold red"), f"  {outcome.sentence}"))
    if not broken:
        held = ", ".join(dict.fromkeys(outcome.rule for outcome in outcomes))
        console.print(Text.assemble(("pass", "bold green"), f"  all rules hold: {held}"))


def _pair(comparison: Comparison, labels: str, rows: Sequence[FigureRow]) -> Table:
    title = f"B ({comparison.builds[1].npu}) against A ({comparison.builds[0].npu}): {labels}"
    table = table_of(title, column("figure", min_width=21), *numbers("A", "B", "difference", ""))
    for row in rows:
        first, second = row.cells
        judged = second.judgement not in (None, "same")
        table.add_row(
            title_of(row.name),
            value_words(row, first.value),
            value_words(row, second.value),
            _coloured(difference_words(row, second) if judged else "", second.judgement),
            _coloured(judged_words(row, second), second.judgement),
        )
    return table


def _several(comparison: Comparison, labels: str, rows: Sequence[FigureRow]) -> Table:
    builds = numbers(*(f"{build.letter} {build.npu}" for build in comparison.builds))
    title = f"{len(comparison.builds) - 1} builds against A: {labels}"
    table = table_of(title, column("figure", min_width=21), *builds)
    for row in rows:
        table.add_row(title_of(row.name), *(_cell(row, cell) for cell in row.cells))
    return table


def _cell(row: FigureRow, cell: Cell) -> Text:
    told = ""
    if cell.judgement not in (None, "same"):
        moved = percent_words(row, cell) or difference_words(row, cell)
        told = f"\n{moved} {cell.judgement}"
    return _coloured(value_words(row, cell.value) + told, cell.judgement)


def _coloured(text: str, judgement: Judgement | None) -> Text:
    from rich.text import Text

    return Text(text, style=_COLOURS[judgement] if judgement else "")


def _print_operators(first: ComparedBuild, build: ComparedBuild, console: Console, most: int | None) -> None:
    structural, slower = build.structural, build.slower
    counted = Counter(change.change for change in structural)
    if structural:
        said = ", ".join(f"{count} {change}" for change, count in counted.items())
        shown = structural[:most]
        console.print(_operator_table(f"Operators from {first.letter} to {build.letter}: {said}", shown, "change"))
        if len(shown) < len(structural):
            console.print(f"{len(structural) - len(shown)} more with --verbose\n")
    if slower:
        shown = slower[:most]
        title = (
            f"Cycles from {first.letter} to {build.letter} (estimate), {len(shown)} of {len(slower)} that changed"
        )
        console.print(_operator_table(title, shown, "difference"))
    between = f"from {first.letter} to {build.letter}"
    if larger := build.larger:
        shown = larger[:most]
        title = f"SRAM while it runs {between} (estimate), {len(shown)} of {len(larger)} that changed"
        console.print(_measured_table(title, [_sram_row(change) for change in shown]))
    if farther := build.farther:
        shown = farther[:most]
        title = (
            f"Largest difference from the reference {between}, LSB, {len(shown)} of {len(farther)} that changed"
        )
        console.print(_measured_table(title, [_lsb_row(change) for change in shown]))
    if not build.operators:
        console.print(f"Operators of {build.letter}: the same, in the same place, with the same cycles.\n")


def _operator_table(title: str, changes: Sequence[OperatorChange], last: str) -> Table:
    from rich.text import Text

    table = table_of(
        title,
        *numbers("#"),
        column("operator", no_wrap=True),
        *numbers("before", "after", last),
        column("output tensor", overflow="ellipsis", max_width=28),
    )
    for change in changes:
        told = Text(change.change)
        if change.change == "cycles":
            told = _coloured(f"{change.cycles:+,}", "better" if change.cycles < 0 else "worse")
        elif change.change == "moved to the CPU":
            told.stylize("red")
        elif change.change == "moved to the NPU":
            told.stylize("green")
        table.add_row(
            str(change.before if change.after is None else change.after),
            change.type,
            _cycles(change.cycles_before, there=change.before is not None),
            _cycles(change.cycles_after, there=change.after is not None),
            told,
            shown(one_word(change.name), LONGEST_NAME),
        )
    return table


_Measured = tuple[OperatorChange, str, str, str, float]
"""An operator with a quantity before, after and between for people, and how much more it is now."""


def _sram_row(change: OperatorChange) -> _Measured:
    more = change.sram or 0
    sign = "+" if more > 0 else "-"
    before, after = (format_bytes(value or 0) for value in (change.sram_before, change.sram_after))
    return change, before, after, f"{sign}{format_bytes(abs(more))}", more


def _lsb_row(change: OperatorChange) -> _Measured:
    return change, f"{change.lsb_before:g}", f"{change.lsb_after:g}", f"{change.lsb:+g}", change.lsb or 0


def _measured_table(title: str, rows: Sequence[_Measured]) -> Table:
    table = table_of(
        title,
        *numbers("#"),
        column("operator", no_wrap=True),
        *numbers("before", "after", "difference"),
        column("output tensor", overflow="ellipsis", max_width=28),
    )
    for change, before, after, between, more in rows:
        told = _coloured(between, "better" if more < 0 else "worse")
        name = shown(one_word(change.name), LONGEST_NAME)
        table.add_row(str(change.after), change.type, before, after, told, name)
    return table


def _cycles(cycles: int | None, *, there: bool) -> str:
    if not there:
        return ""
    return "-" if cycles is None else f"{cycles:,}"

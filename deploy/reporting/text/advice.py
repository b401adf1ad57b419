"""Hints on the terminal: a table that reads at 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.advising.documents import AdviceDocument
from deploy.reporting.data.advice_rows import hint_row
from deploy.reporting.data.names import shown
from deploy.reporting.text.tables import column, numbers, table_of

if TYPE_CHECKING:
    from rich.console import Console

MOST_HINTS = 8
"""That ``deploy compile`` prints."""


def print_advice(advice: AdviceDocument, console: Console, *, most: int | None = None) -> None:
    """Print hints by what they save.

    Args:
        advice: as the build folder keeps it.
        console: to print on.
        most: how many; None for all.
    """
    hints = advice.hints[:most]
    if hints:
        table = table_of(
            f"Advice ({hints[0].label}), {len(hints)} of {len(advice.hints)}",
            column("what, and what to do", overflow="fold"),
            column("figure", no_wrap=True),
            *numbers("now", "then", no_wrap=True),
        )
        for hint in hints:
            row = hint_row(hint)
            table.add_row(
                f"{shown(row.title, 300)}: {shown(row.action, 300)}; {row.outputs}",
                "\n".join(figure.name for figure in row.figures),
                "\n".join(figure.present for figure in row.figures),
                "\n".join(figure.changed for figure in row.figures),
            )
        console.print(table)
        sources = "; ".join(dict.fromkeys(hint.source for hint in hints))
        console.print(f"Source: {shown(sources, 300)}. What several hints save does not add up.")
        if len(hints) < len(advice.hints):
            console.print(f"{len(advice.hints) - len(hints)} more: `deploy report`, or --verbose.")
    elif advice.level == "full":
        console.print("Advice: nothing was found that would make it cheaper.")
    for note in advice.notes:
        console.print(f"note: advice: {shown(note, 400)}")

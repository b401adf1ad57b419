"""Tables of the terminal in the house style: they read at 80 columns and without a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deploy.build_folder import Figure
from deploy.figures import format_figure, title_of

if TYPE_CHECKING:
    from rich.table import Column, Table
    from rich.text import Text


def table_of(title: str, *columns: Column | str) -> Table:
    """An empty table in the house style."""
    from rich import box

    from deploy.reporting.text.whole_table import WholeTable

    return WholeTable(
        *columns, title=title, title_justify="left", title_style="bold", box=box.SIMPLE, pad_edge=False
    )


def column(heading: str, **options: Any) -> Column:
    """A column with rich's options of one."""
    from rich.table import Column

    return Column(heading, **options)


def numbers(*headings: str, **options: Any) -> list[Column]:
    """Columns of numbers, which are never broken or cut."""
    return [column(heading, justify="right", no_wrap=True, **options) for heading in headings]


def verdict_line(verdict: str, colour: str, reason: str) -> Text:
    """``verdict: PASS - reason``, the last line of what is judged."""
    from rich.text import Text

    return Text.assemble((f"verdict: {verdict}", f"bold {colour}"), f" - {reason}")


def figures_table(title: str, figures: Sequence[Figure]) -> Table:
    """Figures with their labels; :func:`deploy.figures.sources_of` tells below the table what produced them."""
    table = table_of(title, column("figure", min_width=22), *numbers("value", min_width=18), "label")
    for figure in figures:
        table.add_row(title_of(figure.name), format_figure(figure), figure.label)
    return table

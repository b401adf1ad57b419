"""Tables of the terminal in the house style: they read at 80 columns and without a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deploy.build_folder import Figure
from deploy.figures import figure_title, format_figure

if TYPE_CHECKING:
    from rich.table import Table


def table_of(title: str) -> Table:
    """An empty table in the house style."""
    from rich import box
    from rich.table import Table

    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE, pad_edge=False)


def figures_table(title: str, figures: Sequence[Figure]) -> Table:
    """Figures with their labels; :func:`deploy.figures.sources_of` tells below the table what produced them."""
    table = table_of(title)
    table.add_column("figure", min_width=22)
    table.add_column("value", justify="right", min_width=18)
    table.add_column("label")
    for figure in figures:
        table.add_row(figure_title(figure), format_figure(figure), figure.label)
    return table

"""A table that keeps its numbers, the columns to the right, whole: however narrow the terminal is."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table

_TEXT_WIDTH = 8
"""What a column of text keeps at least; its words are broken or cut then."""


class WholeTable(Table):
    """Rich's table; columns that are set to the right are never broken or cut.

    Where they do not fit beside a little of the others, the table is wider than the terminal, which breaks its
    lines: a cut number looks like another number.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render in the width that there is, or in the least that keeps the numbers."""
        wanted = [self._width(console, options, column) for column in self.columns]
        between = self._extra_width + sum(self._get_padding_width(index) for index in range(len(wanted)))
        if between + sum(wanted) > options.max_width:
            least = between
            for column, width in zip(self.columns, wanted, strict=True):
                column.min_width = None  # made for the look
                if column.justify == "right":
                    least += width
                else:
                    column.no_wrap, column.overflow = False, "fold"
                    least += min(width, _TEXT_WIDTH)
            options = options.update(width=max(options.max_width, least))
        yield from super().__rich_console__(console, options)

    def _width(self, console: Console, options: ConsoleOptions, column: Column) -> int:
        """What a column takes that is neither cut nor broken."""
        endless = options.update(width=1_000_000)
        cells = [column.header, *column.cells]
        widest = max(Measurement.get(console, endless, cell).maximum for cell in cells)
        return max(min(widest, column.max_width or widest), column.min_width or 0)

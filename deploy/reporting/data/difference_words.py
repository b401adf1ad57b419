"""Figures of a comparison and their differences in words, the same on a terminal and in a page. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from deploy.build_folder import Figure
from deploy.figures import SHARE, format_figure
from deploy.reporting.documents import Cell, Comparison, FigureRow

_ALWAYS = frozenset(["cpu_operators"])  # other figures that are zero everywhere are left out
_BARE = ("cycles", "operators", "MAC")
"""Units that the figure's title tells already: columns are narrow."""


def rows_shown(comparison: Comparison) -> list[FigureRow]:
    """The figures that are worth a row."""
    return [row for row in comparison.figures if row.name in _ALWAYS or any(cell.value for cell in row.cells)]


def value_words(row: FigureRow, value: float | None) -> str:
    """``0.4026 ms``, ``201,316``; a dash for none."""
    if value is None:
        return "-"
    if row.unit in _BARE:
        return f"{value:,.10g}"
    unit = row.unit.removesuffix("/inference")
    # Not checked: the difference of two figures may lie beyond what a figure of a document may be.
    return format_figure(Figure.model_construct(name=row.name, value=value, unit=unit, label="estimate"))


def difference_words(row: FigureRow, cell: Cell) -> str:
    """``+10,644``, ``-6.8 KiB``, ``+0.50 points``; nothing where there is none."""
    if cell.difference is None:
        return ""
    if row.unit == SHARE:
        return f"{100 * cell.difference:+.2f} points"
    sign = "+" if cell.difference > 0 else "-" if cell.difference < 0 else ""
    return sign + value_words(row, abs(cell.difference))


def percent_words(row: FigureRow, cell: Cell) -> str:
    """``+5.6 %``; nothing for a share: percent of percent only confuse."""
    if cell.percent is None or row.unit == SHARE:
        return ""
    return f"{cell.percent:+.1f} %" if abs(cell.percent) >= 0.1 else f"{cell.percent:+.2g} %"


def judged_words(row: FigureRow, cell: Cell) -> str:
    """``+19.0 % worse``, ``same``; nothing where there is nothing to judge."""
    told = (percent_words(row, cell), cell.judgement or "") if cell.judgement != "same" else ("same",)
    return " ".join(filter(None, told))


def labels_of(row: FigureRow) -> str:
    """How the values were obtained: ``estimate``, or ``measured / simulated``."""
    return " / ".join(sorted({cell.label for cell in row.cells if cell.label}))


def tally_words(rows: Sequence[FigureRow], index: int) -> str:
    """``figures: 2 better, 3 worse, 11 the same``, of the build at that index."""
    counts = Counter(row.cells[index].judgement for row in rows)
    told = [
        f"{counts[judgement]} {judgement}" for judgement in ("better", "worse", "changed") if counts[judgement]
    ]
    if counts["same"]:
        told.append(f"{counts['same']} the same")
    return f"{', '.join(told)}" if told else "no figure in common"


_PLAIN = {
    "inference_time": ("more time", "less time", "as much time"),
    "sram_peak": ("more SRAM", "less SRAM", "as much SRAM"),
    "dram_peak": ("more DRAM", "less DRAM", "as much DRAM"),
    "flash": ("more flash", "less flash", "as much flash"),
}
"""Figures that everybody asks for -> what more, less and as much of them is called."""


def plain_words(rows: Sequence[FigureRow], index: int) -> str:
    """``67.3 % more time, 30.8 % less SRAM, as much flash``: the build at that index against the first one."""
    told = []
    for row in rows:
        cell = row.cells[index]
        if row.name == "cpu_operators" and cell.difference:
            count = abs(int(cell.difference))
            more = "more" if cell.difference > 0 else "fewer"
            told.append(f"{count} operator{'s' if count > 1 else ''} {more} on the CPU")
        if row.name not in _PLAIN or cell.difference is None:
            continue
        more, less, same = _PLAIN[row.name]
        if not cell.difference:
            told.append(same)
            continue
        moved = percent_words(row, cell).lstrip("+-") or difference_words(row, cell).lstrip("+-")
        told.append(f"{moved} {more if cell.difference > 0 else less}")
    return ", ".join(told)

"""How many times as much each figure is in one build as in another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploy.figures import title_of
from deploy.reporting.charts.vega import Chart, document, judged_bars, quantity
from deploy.reporting.data.difference_words import judged_words
from deploy.reporting.data.side_by_side import SideBySide

_RATIO = "datum.value == 1 ? 'as A' : format(datum.value, '.3~g') + ' x'"


def ratios(builds: SideBySide) -> Iterator[Chart]:
    """Each build's figures that differ, as a multiple of A's."""
    for side in builds.others:
        values: list[dict[str, Any]] = []
        for row in builds.rows:
            base, cell = row.cells[0].value, row.cells[side.index]
            if base and cell.value and base * cell.value > 0 and cell.judgement not in (None, "same"):
                told, ratio = judged_words(row, cell) or str(cell.judgement), cell.value / base
                values.append(
                    {"figure": title_of(row.name), "ratio": ratio, "judged": cell.judgement, "told": told}
                )
        if values:
            yield _ratios(side.letter, sorted(values, key=lambda value: -value["ratio"]))


def _ratios(letter: str, values: list[dict[str, Any]]) -> Chart:
    reach = 1.1 * max(1.4, *(max(value["ratio"], 1 / value["ratio"]) for value in values))
    x = quantity(
        "ratio",
        f"{letter} / A, logarithmic",
        scale={"type": "log", "domain": [1 / reach, reach], "nice": False},
        axis={"labelExpr": _RATIO, "values": _ticks(reach), "labelOverlap": "greedy"},
    )
    told = ", ".join(f"{value['figure']} {value['told']}" for value in values[:6])
    spec = document(judged_bars(values, "figure", x, base=1), height=26 * len(values))
    summary = f"Figures of {letter} that differ from A, as a multiple: {told}."
    return Chart(f"figures-{letter.lower()}", "figures", summary, spec)


def _ticks(reach: float) -> list[float]:
    steps = (1.25, 1.5, 2) if reach <= 3 else (2, 5, 10) if reach <= 20 else (10, 100, 1000, 10_000)
    found = [step for step in steps if step <= reach]
    return [*(1 / step for step in reversed(found)), 1, *found]

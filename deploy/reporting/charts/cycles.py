"""Cycles of the operators: of a build, and side by side with those of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deploy.reporting.charts.compared import build_colour, judged_bars
from deploy.reporting.charts.limits import limit_colour
from deploy.reporting.charts.vega import Chart, bars, costliest, document, operators, quantity, told
from deploy.reporting.data.operators import OperatorRow
from deploy.reporting.data.report import Report
from deploy.reporting.data.side_by_side import Pair, Side, SideBySide

MOST_PAIRS = 150
"""Most operators of a chart that sets two builds side by side."""

_MOST_PAIRS_OF_ALL = 450
"""The same of all such charts of a page together."""

_MOST_CHANGES = 20
"""Most operators of the chart of differences."""

_CYCLES = quantity("cycles", "cycles", axis={"format": "~s"})


def cycles(report: Report) -> Iterator[Chart]:
    """Cycles per operator in execution order."""
    rows = costliest(report.operators, _cycles)
    if not rows:
        return
    values = [
        {**told(row), "shape": row.shape, "cycles": row.cycles, "MAC": row.macs, "limit": row.limited_by}
        for row in rows
    ]
    spec = bars(
        values,
        x=operators("index", "operator, in execution order"),
        y=_CYCLES,
        color=limit_colour(row.limited_by for row in rows),
    )
    longest = max(rows, key=_cycles)
    summary = f"Cycles of {len(rows)} operators; operator {longest.index} {longest.type} takes most."
    yield Chart("cycles", "time", summary, document(spec, height=240))


def cycles_compared(builds: SideBySide) -> Iterator[Chart]:
    """Cycles of each operator in A beside those in another build, in execution order."""
    most = min(_MOST_PAIRS_OF_ALL // len(builds.others), MOST_PAIRS)
    for side in builds.others:
        yield from _beside(side, most)


def _beside(side: Side, most: int) -> Iterator[Chart]:
    """Of more operators than ``most``, those that take most cycles in either build."""
    letters = ["A", side.letter]
    costly = sorted((pair for pair in side.pairs if _most(pair)), key=lambda pair: -_most(pair))[:most]
    kept = {id(pair) for pair in costly}
    shown = [pair for pair in side.pairs if id(pair) in kept]
    if not shown:
        return
    values = [
        {
            "operator": pair_label(pair),
            "build": name,
            "type": row.type,
            "output": row.name,
            "cycles": row.cycles or 0,
            "limited by": row.limited_by,
            "runs on": row.placement,
        }
        for pair in shown
        for name, row in zip(letters, pair, strict=True)
        if row is not None
    ]
    title = f"operator, in execution order (in A, or in A/{side.letter} where they differ)"
    spec = bars(
        values,
        x=operators("operator", title, sort=[pair_label(pair) for pair in shown]),
        xOffset={"field": "build", "sort": letters},
        y=_CYCLES,
        color=build_colour(letters),
    )
    summary = f"Cycles of {len(shown)} operators, A beside {side.letter}."
    yield Chart(f"cycles-{side.letter.lower()}", "time", summary, document(spec, height=240))


def changes(builds: SideBySide) -> Iterator[Chart]:
    """The operators whose cycles differ most from A, the largest difference first."""
    for side in builds.others:
        differing = [(pair, _cycles(pair[1]) - _cycles(pair[0])) for pair in side.pairs]
        changed = sorted((item for item in differing if item[1]), key=lambda item: -abs(item[1]))[:_MOST_CHANGES]
        if changed and side.build.slower:
            yield _differences(side.letter, changed)


def _differences(letter: str, changed: Sequence[tuple[Pair, int]]) -> Chart:
    values = []
    for pair, more in changed:
        row = pair[1] or pair[0]
        assert row is not None  # noqa: S101 - one of them is there
        judged = "worse" if more > 0 else "better"
        values.append(
            {
                "operator": f"{pair_label(pair)} {row.type}",
                "output": row.name,
                "cycles": more,
                "judged": judged,
                "told": f"{more:+,} {judged}",
            }
        )
    reach = 1.05 * max(abs(more) for _, more in changed)
    x = quantity(
        "cycles",
        f"cycles in {letter} minus cycles in A",
        scale={"domain": [-reach, reach], "nice": False},
        axis={"format": "~s", "tickCount": 5},
    )
    summary = f"The {len(values)} operators whose cycles differ most between A and {letter}."
    spec = document(judged_bars(values, "operator", x, base=0), height=24 * len(values))
    return Chart(f"changes-{letter.lower()}", f"changes-{letter}", summary, spec)


def pair_label(pair: Pair) -> str:
    """``7`` where an operator has the same place in both, ``7/9``, ``7/-`` where it disappeared, ``-/9``."""
    before, after = pair
    if before is not None and after is not None and before.index == after.index:
        return str(before.index)
    return "/".join("-" if row is None else str(row.index) for row in pair)


def _cycles(row: OperatorRow | None) -> int:
    return (row.cycles or 0) if row is not None else 0


def _most(pair: Pair) -> int:
    return max(map(_cycles, pair))

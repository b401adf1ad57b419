"""Cycles of the operators, and what limits them: of a build, and of several side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from deploy.reporting.charts.vega import (
    BAR,
    Chart,
    Spec,
    bars,
    bars_with_shares,
    build_colour,
    category,
    coloured,
    costliest,
    document,
    judged_bars,
    listed,
    operators,
    quantity,
    told,
)
from deploy.reporting.data.operators import UNKNOWN, OperatorRow
from deploy.reporting.data.report import Report
from deploy.reporting.data.side_by_side import Pair, Side, SideBySide

# Paul Tol's bright scheme: distinct for colour-blind readers, too.
LIMIT_COLOURS = {
    "MACs": "#4477aa",
    "elementwise": "#ccbb44",
    "SRAM": "#228833",
    "DRAM": "#aa3377",
    "flash": "#ee6677",
    UNKNOWN: "#999999",
}
"""What limits an operator -> its colour, in the order of the legend."""


def limit_colour(present: Iterable[str]) -> Spec:
    """Colour by what limits an operator."""
    return coloured("limit", LIMIT_COLOURS, present)


def limits(report: Report) -> Iterator[Chart]:
    """How many cycles go to operators that are limited by what."""
    cycles = _cycles(report.operators)
    if not cycles:
        return
    total = sum(cycles.values())
    counts = Counter(row.limited_by for row in report.operators if row.cycles)
    values = [
        {"limit": limit, "cycles": taken, "share": taken / total, "operators": counts[limit]}
        for limit, taken in cycles.most_common()
    ]
    spec = bars_with_shares(
        values,
        {"mark": BAR, "encoding": {"color": {**limit_colour(cycles), "legend": None}}},
        category("limit", [str(value["limit"]) for value in values]),
        quantity("cycles", "cycles of the operators that this limits", axis={"format": "~s", "tickCount": 5}),
    )
    shares = ", ".join(f"{limit} {taken / total:.0%}" for limit, taken in cycles.most_common())
    summary = f"Share of the cycles by what limits the operator: {shares}."
    yield Chart("limits", "time", summary, document(spec, height=28 * len(values)))


def limits_compared(builds: SideBySide) -> Iterator[Chart]:
    """The same, of each build."""
    values = [
        {"build": letter, "limit": limit, "cycles": cycles}
        for letter, report in builds.reports.items()
        for limit, cycles in _cycles(report.operators).items()
    ]
    if not values:
        return
    letters = list(builds.reports)
    spec = bars(
        values,
        y=category("build", letters),
        x=quantity("cycles", "cycles, by what limits the operators", axis={"format": "~s", "tickCount": 6}),
        color=limit_colour(str(value["limit"]) for value in values),
    )
    summary = f"Cycles of {listed(letters)} by what limits the operators."
    yield Chart("limits", "time", summary, document(spec, height=32 * len(letters)))


def _cycles(operators: Sequence[OperatorRow]) -> Counter[str]:
    """What limits operators -> the cycles of those that it limits."""
    sums: Counter[str] = Counter()
    for row in operators:
        if row.cycles:
            sums[row.limited_by] += row.cycles
    return sums


MOST_PAIRS = 150
"""Most operators of a chart that sets two builds side by side."""

_MOST_PAIRS_OF_ALL = 450
"""The same of all such charts of a page together."""

_MOST_CHANGES = 20
"""Most operators of the chart of differences."""

_CYCLES = quantity("cycles", "cycles", axis={"format": "~s"})


def cycles(report: Report) -> Iterator[Chart]:
    """Cycles per operator in execution order."""
    rows = costliest(report.operators, _cycles_of)
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
    longest = max(rows, key=_cycles_of)
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
        differing = [(pair, _cycles_of(pair[1]) - _cycles_of(pair[0])) for pair in side.pairs]
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


def _cycles_of(row: OperatorRow | None) -> int:
    return (row.cycles or 0) if row is not None else 0


def _most(pair: Pair) -> int:
    return max(map(_cycles_of, pair))

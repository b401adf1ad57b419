"""What limits the operators: the share of the cycles, of a build and of several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from deploy.reporting.charts.compared import listed
from deploy.reporting.charts.vega import (
    BAR,
    Chart,
    Spec,
    bars,
    bars_with_shares,
    category,
    coloured,
    document,
    quantity,
)
from deploy.reporting.data.operators import UNKNOWN, OperatorRow
from deploy.reporting.data.report import Report
from deploy.reporting.data.side_by_side import SideBySide

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

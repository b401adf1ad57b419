"""Builds side by side, as the page of a comparison shows them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.reporting.data import difference_words
from deploy.reporting.data.memory_map import MemoryMap
from deploy.reporting.data.operator_changes import matched_operators
from deploy.reporting.data.operators import OperatorRow
from deploy.reporting.data.report import Report
from deploy.reporting.documents import ComparedBuild, Comparison, FigureRow

Pair = tuple[OperatorRow | None, OperatorRow | None]
"""An operator in the first build and in another; None where it is not."""


@dataclass(frozen=True)
class Side:
    """One build of the page.

    Attributes:
        build: what it is, and what became of the first build's operators.
        pairs: its operators beside those of the first build, in execution order; empty for the first.
        tally: how many figures are better and worse than the first build's.
        plain: what that means for time and memory, in words.
    """

    index: int
    build: ComparedBuild
    report: Report
    pairs: tuple[Pair, ...]
    tally: str
    plain: str

    @property
    def letter(self) -> str:
        """What the page calls it."""
        return self.build.letter


@dataclass(frozen=True)
class SideBySide:
    """Everything that the page shows.

    Attributes:
        comparison: with the outcome of its rules.
        rows: the figures that are worth a row.
        sides: the builds; the first is what the others are compared with.
    """

    comparison: Comparison
    rows: tuple[FigureRow, ...]
    sides: tuple[Side, ...]

    @property
    def reports(self) -> dict[str, Report]:
        """Letter of the build -> what its own report shows."""
        return {side.letter: side.report for side in self.sides}

    @property
    def others(self) -> tuple[Side, ...]:
        """The builds that are compared with the first."""
        return self.sides[1:]

    @property
    def memories(self) -> dict[str, dict[str, MemoryMap]]:
        """Memory -> letter of the build -> what is in it over time."""
        found: dict[str, dict[str, MemoryMap]] = {}
        for side in self.sides:
            for memory in side.report.memories:
                found.setdefault(memory.memory, {})[side.letter] = memory
        return found


def side_by_side(comparison: Comparison, reports: Sequence[Report]) -> SideBySide:
    """Put builds side by side."""
    rows = tuple(difference_words.rows_shown(comparison))
    sides = tuple(
        Side(
            index=i,
            build=build,
            report=report,
            pairs=pairs(reports[0], report) if i else (),
            tally=difference_words.tally_words(rows, i) if i else "",
            plain=difference_words.plain_words(rows, i) if i else "",
        )
        for i, (build, report) in enumerate(zip(comparison.builds, reports, strict=True))
    )
    return SideBySide(comparison, rows, sides)


def pairs(first: Report, other: Report) -> tuple[Pair, ...]:
    """The operators of both in the order of the other build; those that are gone stand where they were."""
    before = {row.index: row for row in first.operators}
    after = {row.index: row for row in other.operators}
    matched = {there.index: here.index for here, there in matched_operators(first.document, other.document)}
    found: list[Pair] = [
        (before.get(matched[row.index]) if row.index in matched else None, row) for row in other.operators
    ]
    gone = set(before) - set(matched.values())
    placed = {matched[index]: position for position, index in enumerate(after) if index in matched}
    for index in sorted(gone, reverse=True):
        # After the operator that ran before it and is still there.
        position = max((place for known, place in placed.items() if known < index), default=-1)
        found.insert(position + 1, (before[index], None))
    return tuple(found)

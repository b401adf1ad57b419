"""The HTML page of a comparison: builds side by side, in the style of a build's own report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.errors import BadInputError
from deploy.files import write_text
from deploy.reporting import comparison_charts, difference_words
from deploy.reporting.build_figures import ACCURACY
from deploy.reporting.chart_library import javascript
from deploy.reporting.charts import Chart
from deploy.reporting.comparing import Comparison, FigureRow
from deploy.reporting.content import MemoryMap, OperatorRow, Report
from deploy.reporting.memory_chart import highest_drawn, memory_chart
from deploy.reporting.operator_changes import OperatorChange, matched_operators
from deploy.reporting.page import page

COMPARISON_FILE = "comparison.html"
MAX_BUILDS = 8
"""Most builds of a page: they have a colour each, and the page stays below 2 MB."""

MAX_CHANGES = 200
"""Most operators of a table."""

# All builds together.
_MAX_CHANGES = 600
_MAX_PAIRS = 450
_MAX_TENSORS = 600

_TILES = ("inference_time", "total_cycles", "sram_peak", "dram_peak", "flash", "cpu_operators")

Pair = tuple[OperatorRow | None, OperatorRow | None]


@dataclass(frozen=True)
class Side:
    """One build of the page.

    Attributes:
        letter: what the page calls it.
        index: its position.
        report: what its own report shows.
        pairs: its operators beside those of the first build; empty for the first.
        structural: operators that appeared, disappeared or moved.
        slower: operators whose cycles changed.
        tally: how many figures are better and worse than the first build's.
    """

    letter: str
    index: int
    report: Report
    pairs: tuple[Pair, ...]
    structural: tuple[OperatorChange, ...]
    slower: tuple[OperatorChange, ...]
    tally: str


def write_comparison(comparison: Comparison, reports: Sequence[Report], path: Path) -> Path:
    """Write the page and return where it is.

    Args:
        comparison: with the outcome of its rules.
        reports: of the same builds.
        path: file to write.

    Raises:
        BadInputError: more builds than a page holds, or it cannot be written.
        NotInstalledError: the charting library is missing.
    """
    check_count(len(reports))
    write_text(path, render(comparison, reports, javascript()))
    return path


def check_count(builds: int) -> None:
    """Check how many builds a page is asked to hold.

    Raises:
        BadInputError: they are too many.
    """
    if builds > MAX_BUILDS:
        raise BadInputError(
            f"--format html compares at most {MAX_BUILDS} builds, these are {builds}",
            hints=["for more: --format text, or --format json"],
        )


def render(comparison: Comparison, reports: Sequence[Report], library: str) -> str:
    """The page.

    Args:
        comparison: of two builds or more.
        reports: of the same builds.
        library: JavaScript that defines ``window.vegaEmbed``.
    """
    rows = difference_words.rows_shown(comparison)
    sides = [_side(i, comparison, reports, rows) for i in range(len(reports))]
    versions = dict.fromkeys(name for side in sides for name in side.report.document.versions)
    return page(
        "comparison.html.j2",
        _charts(sides, rows),
        library,
        comparison=comparison,
        rows=rows,
        sides=sides,
        tiles=[row for row in rows if row.name in _TILES or row.name.startswith(ACCURACY)],
        memories=_memories(sides),
        versions=list(versions),
        most_changes=min(_MAX_CHANGES // (len(sides) - 1), MAX_CHANGES),
        words=difference_words,
        colours=comparison_charts.BUILD_COLOURS,
        created=reports[0].created,
    )


def _side(index: int, comparison: Comparison, reports: Sequence[Report], rows: Sequence[FigureRow]) -> Side:
    build, report = comparison.builds[index], reports[index]
    return Side(
        letter=build.letter,
        index=index,
        report=report,
        pairs=_pairs(reports[0], report) if index else (),
        structural=tuple(change for change in build.operators if change.change != "cycles"),
        slower=tuple(change for change in build.operators if change.change == "cycles"),
        tally=difference_words.tally_words(rows, index) if index else "",
    )


def _pairs(first: Report, other: Report) -> tuple[Pair, ...]:
    """The operators of both in the order of the other build; those that are gone stand where they were."""
    before = {row.index: row for row in first.operators}
    after = {row.index: row for row in other.operators}
    matched = {there.index: here.index for here, there in matched_operators(first.document, other.document)}
    pairs: list[Pair] = [
        (before.get(matched[row.index]) if row.index in matched else None, row) for row in other.operators
    ]
    gone = set(before) - set(matched.values())
    placed = {matched[index]: position for position, index in enumerate(after) if index in matched}
    for index in sorted(gone, reverse=True):
        # After the operator that ran before it and is still there.
        position = max((place for known, place in placed.items() if known < index), default=-1)
        pairs.insert(position + 1, (before[index], None))
    return tuple(pairs)


def _memories(sides: Sequence[Side]) -> dict[str, dict[str, MemoryMap]]:
    """Memory -> letter of the build -> what is in it over time."""
    found: dict[str, dict[str, MemoryMap]] = {}
    for side in sides:
        for memory in side.report.memories:
            found.setdefault(memory.memory, {})[side.letter] = memory
    return found


def _charts(sides: Sequence[Side], rows: Sequence[FigureRow]) -> Iterator[Chart]:
    found: list[Chart | None] = []
    most_pairs = min(_MAX_PAIRS // (len(sides) - 1), comparison_charts.MOST_PAIRS)
    for side in sides[1:]:
        key, letter = side.letter.lower(), side.letter
        found += [
            comparison_charts.figures_chart(f"figures-{key}", letter, rows, side.index),
            comparison_charts.pairs_chart(f"cycles-{key}", letter, side.pairs, most_pairs),
            comparison_charts.changes_chart(f"changes-{key}", letter, side.pairs),
        ]
    found.append(comparison_charts.limits_chart({side.letter: side.report.operators for side in sides}))
    for memory, maps in _memories(sides).items():
        found.append(comparison_charts.memory_over_time(memory, maps))
        found += _memory_charts(maps)
    found.append(comparison_charts.flash_chart({side.letter: side.report.flash.parts for side in sides}))
    found.append(comparison_charts.traffic_chart({side.letter: side.report.traffic for side in sides}))
    return (chart for chart in found if chart is not None)


def _memory_charts(maps: dict[str, MemoryMap]) -> list[Chart]:
    """The maps of one memory on the same scales."""
    most = _MAX_TENSORS // len(maps)
    highest, cycles = max(map(highest_drawn, maps.values())), max(one.clock[-1] for one in maps.values())
    drawn = []
    for letter, memory in maps.items():
        largest = sorted(memory.tensors, key=lambda tensor: -tensor.size)[:most]
        kept = replace(memory, tensors=tuple(sorted(largest, key=lambda tensor: tensor.start)))
        key = f"memory-{memory.memory.lower()}-{letter.lower()}"
        drawn.append(memory_chart(kept, key=key, highest=highest, cycles=cycles))
    return drawn

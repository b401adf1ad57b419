"""A search as a table: the networks of its front, what stands below; for terminal and page alike. Pure."""

from __future__ import annotations

from deploy.figures import sources_of
from deploy.searching.documents import ACCURACY, CYCLES, ResultEntry, SearchResult
from deploy.searching.space import blocks_text, widths_text

HEADINGS = ("no", "stage", "widths", "blocks", "params", "cycles", "accuracy %")
NUMERIC = frozenset([0, 4, 5, 6])
BEST_MARK = "*"


def row(entry: ResultEntry, result: SearchResult) -> tuple[str, ...]:
    """One network of the front, as the columns of ``HEADINGS``."""
    network = entry.network.network()
    accuracy = entry.value(ACCURACY) or 0.0
    return (
        f"{entry.number}{BEST_MARK if entry.number == result.best else ''}",
        str(entry.stage),
        widths_text(network),
        blocks_text(network),
        f"{entry.parameters:,}",
        f"{entry.value(CYCLES) or 0:,.0f}",
        f"{100 * accuracy:.2f}",
    )


def remarks(result: SearchResult) -> list[str]:
    """What stands below the table, one sentence each."""
    limit = result.settings.limit_cycles
    first, second = result.candidates
    counts = ", ".join(f"{count} {status}" for status, count in result.outcomes.items())
    widths = f"; stage 1 chose {'-'.join(map(str, result.widths))}" if result.widths else ""
    found = [f"{first} candidates in stage 1 (widths), {second} in stage 2 (blocks): {counts}{widths}."]
    if result.best is not None:
        how = "highest accuracy within the limit" if limit else "most accuracy x cycles^-0.07"
        found.append(f"{BEST_MARK} the best one: {how}.")
    if result.front:
        found.append("blocks: depthwise kernels before and behind the expansion; - for none, / between stages.")
    return [*found, *sources_of([figure for entry in result.front for figure in entry.figures])]

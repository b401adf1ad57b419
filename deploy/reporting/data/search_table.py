"""A search as a table: the networks of its front, what stands below; for terminal and page alike. Pure."""

from __future__ import annotations

from deploy.figures import sources_of
from deploy.searching.documents import ACCURACY, CYCLES, ResultEntry, SearchResult

BEST_MARK = "*"
_BEFORE, _BEHIND = ("no", "stage"), ("params", "cycles", "accuracy %")
_NUMERIC = frozenset(["no", *_BEHIND])


def headings(result: SearchResult) -> list[tuple[str, bool]]:
    """The columns of :func:`row`: heading, and whether it holds numbers."""
    own = result.front[0].columns if result.front else {}
    return [(heading, heading in _NUMERIC) for heading in (*_BEFORE, *own, *_BEHIND)]


def row(entry: ResultEntry, result: SearchResult) -> tuple[str, ...]:
    """One network of the front, as the columns of :func:`headings`."""
    accuracy = entry.value(ACCURACY) or 0.0
    return (
        f"{entry.number}{BEST_MARK if entry.number == result.best else ''}",
        str(entry.stage),
        *entry.columns.values(),
        f"{entry.parameters:,}",
        f"{entry.value(CYCLES) or 0:,.0f}",
        f"{100 * accuracy:.2f}",
    )


def remarks(result: SearchResult) -> list[str]:
    """What stands below the table, one sentence each."""
    limit = result.settings.limit_cycles
    outcomes = ", ".join(f"{count} {status}" for status, count in result.outcomes.items())
    counted = zip(result.stages, result.candidates, strict=True)
    tried = ", ".join(
        f"{count}{' candidates' if number == 1 else ''} in stage {number} ({name})"
        for number, (name, count) in enumerate(counted, start=1)
    )
    choices = "".join(f"; stage {number} chose {what}" for number, what in enumerate(result.chosen, start=1))
    found = [f"{tried}: {outcomes}{choices}."]
    if result.best is not None:
        how = "highest accuracy within the limit" if limit else "most accuracy x cycles^-0.07"
        found.append(f"{BEST_MARK} the best one: {how}.")
    if result.front and result.legend:
        found.append(result.legend)
    return [*found, *sources_of([figure for entry in result.front for figure in entry.figures])]

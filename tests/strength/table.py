"""The numbers as a table for people and for the documentation."""

from __future__ import annotations

from collections.abc import Sequence

from .flips import CHANGED, COMPILE, HARMLESS, REFUSED, RUN, RUNS, VERIFY, Flip

GOALS = {VERIFY: 0.99, COMPILE: 0.95, RUN: 0.95}
"""Share of effective flips that each default run has to find."""

HEAD = ("network", "flips", HARMLESS, REFUSED, CHANGED, *(f"{run}: found" for run in RUNS))


def flip_rows(flips: Sequence[Flip]) -> list[tuple[str, ...]]:
    """One row a network, and one for all together."""
    networks = sorted({flip.network for flip in flips})
    groups = [(name, [flip for flip in flips if flip.network == name]) for name in networks]
    return [_row(name, group) for name, group in (*groups, ("all", flips))]


def _row(name: str, flips: Sequence[Flip]) -> tuple[str, ...]:
    effects = [sum(flip.effect == effect for flip in flips) for effect in (HARMLESS, REFUSED, CHANGED)]
    found = [f"{sum(flip.found_by(run) for flip in effective(flips))}" for run in RUNS]
    return (name, str(len(flips)), *map(str, effects), *found)


def effective(flips: Sequence[Flip]) -> list[Flip]:
    """Those that change an answer."""
    return [flip for flip in flips if flip.effect == CHANGED]


def missed(flips: Sequence[Flip]) -> list[str]:
    """One line for every default run that finds fewer than it has to."""
    all_of_them = effective(flips)
    lines = []
    for run, goal in GOALS.items():
        found = sum(flip.found_by(run) for flip in all_of_them)
        if found < goal * len(all_of_them):
            share = found / len(all_of_them)
            lines.append(f"{run} finds {found} of {len(all_of_them)} effective flips, {share:.1%}, not {goal:.0%}")
    return lines


def escapes(flips: Sequence[Flip]) -> list[str]:
    """One line for every effective flip that a default run does not find."""
    return [
        f"{flip.network}: {flip.place}: {run} says {flip.said[run]}"
        for flip in effective(flips)
        for run in RUNS
        if not flip.found_by(run)
    ]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

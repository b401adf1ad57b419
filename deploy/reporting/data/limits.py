"""``limits = ["sram<=200K", "accuracy>=90%"]``: what the figures of a build are held to. Pure.

A limit is a figure, ``<=`` or ``>=``, and a value in the figure's own unit: bytes (``K`` and ``M`` are powers of
1024), cycles, operators, ms (``us`` and ``s`` as well), and percent for everything that is a share.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from deploy.build_folder import Figure
from deploy.errors import BadInputError
from deploy.figures import NAMES, SHARE, title_of
from deploy.judging.limit_outcome import LimitOutcome
from deploy.reporting.data.build_documents import ACCURACY
from deploy.reporting.data.comparing import SHARES, direction
from deploy.reporting.data.figure_names import ALIASES, ALL_ACCURACIES, how_to_get, unknown

OPTION = "--limit"

_LIMIT = re.compile(r"([^<>=]+)(<=|>=)\s*(\d{1,15}(?:\.\d{1,9})?)\s*(%|[A-Za-z/]*)")
_BYTES: Mapping[str, float] = {"": 1, "B": 1, "K": 1024, "KiB": 1024, "M": 1024**2, "MiB": 1024**2}
_UNITS: Mapping[str, Mapping[str, float]] = {
    "bytes": _BYTES,
    "bytes/inference": _BYTES,
    "ms": {"": 1, "ms": 1, "us": 1e-3, "s": 1e3},
    SHARE: {"%": 0.01},
}
"""Unit of a figure -> what may stand behind a number -> its factor; others stand for themselves."""

_EXAMPLE = f"{OPTION} 'sram<=200K', {OPTION} 'time<=2ms', {OPTION} 'cpu_operators<=0', {OPTION} 'accuracy>=90%'"
# Figures are computed in binary and written in decimal: what is equal in decimal must not fail.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Limit:
    """A limit.

    Attributes:
        text: as it was given.
        figure: its name, or ``accuracy`` for that of every output.
        most: whether the number is the most, else the least, that is allowed.
        number: in ``suffix``.
        suffix: what stands behind the number; may be nothing.
    """

    text: str
    figure: str
    most: bool
    number: float
    suffix: str


def parse_limits(texts: Sequence[str]) -> tuple[Limit, ...]:
    """Read limits, before there is anything to hold to them.

    Raises:
        BadInputError: one is none, there is no such figure, or it holds the wrong end; or a figure has two.
    """
    limits = tuple(_parse(text.strip()) for text in texts)
    seen: set[str] = set()
    for limit in limits:
        if limit.figure in seen and direction(limit.figure) != "neither":
            raise _refused(limit, "a second limit for the same figure")
        seen.add(limit.figure)
    return limits


def _parse(text: str) -> Limit:
    match = _LIMIT.fullmatch(text)
    if match is None:
        raise BadInputError(f"{OPTION}: {text!r} is not a limit", hints=[_EXAMPLE])
    typed = match[1].strip()
    limit = Limit(text, ALIASES.get(typed, typed), match[2] == "<=", float(match[3]), match[4])
    if limit.figure != ALL_ACCURACIES and limit.figure not in NAMES and not limit.figure.startswith(SHARES):
        raise _refused(limit, *unknown(typed, NAMES))
    better = direction(ACCURACY if limit.figure == ALL_ACCURACIES else limit.figure)
    if better == ("higher" if limit.most else "lower"):
        what = "more" if limit.most else "less"
        right = text.replace(match[2], ">=" if limit.most else "<=")
        raise _refused(limit, f"of {title_of(limit.figure)} {what} is better", f"{OPTION} '{right}'")
    return limit


def apply_limits(limits: Sequence[Limit], figures: Mapping[str, Figure]) -> tuple[LimitOutcome, ...]:
    """Hold figures to limits.

    Args:
        limits: of :func:`parse_limits`.
        figures: name -> figure.

    Raises:
        BadInputError: a figure is not there, or a value is not one of its kind.
    """
    return tuple(_outcome(limit, figure) for limit in limits for figure in _held(limit, figures))


def _held(limit: Limit, figures: Mapping[str, Figure]) -> Iterator[Figure]:
    """The figures that a limit is about."""
    if limit.figure == ALL_ACCURACIES:
        found = [figure for name, figure in figures.items() if name.startswith(ACCURACY)]
    else:
        found = [figures[limit.figure]] if limit.figure in figures else []
    if not found:
        labels = ["--data with labels, or with --labels"] if limit.figure.startswith(ALL_ACCURACIES) else []
        raise _refused(limit, f"this build has no {limit.figure}", *labels, *how_to_get(limit.figure, "BUILD"))
    yield from found


def _outcome(limit: Limit, figure: Figure) -> LimitOutcome:
    units = _UNITS.get(figure.unit, {"": 1, figure.unit: 1})
    if limit.suffix not in units:
        known = ", ".join(unit for unit in units if unit)
        alone = "a number alone, or with " if "" in units else "a number with "
        raise _refused(limit, f"{figure.name} is {alone}{known}")
    bound = limit.number * units[limit.suffix]
    slack = _ROUNDING * abs(bound)
    holds = figure.value <= bound + slack if limit.most else figure.value >= bound - slack
    word = "at most" if limit.most else "at least"
    return LimitOutcome(
        limit=limit.text,
        figure=figure.name,
        value=figure.value,
        bound=bound,
        unit=figure.unit,
        label=figure.label,
        holds=holds,
        sentence=f"{limit.text}: {title_of(figure.name)} is {shown_value(figure.value, figure.unit)} "
        f"({figure.label}), the limit is {word} {shown_value(bound, figure.unit)}",
    )


def shown_value(value: float, unit: str) -> str:
    """A value, exactly where rounding would hide why a limit broke."""
    return f"{100 * value:.6g} %" if unit == SHARE else f"{value:,.10g} {unit}"


def _refused(limit: Limit, why: str, *hints: str) -> BadInputError:
    return BadInputError(f"{OPTION} {limit.text}: {why}", hints=hints)

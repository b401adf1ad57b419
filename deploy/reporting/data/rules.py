"""``--fail-on cycles+5%,sram+0,accuracy-0.5``: rules that a build is held to, against another one. Pure.

A rule is a figure, a sign and an amount: the limit is the first build's value plus or minus the amount. A figure
of which less is better must not lie above its limit, one of which more is better not below it; so ``cycles-5%``
demands an improvement. Amounts are in percent of the first build's value, or in the figure's own unit: bytes
(``K`` and ``M`` are powers of 1024), cycles, ms, operators, and percentage points for everything that is a share.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.errors import BadInputError
from deploy.figures import SHARE, title_of
from deploy.reporting.data.build_documents import ACCURACY
from deploy.reporting.data.figure_names import AFTER_A_RUN, ALIASES, ALL_ACCURACIES, how_to_get, unknown
from deploy.reporting.documents import Comparison, FigureRow, RuleOutcome

OPTION = "--fail-on"

_RULE = re.compile(r"(.+)([+-])\s*(\d{1,15}(?:\.\d{1,9})?)(%|[A-Za-z]*)")
_FACTORS = {"K": 1024, "M": 1024 * 1024}
_EXAMPLE = f"{OPTION} cycles+5%,sram+0,accuracy-0.5,flash+1K,cpu_operators+0"
# Figures are computed in binary and written in decimal: what is equal in decimal must not fail.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Rule:
    """A rule.

    Attributes:
        figure: as it was typed: an alias, a figure's name, or ``accuracy``.
        amount: signed, in percent or in the figure's unit.
        suffix: ``K``, ``M`` or nothing.
    """

    text: str
    figure: str
    amount: float
    percent: bool
    suffix: str


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Read rules that are separated by commas.

    Raises:
        BadInputError: one is not a rule, or a figure has two.
    """
    rules = tuple(_parse(part.strip()) for part in text.split(","))
    names = [ALIASES.get(rule.figure, rule.figure) for rule in rules]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise BadInputError(f"{OPTION} {text}: two rules for {rules[i].figure}")
    return rules


def _parse(text: str) -> Rule:
    match = _RULE.fullmatch(text)
    if match is None:
        raise BadInputError(f"{OPTION}: {text!r} is not a rule", hints=[_EXAMPLE])
    figure, sign, number, unit = match[1].strip(), match[2], match[3], match[4]
    if unit not in ("", "%", *_FACTORS):
        raise BadInputError(f"{OPTION} {text}: unknown unit {unit}", hints=["%, K, M, or nothing", _EXAMPLE])
    amount = float(number) * (-1 if sign == "-" else 1)
    return Rule(text, figure, amount, unit == "%", unit if unit in _FACTORS else "")


def apply_rules(comparison: Comparison, rules: Sequence[Rule]) -> tuple[RuleOutcome, ...]:
    """Hold every build but the first to the rules.

    Raises:
        BadInputError: there is no such figure, a build does not have it, or the amount is not one of its kind.
    """
    return tuple(
        _outcome(rule, row, comparison, i)
        for rule in rules
        for row in _rows(rule, comparison)
        for i in range(1, len(comparison.builds))
    )


def _rows(rule: Rule, comparison: Comparison) -> list[FigureRow]:
    """The figures that a rule is about, each in every build."""
    if rule.figure == ALL_ACCURACIES:
        rows = [row for row in comparison.figures if row.name.startswith(ACCURACY)]
        if not rows:
            raise _refused(rule, "no build has an accuracy", *how_to_get(ACCURACY, ""))
    else:
        row = comparison.row(ALIASES.get(rule.figure, rule.figure))
        if row is None:
            raise _unknown(rule, comparison)
        rows = [row]
    for row in rows:
        for build, cell in zip(comparison.builds, row.cells, strict=True):
            if cell.value is None:
                raise _refused(rule, f"{build.build} has no {row.name}", *how_to_get(row.name, build.build))
        _check_amount(rule, row)
    return rows


def _unknown(rule: Rule, comparison: Comparison) -> BadInputError:
    names = [row.name for row in comparison.figures]
    if rule.figure.startswith(ACCURACY) and not any(name.startswith(ACCURACY) for name in names):
        return _refused(rule, f"no build has {rule.figure}", *how_to_get(ACCURACY, ""))
    if rule.figure in AFTER_A_RUN:
        return _refused(rule, f"no build has {rule.figure}", *how_to_get(rule.figure, "BUILD"))
    return _refused(rule, *unknown(rule.figure, names))


def _check_amount(rule: Rule, row: FigureRow) -> None:
    if row.better == "neither":
        raise _refused(rule, f"of {row.name} neither more nor less is better")
    if rule.suffix and not row.unit.startswith("bytes"):
        unit = "percentage points" if row.unit == SHARE else row.unit
        raise _refused(rule, f"{rule.suffix} goes with sizes, {row.name} is in {unit}")
    if rule.percent and row.unit == SHARE:
        points = f"{rule.text.removesuffix('%')}: that many percentage points"
        raise _refused(rule, f"{row.name} is a share, of which percent are ambiguous", points)


def _refused(rule: Rule, why: str, *hints: str) -> BadInputError:
    return BadInputError(f"{OPTION} {rule.text}: {why}", hints=hints)


def _outcome(rule: Rule, row: FigureRow, comparison: Comparison, index: int) -> RuleOutcome:
    base, value = row.cells[0].value or 0.0, row.cells[index].value or 0.0
    limit = base + _amount(rule, row, base)
    slack = _ROUNDING * max(abs(limit), abs(base))
    holds = value <= limit + slack if row.better == "lower" else value >= limit - slack
    build = comparison.builds[index]
    word = "at most" if row.better == "lower" else "at least"
    is_, limit_is = f"{_shown(row, value)} ({row.cells[index].label})", f"{word} {_shown(row, limit)}"
    return RuleOutcome(
        rule=rule.text,
        figure=row.name,
        build=build.letter,
        base=base,
        limit=limit,
        value=value,
        holds=holds,
        sentence=f"{rule.text}: {title_of(row.name)} of {build.letter} ({build.build}) is {is_}, "
        f"the limit is {limit_is} (A: {_shown(row, base)})",
    )


def _amount(rule: Rule, row: FigureRow, base: float) -> float:
    if rule.percent:
        return abs(base) * rule.amount / 100
    if row.unit == SHARE:
        return rule.amount / 100
    return rule.amount * _FACTORS.get(rule.suffix, 1)


def _shown(row: FigureRow, value: float) -> str:
    """The value, exactly where rounding would hide why a rule broke."""
    return f"{100 * value:.6g} %" if row.unit == SHARE else f"{value:,.10g} {row.unit}"

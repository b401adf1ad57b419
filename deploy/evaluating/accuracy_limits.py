"""``--fail-below 90%`` and ``--max-drop 0.5``: what the target's accuracy is held to. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.errors import BadInputError
from deploy.evaluating.documents import OutputEvaluation

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s*(%?)")
# Shares of one are computed in binary; what is equal in decimal must not fail.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class AccuracyLimits:
    """What a target must reach, on every output.

    Attributes:
        below: least accuracy, a share of one; None for any.
        drop: most percentage points below the float model, or below the quantized reference where no float model
            ran; None for any.
    """

    below: float | None = None
    drop: float | None = None


def parse_limits(fail_below: str | None, max_drop: str | None) -> AccuracyLimits:
    """Read the two options.

    Raises:
        BadInputError: one is not a percentage.
    """
    below = drop = None
    if fail_below is not None:
        match = _PERCENT.fullmatch(fail_below.strip())
        below = float(match[1]) / 100 if match else None
        if match is None or below is None or below > 1:
            raise BadInputError(f"--fail-below {fail_below}: not a percentage", hints=["--fail-below 90%"])
        if not match[2] and 0 < below <= 0.01:
            raise BadInputError(
                f"--fail-below {fail_below}: a share of one, or percent?",
                hints=[f"--fail-below {10000 * below:g}%", f"--fail-below {100 * below:g}%"],
            )
    if max_drop is not None:
        match = _PERCENT.fullmatch(max_drop.strip())
        if match is None or match[2] or float(match[1]) > 100:
            raise BadInputError(
                f"--max-drop {max_drop}: not a number of percentage points", hints=["--max-drop 0.5"]
            )
        drop = float(match[1])
    return AccuracyLimits(below, drop)


def broken_limits(limits: AccuracyLimits, outputs: Sequence[OutputEvaluation]) -> list[str]:
    """One sentence for every output that misses a limit."""
    broken = []
    for output in outputs:
        target = output.score("target")
        base = output.score("float") or output.score("reference")
        if target is None or base is None:
            continue
        if limits.below is not None and target.accuracy < limits.below - _ROUNDING:
            broken.append(
                f"{output.name}: {target.accuracy:.2%} on target, below the {100 * limits.below:.6g}% asked for"
            )
        points = 100 * (base.accuracy - target.accuracy)
        if limits.drop is not None and points > limits.drop + _ROUNDING:
            who = "float model" if base.contestant == "float" else "quantized reference"
            broken.append(
                f"{output.name}: {target.accuracy:.2%} on target is {points:.2f} points below the {who} "
                f"({base.accuracy:.2%}), at most {limits.drop:g} are allowed"
            )
    return broken

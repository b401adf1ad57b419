"""How well a share is known that was counted on a sample."""

from __future__ import annotations

import math

Z_95 = 1.959964
"""Standard normal quantile of a two-sided 95 % interval."""


def wilson_interval(correct: int, count: int) -> tuple[float, float]:
    """95 % confidence interval (Wilson score) of a fraction ``correct / count``.

    Unlike the interval of the normal approximation it stays within [0, 1] and is not empty at 0 and 1.

    Args:
        correct: 0 to ``count``.
        count: at least 1.

    Returns:
        Lower and upper limit.
    """
    value = correct / count
    centre = value + Z_95 * Z_95 / (2 * count)
    half = Z_95 * math.sqrt(value * (1 - value) / count + (Z_95 / (2 * count)) ** 2)
    scale = 1 + Z_95 * Z_95 / count
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)

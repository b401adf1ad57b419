"""How the differences from the reference are spread: over values (a histogram in LSB) and over inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.build_folder import Document

MAX_BINS = 41
"""Most bars of a histogram; up to so many different values each get their own."""
MAX_WORST = 10
"""How many inputs are named as the worst."""


class LsbBin(Document):
    """A bar of the histogram of target minus reference.

    Attributes:
        low: smallest difference counted here, in LSB.
        high: largest one; equal to ``low`` where the bar stands for a single value.
        elements: how many output elements differ by that much.
    """

    low: float
    high: float
    elements: int


class WorstInput(Document):
    """An input on which the target differs most.

    Attributes:
        input: its index.
        mismatches: elements that differ.
        max_lsb: largest difference, in LSB.
    """

    input: int
    mismatches: int
    max_lsb: float


def distances(target: NDArray[Any], reference: NDArray[Any]) -> NDArray[np.uint64]:
    """How far integers or booleans of the same type are apart, exactly: no type of up to 64 bits overflows.

    Args:
        target: of any shape.
        reference: of the same shape and dtype.

    Returns:
        uint64 of that shape.
    """
    # Modulo 2**64 the difference of the larger and the smaller one is right, whatever their signs.
    ours, theirs = target.astype(np.uint64), reference.astype(np.uint64)
    return np.where(target >= reference, ours - theirs, theirs - ours)


def lsb_differences(
    target: NDArray[Any], reference: NDArray[Any], lsb: float
) -> NDArray[np.float64] | NDArray[np.int64] | None:
    """Target minus reference in LSB, of the arrays' shape.

    int64 for integers of up to 32 bits; float64 for longer ones, whose differences may need 65 bits, and for
    floats, rounded to 1/1000. None where there is no such unit: a difference is no number, or floats differ
    without a unit (``lsb`` 0).
    """
    if target.dtype.kind != "f":
        if target.dtype.itemsize < 8:
            return target.astype(np.int64) - reference.astype(np.int64)
        away = distances(target, reference).astype(np.float64)
        return np.where(target >= reference, away, -away)
    difference = target.astype(np.float64) - reference.astype(np.float64)
    if not np.isfinite(difference).all() or (lsb == 0.0 and difference.any()):
        return None
    scaled: NDArray[np.float64] = np.round(difference / (lsb or 1.0), 3)
    return scaled


def lsb_histogram(differences: NDArray[Any]) -> tuple[LsbBin, ...]:
    """Histogram of differences in LSB: exact values where there are few of them, else bars of equal width."""
    if differences.size == 0:
        return ()
    if not differences.any():
        return (LsbBin(low=0, high=0, elements=int(differences.size)),)
    values, counts = np.unique(differences, return_counts=True)
    if len(values) <= MAX_BINS:
        return tuple(
            LsbBin(low=float(value), high=float(value), elements=int(count))
            for value, count in zip(values, counts, strict=True)
        )
    sums, borders = np.histogram(values, bins=MAX_BINS, weights=counts)
    return tuple(
        LsbBin(low=float(low), high=float(high), elements=int(count))
        for low, high, count in zip(borders[:-1], borders[1:], sums, strict=True)
        if count
    )


def worst_inputs(differences: NDArray[Any]) -> tuple[WorstInput, ...]:
    """The inputs with the largest differences, then with most of them; none that equals the reference.

    Args:
        differences: ``[inputs, *shape]``, in LSB.
    """
    rows = np.abs(differences.reshape(len(differences), -1))
    if rows.size == 0:
        return ()
    largest, mismatches = rows.max(axis=1), np.count_nonzero(rows, axis=1)
    order = np.lexsort((-mismatches, -largest))[:MAX_WORST]
    return tuple(
        WorstInput(input=int(i), mismatches=int(mismatches[i]), max_lsb=float(largest[i]))
        for i in order
        if mismatches[i]
    )

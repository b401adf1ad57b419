"""Judges calibration data before its ranges decide about a model: pure functions of arrays.

A range that is far too wide for most of the data leaves few steps for it, and one that is too narrow cuts off what
the data does not show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

FEWEST_SAMPLES = 20
"""Below this, what occurs in one sample of twenty is likely to be missing; TensorFlow's guide names 100 to 500."""

_FEWEST_FOR_OUTLIERS = 10
_OUTLYING_SHARE = 0.01
_WITHOUT_OUTLIERS = 0.5


def findings(arrays: Mapping[str, NDArray[np.generic]]) -> tuple[str, ...]:
    """What is suspicious about calibration data, one sentence each.

    Args:
        arrays: per input [samples, *shape].
    """
    count = len(next(iter(arrays.values())))
    found = []
    if count < FEWEST_SAMPLES:
        found.append(
            f"calibrated with {count} sample{'s' if count > 1 else ''}: what does not occur in them is cut off; "
            "100 to 500 real ones are usual"
        )
    for name, array in arrays.items():
        if array.dtype.kind == "f":
            found += _of_input(name, array.reshape(count, -1).astype(np.float64))
    return tuple(found)


def _of_input(name: str, rows: NDArray[np.float64]) -> Iterator[str]:
    """Findings of one input, [samples, elements]."""
    if rows.size and rows.min() == rows.max():
        yield f"calibration data: input {name} is {rows.flat[0]:.4g} throughout, so no range says anything"
    elif len(rows) > 1 and (rows == rows[0]).all():
        yield f"calibration data: all {len(rows)} samples of input {name} are the same"
    else:
        yield from _outliers(name, rows)


def _outliers(name: str, rows: NDArray[np.float64]) -> Iterator[str]:
    """Whether one sample in a hundred takes most of the range for itself."""
    if len(rows) < _FEWEST_FOR_OUTLIERS or not rows.shape[1]:
        return
    low, high = rows.min(axis=1), rows.max(axis=1)
    middle = float(np.median(rows))
    reach = np.maximum(high - middle, middle - low)
    most = max(1, int(len(rows) * _OUTLYING_SHARE))
    outliers = np.sort(np.argsort(reach)[-most:])
    rest = np.delete(np.arange(len(rows)), outliers)
    whole, without = high.max() - low.min(), high[rest].max() - low[rest].min()
    if without < _WITHOUT_OUTLIERS * whole:
        who = f"samples {', '.join(map(str, outliers[:4]))}" if most > 1 else f"sample {outliers[0]}"
        yield (
            f"calibration data: input {name} reaches {low.min():.3g} .. {high.max():.3g} in {who}, "
            f"{low[rest].min():.3g} .. {high[rest].max():.3g} in all others: {1 - without / whole:.0%} of the "
            f"steps serve {most} of {len(rows)} samples; leave them out, or clip the data "
            "as on the device"
        )

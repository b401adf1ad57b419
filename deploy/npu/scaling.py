"""Multiply and shift with the NPU's rounding modes, exactly, on integers of up to 64 bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.npu.errors import UnsupportedError
from deploy.npu.operations import Rounding

_SAFE = 1 << 62
"""Products below this leave room for the rounding constant in an int64."""


def rescale(
    values: NDArray[np.int64],
    multiplier: int | NDArray[np.int64],
    shift: int | NDArray[np.int64],
    rounding: Rounding,
) -> NDArray[np.int64]:
    """``values * multiplier / 2**shift``, rounded.

    TFL rounds twice, as ``MultiplyByQuantizedMultiplier`` of TFLite does: to nearest (half up) at bit 31, then
    half away from zero. NATURAL rounds once, half up. (Source: measured against LiteRT's reference kernels.)

    Args:
        values: int64, any shape.
        multiplier: unsigned 32 bit, scalar or broadcastable (one per channel).
        shift: 0 to 63, scalar or broadcastable.
        rounding: rounding mode.

    Returns:
        int64 array of the shape of ``values``.

    Raises:
        UnsupportedError: rounding mode TRUNCATE, which Vela never emits and no source describes.
    """
    if rounding is Rounding.TRUNCATE:
        raise UnsupportedError("rounding mode TRUNCATE")
    shifts = np.asarray(shift, np.int64)
    first = np.minimum(shifts, 31) if rounding is Rounding.TFL else shifts
    result = multiply_shift(values, multiplier, first)
    if rounding is Rounding.TFL and (shifts > 31).any():
        result = round_half_away(result, np.maximum(shifts - 31, 0))
    return result


def multiply_shift(
    values: NDArray[np.int64], multiplier: int | NDArray[np.int64], shift: NDArray[np.int64]
) -> NDArray[np.int64]:
    """``(values * multiplier + 2**(shift - 1)) >> shift`` without overflow of the product."""
    multipliers = np.asarray(multiplier, np.int64)
    largest = max(int(values.max(initial=0)), -int(values.min(initial=0)))
    half = (np.int64(1) << shift) >> 1
    if largest * int(multipliers.max(initial=0)) < _SAFE and int(shift.max(initial=0)) <= 62:
        result: NDArray[np.int64] = (values * multipliers + half) >> shift
        return result
    return _multiply_shift_wide(values, multipliers, shift)


def _multiply_shift_wide(
    values: NDArray[np.int64], multipliers: NDArray[np.int64], shift: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The same with Python's integers; the result wraps to 64 bits."""
    wide = values.astype(object) * multipliers.astype(object)
    shifts = np.broadcast_to(shift, values.shape).astype(object)
    shifted: NDArray[np.object_] = (wide + ((1 << shifts) >> 1)) >> shifts
    wrapped: NDArray[np.int64] = ((shifted + (1 << 63)) % (1 << 64) - (1 << 63)).astype(np.int64)
    return wrapped


def round_half_away(values: NDArray[np.int64], shift: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """``values / 2**shift`` rounded to nearest, halves away from zero (``RoundingDivideByPOT``)."""
    shifts = np.asarray(shift, np.int64)
    mask = (np.int64(1) << shifts) - 1
    threshold = (mask >> 1) + (values < 0)
    result: NDArray[np.int64] = (values >> shifts) + ((values & mask) > threshold)
    return result

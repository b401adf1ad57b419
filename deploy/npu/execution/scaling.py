"""Multiply and shift with the NPU's rounding modes, exactly, on integers of up to 64 bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.npu.errors import UnsupportedError
from deploy.npu.stream.operations import Rounding

Integers = NDArray[np.int64]


def rescale(values: Integers, multiplier: int | Integers, shift: int | Integers, rounding: Rounding) -> Integers:
    """``values * multiplier / 2**shift``, rounded.

    TFL rounds twice, as ``MultiplyByQuantizedMultiplier`` of TFLite does: to nearest (half up) at bit 31, then
    half away from zero. NATURAL rounds once, half up; SYMMETRIC once, half away from zero; DOWN does not round.
    (Source: measured against LiteRT's reference kernels.)

    Args:
        values: int64 of any shape that the constants broadcast to.
        multiplier: unsigned 32 bit, scalar or broadcastable (one per channel).
        shift: 0 to 63, scalar or broadcastable.
        rounding: rounding mode.

    Raises:
        UnsupportedError: rounding mode TRUNCATE, which Vela never emits and no source describes.
    """
    shifts = np.asarray(shift, np.int64)
    if rounding is Rounding.TFL:
        first = np.minimum(shifts, 31)
        return round_half_away(multiply_shift(values, multiplier, first, half(first)), shifts - first)
    if rounding is Rounding.NATURAL:
        return multiply_shift(values, multiplier, shifts, half(shifts))
    if rounding is Rounding.SYMMETRIC:
        return multiply_shift(values, multiplier, shifts, half(shifts) - ((values < 0) & (shifts > 0)))
    if rounding is Rounding.DOWN:
        return multiply_shift(values, multiplier, shifts, 0)
    raise UnsupportedError("rounding mode TRUNCATE")


def half(shift: Integers) -> Integers:
    """Half a unit of what a shift leaves, 0 without one."""
    found: Integers = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    return found


def multiply_shift(
    values: Integers, multiplier: int | Integers, shift: Integers, addend: int | Integers
) -> Integers:
    """``(values * multiplier + addend) >> shift``, whose product is not cut off; the result wraps to 64 bits."""
    largest = max(int(values.max(initial=0)), -int(values.min(initial=0))) * int(np.max(multiplier))
    result: Integers
    if largest < 1 << 62 and int(shift.max()) <= 62:
        result = (values * multiplier + addend) >> shift
    else:  # with Python's integers, which have no end
        exact = (values.astype(object) * multiplier + addend) >> shift.astype(object)
        result = ((exact + (1 << 63)) % (1 << 64) - (1 << 63)).astype(np.int64)
    return result


def round_half_away(values: Integers, shift: int | Integers) -> Integers:
    """``values / 2**shift`` rounded to nearest, halves away from zero (``RoundingDivideByPOT``)."""
    shifts = np.asarray(shift, np.int64)
    mask = (np.int64(1) << shifts) - 1
    threshold = (mask >> 1) + (values < 0)
    result: Integers = (values >> shifts) + ((values & mask) > threshold)
    return result

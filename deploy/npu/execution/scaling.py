"""Multiply and shift with the NPU's rounding modes, exactly, on integers of up to 64 bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.npu.errors import UnsupportedError
from deploy.npu.stream.operations import Rounding

_SAFE = 1 << 62
"""Products below this leave room for the rounding constant in an int64."""


class Rescale:
    """``(values + bias) * multiplier / 2**shift``, rounded; what depends on the constants alone is computed once.

    TFL rounds twice, as ``MultiplyByQuantizedMultiplier`` of TFLite does: to nearest (half up) at bit 31, then
    half away from zero. NATURAL rounds once, half up; SYMMETRIC once, half away from zero; DOWN does not round.
    (Source: measured against LiteRT's reference kernels.)

    Args:
        multiplier: unsigned 32 bit, scalar or broadcastable (one per channel).
        shift: 0 to 63, scalar or broadcastable.
        rounding: rounding mode.
        bias: added to the values first, scalar or broadcastable.
        largest: magnitude that no value exceeds, bias included, if known: it saves looking for it each time.

    Raises:
        UnsupportedError: rounding mode TRUNCATE, which Vela never emits and no source describes.
    """

    __slots__ = ("_bias", "_first", "_folded", "_multiplier", "_rounding", "_second")

    def __init__(
        self,
        multiplier: int | NDArray[np.int64],
        shift: int | NDArray[np.int64],
        rounding: Rounding,
        bias: int | NDArray[np.int64] = 0,
        largest: int | None = None,
    ) -> None:
        if rounding is Rounding.TRUNCATE:
            raise UnsupportedError("rounding mode TRUNCATE")
        shifts = np.asarray(shift, np.int64)
        twice = rounding is Rounding.TFL and bool((shifts > 31).any())
        self._rounding = rounding
        self._bias = np.asarray(bias, np.int64)
        self._multiplier = np.asarray(multiplier, np.int64)
        self._first = np.minimum(shifts, 31) if twice else shifts
        self._second = np.maximum(shifts - 31, 0) if twice else None
        self._folded: tuple[NDArray[np.int64], ...] | None = None
        if twice and largest is not None and _fits(largest, self._multiplier, self._first):
            self._folded = self._fold()

    def __call__(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rescale int64 values of any shape that the constants broadcast to; the same shape returns."""
        values = values + self._bias
        if self._rounding in (Rounding.SYMMETRIC, Rounding.DOWN):
            less = (values < 0).astype(np.int64) if self._rounding is Rounding.SYMMETRIC else _half(self._first)
            return multiply_shift(values, self._multiplier, self._first, np.where(self._first > 0, -less, 0))
        result = multiply_shift(values, self._multiplier, self._first)
        return result if self._second is None else round_half_away(result, self._second)

    def some(self, values: NDArray[np.int64], channels: NDArray[np.intp]) -> NDArray[np.int64]:
        """The same for a few values.

        Args:
            values: int64 ``(count,)``.
            channels: which multiplier, shift and bias each takes, ``(count,)``.
        """
        if self._folded is None and self._rounding not in (Rounding.TFL, Rounding.NATURAL):
            raise AssertionError("only two roundings are done for a few values alone")
        if self._folded is None:
            multiplier, first, second = self._multiplier[channels], self._first[channels], self._second
            result = multiply_shift(values + self._bias[channels], multiplier, first)
            return result if second is None else round_half_away(result, second[channels])
        multiplier, addend, first, half, sign, last = (constant[channels] for constant in self._folded)
        result = values * multiplier
        result += addend
        result >>= first
        # Half up, and one less where the value is negative: half away from zero.
        result += (result >> 63) & sign
        result += half
        result >>= last
        return result

    def _fold(self) -> tuple[NDArray[np.int64], ...]:
        """Everything that can be added or masked beforehand when nothing overflows."""
        if self._second is None:
            raise AssertionError("only two roundings are folded")
        one = np.int64(1)
        addend = self._bias * self._multiplier + ((one << self._first) >> 1)
        sign = -(self._second > 0).astype(np.int64)
        return self._multiplier, addend, self._first, (one << self._second) >> 1, sign, self._second


def rescale(
    values: NDArray[np.int64],
    multiplier: int | NDArray[np.int64],
    shift: int | NDArray[np.int64],
    rounding: Rounding,
) -> NDArray[np.int64]:
    """:class:`Rescale` for a single use."""
    return Rescale(multiplier, shift, rounding)(values)


def multiply_shift(
    values: NDArray[np.int64],
    multiplier: int | NDArray[np.int64],
    shift: NDArray[np.int64],
    addend: int | NDArray[np.int64] = 0,
) -> NDArray[np.int64]:
    """``(values * multiplier + 2**(shift - 1) + addend) >> shift`` without overflow of the product."""
    multipliers = np.asarray(multiplier, np.int64)
    largest = max(int(values.max(initial=0)), -int(values.min(initial=0)))
    if not _fits(largest, multipliers, shift):
        return _multiply_shift_wide(values, multipliers, shift, np.asarray(addend, np.int64))
    result: NDArray[np.int64] = (values * multipliers + (_half(shift) + addend)) >> shift
    return result


def _half(shift: NDArray[np.int64]) -> NDArray[np.int64]:
    """Half a unit of what a shift leaves, 0 without one."""
    half: NDArray[np.int64] = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    return half


def _fits(largest: int, multipliers: NDArray[np.int64], shift: NDArray[np.int64]) -> bool:
    """Whether products and rounding constants fit an int64."""
    return largest * int(multipliers.max(initial=0)) < _SAFE and int(shift.max(initial=0)) <= 62


def _multiply_shift_wide(
    values: NDArray[np.int64],
    multipliers: NDArray[np.int64],
    shift: NDArray[np.int64],
    addend: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The same with Python's integers; the result wraps to 64 bits."""
    wide = values.astype(object) * multipliers.astype(object)
    shifts = np.broadcast_to(shift, values.shape).astype(object)
    shifted: NDArray[np.object_] = (wide + ((1 << shifts) >> 1) + addend.astype(object)) >> shifts
    wrapped: NDArray[np.int64] = ((shifted + (1 << 63)) % (1 << 64) - (1 << 63)).astype(np.int64)
    return wrapped


def round_half_away(values: NDArray[np.int64], shift: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """``values / 2**shift`` rounded to nearest, halves away from zero (``RoundingDivideByPOT``)."""
    shifts = np.asarray(shift, np.int64)
    mask = (np.int64(1) << shifts) - 1
    threshold = (mask >> 1) + (values < 0)
    result: NDArray[np.int64] = (values >> shifts) + ((values & mask) > threshold)
    return result

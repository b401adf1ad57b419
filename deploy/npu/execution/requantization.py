"""Per-channel scaling and output stage of convolutions, fast: floating point decides, integers settle doubts.

The exact result is a rounded multiple of the accumulator (:func:`deploy.npu.execution.scaling.rescale`). Floating
point computes that multiple with a known error. Where rounding the lower and the upper bound of it gives the same
element, that element is exact; the few others are computed with integers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deploy.npu.bounds import STEP_ELEMENTS
from deploy.npu.execution.activation import clamp_range, element_dtype, finish, look_up
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.scaling import Rescale
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.operations import Function, Rounding
from deploy.npu.weights.unpacked import ChannelScales

_ROW = 2048
"""Channel vectors are repeated up to this length: short inner loops are slow."""


class Requantizer:
    """Turns accumulators of one convolution into OFM elements; keeps no reference to memory.

    Args:
        operation: the convolution.
        scales: bias and scale per channel.
        dtype: type of the accumulators, float32 or float64.
        largest: magnitude that no accumulator exceeds, bias included, if known.
    """

    def __init__(
        self,
        operation: ConvolutionOperation,
        scales: ChannelScales,
        dtype: np.dtype[np.floating],
        largest: int | None = None,
    ) -> None:
        self._operation = operation
        self._scales = scales
        self._rescale = Rescale(scales.multiplier, scales.shift, operation.rounding, scales.bias, largest)
        self._dtype = element_dtype(operation)
        self._plain = self._constants(dtype)
        self._repeat = max(1, _ROW // operation.ofm.depth)
        self._repeated = self._plain and self._plain.repeated(self._repeat)

    def __call__(self, sums: NDArray[np.floating], memory: Memory) -> NDArray[np.generic]:
        """Finish accumulators ``(pixels, channels)``: exact integers, without bias.

        Returns:
            OFM elements ``(pixels, channels)``.
        """
        if self._plain is None or self._repeated is None:
            scaled = self._rescale(sums.astype(np.int64))
            return finish(scaled, self._operation, memory)
        result = np.empty(sums.shape, self._dtype)
        pixels, channels = sums.shape
        whole = pixels // self._repeat * self._repeat
        width = channels * self._repeat
        step = max(1, STEP_ELEMENTS // width)
        rows, target = sums[:whole].reshape(-1, width), result[:whole].reshape(-1, width)
        doubts = [
            top * width + _fast(rows[top : top + step], target[top : top + step], self._repeated)
            for top in range(0, rows.shape[0], step)
        ]
        if whole < pixels:
            doubts.append(whole * channels + _fast(sums[whole:], result[whole:], self._plain))
        self._settle(sums, result, np.concatenate(doubts), self._plain)
        if self._operation.activation.function is Function.LUT:
            return look_up(result, self._operation, memory)
        return result

    def _constants(self, dtype: np.dtype[np.floating]) -> _Constants | None:
        """What the fast path needs; None where it does not apply."""
        operation, scales = self._operation, self._scales
        size = self._dtype.itemsize
        if operation.activation.function not in (Function.NONE, Function.LUT) or size > 2:
            return None
        if (size == 2 and dtype != np.float64) or operation.rounding not in (Rounding.TFL, Rounding.NATURAL):
            return None
        # TFL's first rounding (at bit 31) moves the value by up to half a unit of bit shift - 31.
        twice = int(scales.shift.min()) if operation.rounding is Rounding.TFL else 0
        first = 2.0 ** -(twice - 31 + 1) if twice > 31 else 0.0
        if operation.rounding is Rounding.TFL and int(scales.shift.max()) > 31 >= twice:
            first = 0.25
        low, high = clamp_range(operation, self._dtype)
        scale = scales.multiplier * np.exp2(-scales.shift.astype(np.float64))
        offset = scales.bias * scale + (operation.ofm.zero_point - low + 0.5)
        # Each of the three rounded steps is off by half a unit of its result's last bit; a result inside the
        # clamp is a product of at most ``largest``. Beyond the clamp it does not matter.
        largest = float(np.abs(offset).max()) + (high - low) + 2
        margin = first + 4 * largest * float(np.finfo(dtype).eps)
        if margin >= 0.4:
            return None
        return _Constants(scale.astype(dtype), (offset - margin).astype(dtype), margin, low, high - low)

    def _settle(
        self,
        sums: NDArray[np.floating],
        result: NDArray[np.generic],
        doubts: NDArray[np.intp],
        constants: _Constants,
    ) -> None:
        """Compute the elements at these flat positions with integers."""
        if not doubts.size:
            return
        channels = doubts % self._scales.bias.size
        values = self._rescale.some(sums.ravel()[doubts].astype(np.int64), channels)
        values += self._operation.ofm.zero_point
        result.reshape(-1)[doubts] = np.clip(values, constants.low, constants.low + constants.span)


def _fast(sums: NDArray[np.floating], result: NDArray[np.generic], constants: _Constants) -> NDArray[np.intp]:
    """Store the elements that the lower bounds give.

    Returns:
        Flat positions of those that the upper bounds may give another element.
    """
    bound = sums * constants.scale
    bound += constants.offset
    np.clip(bound, 0, constants.span, out=bound)
    elements = result.view(f"u{result.dtype.itemsize}")
    floor = np.floor(bound)
    np.copyto(elements, floor, casting="unsafe")
    bound -= floor
    # Unsigned addition wraps to the two's complement that a signed OFM wants.
    elements += elements.dtype.type(constants.low & int(np.iinfo(elements.dtype).max))
    return np.flatnonzero(bound >= 1 - 2 * constants.margin)


@dataclass(frozen=True)
class _Constants:
    """The fast path computes ``sum * scale + offset``, the lower bound of the element less ``low``.

    Attributes:
        scale: per channel.
        offset: per channel: bias, zero point and rounding, less the margin.
        margin: how far the lower and the upper bound are from the value, with room for this type's rounding.
        low: lowest element that the clamp leaves.
        span: highest element less the lowest.
    """

    scale: NDArray[np.floating]
    offset: NDArray[np.floating]
    margin: float
    low: int
    span: int

    def repeated(self, times: int) -> _Constants:
        """The same for ``times`` pixels in a row."""
        return replace(self, scale=np.tile(self.scale, times), offset=np.tile(self.offset, times))

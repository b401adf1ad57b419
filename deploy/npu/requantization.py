"""Per-channel scaling and output stage of convolutions, fast: floating point decides, integers settle doubts.

The exact result is a rounded multiple of the accumulator (:func:`deploy.npu.scaling.rescale`). Floating point
computes that multiple with a known error. Where rounding the lower and the upper bound of it gives the same
element, that element is exact; the few others are computed with integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.npu.activation import clamp_range, finish
from deploy.npu.architecture import Architecture
from deploy.npu.limits import STEP_ELEMENTS
from deploy.npu.memory import Memory
from deploy.npu.operations import ConvolutionOperation, Function, Rounding
from deploy.npu.scaling import rescale
from deploy.npu.weights import ChannelScales

_ROW = 2048
"""Channel vectors are repeated up to this length: short inner loops are slow."""


@dataclass(frozen=True)
class Requantizer:
    """Turns accumulators of one convolution into OFM elements.

    Attributes:
        operation: the convolution.
        scales: bias and scale per channel.
        memory: holds the lookup tables.
        architecture: says where.
    """

    operation: ConvolutionOperation
    scales: ChannelScales
    memory: Memory
    architecture: Architecture

    def __call__(self, sums: NDArray[np.floating]) -> NDArray[np.generic]:
        """Finish accumulators.

        Args:
            sums: float32 or float64 ``(pixels, channels)``, exact integers, without bias; overwritten.

        Returns:
            OFM elements ``(pixels, channels)``.
        """
        constants = self._constants(sums.dtype)
        if constants is None:
            return self._exact(sums.astype(np.int64) + self.scales.bias)
        result = np.empty(sums.shape, self.operation.ofm.dtype)
        pixels, channels = sums.shape
        repeat = max(1, min(_ROW // channels, pixels))
        whole = pixels // repeat * repeat
        tiled = [np.tile(vector, repeat) for vector in (constants.bias, constants.scale)]
        step = max(1, STEP_ELEMENTS // (channels * repeat))
        rows, target = sums[:whole].reshape(-1, channels * repeat), result[:whole].reshape(-1, channels * repeat)
        for top in range(0, rows.shape[0], step):
            self._fast(rows[top : top + step], target[top : top + step], tiled, constants)
        if whole < pixels:
            self._fast(sums[whole:], result[whole:], [constants.bias, constants.scale], constants)
        return result

    def _constants(self, dtype: np.dtype[np.floating]) -> _Constants | None:
        """What the fast path needs; None where it does not apply."""
        operation, scales = self.operation, self.scales
        size = operation.ofm.dtype.itemsize
        if operation.activation.function is not Function.NONE or size > 2:
            return None
        if size == 2 and dtype != np.float64:
            return None
        # TFL's first rounding (at bit 31) moves the value by up to half a unit of bit shift - 31.
        twice = int(scales.shift.min()) if operation.rounding is Rounding.TFL else 0
        first = 2.0 ** -(twice - 31 + 1) if twice > 31 else 0.0
        if operation.rounding is Rounding.TFL and int(scales.shift.max()) > 31 >= twice:
            first = 0.25
        # Errors of the product and the additions; values beyond the clamp may be further off.
        margin = first + (2.0**-12 if dtype == np.float32 else 2.0**-30)
        low, high = clamp_range(operation, operation.ofm.dtype)
        if margin >= 0.5 or operation.rounding is Rounding.TRUNCATE:
            return None
        return _Constants(
            bias=scales.bias.astype(dtype),
            scale=(scales.multiplier * np.exp2(-scales.shift.astype(np.float64))).astype(dtype),
            offset=operation.ofm.zero_point - low + 0.5,
            margin=margin,
            low=low,
            span=high - low,
        )

    def _fast(
        self,
        sums: NDArray[np.floating],
        result: NDArray[np.generic],
        vectors: list[NDArray[np.floating]],
        constants: _Constants,
    ) -> None:
        sums += vectors[0]
        scaled = sums * vectors[1]
        unsigned = np.dtype(f"u{result.dtype.itemsize}")
        lower, upper = np.empty(sums.shape, unsigned), np.empty(sums.shape, unsigned)
        bound = np.empty_like(scaled)
        for shift, elements in ((-constants.margin, lower), (constants.margin, upper)):
            np.add(scaled, scaled.dtype.type(constants.offset + shift), out=bound)
            np.clip(bound, 0, constants.span, out=bound)
            # Nothing is negative any more, so truncation rounds down.
            np.copyto(elements, bound, casting="unsafe")
        doubts = np.flatnonzero(lower != upper)
        # Unsigned addition wraps to the two's complement that a signed OFM wants.
        np.add(lower, unsigned.type(constants.low & int(np.iinfo(unsigned).max)), out=result.view(unsigned))
        if doubts.size:
            channels = doubts % vectors[0].size % self.scales.bias.size
            values = rescale(
                sums.ravel()[doubts].astype(np.int64),
                self.scales.multiplier[channels],
                self.scales.shift[channels],
                self.operation.rounding,
            )
            result.reshape(-1)[doubts] = finish(values, self.operation, self.memory, self.architecture)

    def _exact(self, sums: NDArray[np.int64]) -> NDArray[np.generic]:
        scaled = rescale(sums, self.scales.multiplier, self.scales.shift, self.operation.rounding)
        return finish(scaled, self.operation, self.memory, self.architecture)


@dataclass(frozen=True)
class _Constants:
    bias: NDArray[np.floating]
    scale: NDArray[np.floating]
    offset: float
    margin: float
    low: int
    span: int

"""Scales as integers, and how the NPU and TFLM round with them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.tflite import Tensor


def fixed_point(multiplier: float) -> tuple[int, int]:
    """``multiplier`` as 31 bits and a shift to the left (TFLite's ``QuantizeMultiplier``)."""
    if multiplier == 0:
        return 0, 0
    fraction, shift = math.frexp(multiplier)
    bits = math.floor(fraction * 2.0**31 + 0.5)
    if bits == 1 << 31:
        bits, shift = bits // 2, shift + 1
    return (0, 0) if shift < -31 else (bits, shift)


def rounded_twice(sums: NDArray[np.int64], multiplier: float) -> NDArray[np.int64]:
    """``sums * multiplier``, rounded at bit 31, halves up, then halves away from zero."""
    bits, shift = fixed_point(multiplier)
    high = ((sums << max(shift, 0)) * bits + (1 << 30)) >> 31
    right = max(-shift, 0)
    mask = (1 << right) - 1
    result: NDArray[np.int64] = (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))
    return result


def rounded_once_16(sums: NDArray[np.int64], multiplier: float) -> NDArray[np.int64]:
    """``sums * multiplier``, with a multiplier of 16 bits, rounded once, halves up."""
    bits, shift = fixed_point(multiplier)
    reduced = (bits + (1 << 15)) >> 16 if bits < 0x7FFF0000 else 0x7FFF
    right = 15 - shift
    result: NDArray[np.int64] = (sums * reduced + (1 << (right - 1))) >> right
    return result


def constant(tensor: Tensor) -> NDArray[Any]:
    """What a constant holds, in its shape and type.

    Raises:
        ValueError: it is none.
    """
    if tensor.data is None:
        raise ValueError(f"{tensor.name} is no constant")
    return tensor.data.view(tensor.dtype).reshape(tensor.shape)


def has_scales(tensor: Tensor) -> bool:
    """Whether it is quantized, and by numbers that one can divide by."""
    return tensor.quantization is not None and all(scale > 0 for scale in tensor.quantization.scales)


def scales_of(tensor: Tensor) -> tuple[float, ...]:
    """Its scales; 1 where it is not quantized."""
    return tensor.quantization.scales if tensor.quantization else (1.0,)


def zero_point_of(tensor: Tensor) -> int:
    """Its (first) zero point; 0 where it is not quantized."""
    return tensor.quantization.zero_points[0] if tensor.quantization else 0

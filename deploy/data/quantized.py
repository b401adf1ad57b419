"""Real values as a tensor stores them and back, and which of them it can hold."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from deploy.tflite import Quantization


class Stored(Protocol):
    """A tensor, or an input of a model, as far as its values go."""

    @property
    def dtype(self) -> str:
        """NumPy name."""

    @property
    def quantization(self) -> Quantization | None:
        """None where values are stored as they are."""


def is_quantized(tensor: Stored) -> bool:
    """Whether a tensor's integers stand for real values."""
    return tensor.quantization is not None and np.dtype(tensor.dtype).kind in "iu"


def quantize_values(values: NDArray[Any], tensor: Stored) -> NDArray[Any]:
    """Real values as a tensor stores them: round half away from zero, saturate. Same shape, its dtype."""
    dtype = np.dtype(tensor.dtype)
    if tensor.quantization is None or dtype.kind not in "iu":
        return values.astype(dtype)
    # Divided in float32 as TFLite does; rounded in float64, where adding a half is exact.
    scaled = (values.astype(np.float32) / np.float32(tensor.quantization.scales[0])).astype(np.float64)
    rounded = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled)
    limits = np.iinfo(dtype)
    shifted = np.clip(rounded + tensor.quantization.zero_points[0], limits.min, limits.max)
    stored: NDArray[Any] = shifted.astype(dtype)
    return stored


def real_values(stored: NDArray[Any], tensor: Stored) -> NDArray[np.float32]:
    """What stored values stand for; themselves where the tensor is not quantized. Same shape."""
    if tensor.quantization is None or not is_quantized(tensor):
        return stored.astype(np.float32)
    values = (stored.astype(np.float64) - tensor.quantization.zero_points[0]) * tensor.quantization.scales[0]
    return values.astype(np.float32)


def real_range(tensor: Stored) -> tuple[float, float] | None:
    """The smallest and the largest real value that a tensor can hold; None for one that is not quantized."""
    if tensor.quantization is None or not is_quantized(tensor):
        return None
    limits = np.iinfo(tensor.dtype)
    scale, zero_point = tensor.quantization.scales[0], tensor.quantization.zero_points[0]
    return (limits.min - zero_point) * scale, (limits.max - zero_point) * scale

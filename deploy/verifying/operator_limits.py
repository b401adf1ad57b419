"""What goes wrong outside the NPU: numbers that LiteRT's kernels cannot hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.tflite import Model, Operator, Tensor

_WEIGHTED = frozenset(["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"])
_INT32 = float(2**31)


def overflow(operator: Operator, source: Model) -> float:
    """The largest number that LiteRT's kernel can meet, over the 2**31 that it holds; 0 where nothing is known.

    A multiplier of 1 and more makes the kernels shift the accumulator left within 32 bits (measured: they wrap).
    Addition and subtraction shift their operands left by 20 bits (15 for int16) beforehand and take multipliers
    below 1 only. Source: ``MultiplyByQuantizedMultiplier`` and the ADD kernel of TensorFlow Lite, measured with
    networks whose calibration saw nothing but zeros.
    """
    output = source.tensors[operator.outputs[0]]
    tensors = [source.tensors[index] for index in operator.inputs if index >= 0]
    if _scale(output) == 0.0 or len(tensors) < 2:
        return 0.0
    if operator.code in ("ADD", "SUB"):
        left_shift = 15 if output.dtype == "int16" else 20
        return 2 * max(_scale(tensor) for tensor in tensors) / (2.0**left_shift * _scale(output))
    if operator.code == "MUL":
        return _shifted(_span(tensors[0]) * _span(tensors[1]), tensors, output)
    weights = next((tensor for tensor in tensors[1:] if tensor.data is not None and tensor.dtype == "int8"), None)
    if operator.code in _WEIGHTED and weights is not None and output.dtype in ("int8", "uint8"):
        return _shifted(_span(tensors[0]) * _magnitude(operator, weights), [tensors[0], weights], output)
    return 0.0


def saturated(values: NDArray[Any], tensor: Tensor) -> bool:
    """Whether all values lie at an end of what a tensor can hold: of its type, or of a RELU in front of it.

    Args:
        values: elements of it.
        tensor: of the source model.
    """
    limits = np.iinfo(np.dtype(tensor.dtype))
    ends = [limits.min, limits.max, *(tensor.quantization.zero_points if tensor.quantization else ())]
    return bool(np.isin(values, ends).all())


def _magnitude(operator: Operator, weights: Tensor) -> float:
    """The largest sum of absolute weights of an output channel."""
    if weights.data is None:
        return 0.0
    magnitudes = np.abs(weights.data.view(np.int8).reshape(weights.shape).astype(np.int64))
    channel = len(weights.shape) - 1 if operator.code == "DEPTHWISE_CONV_2D" else 0
    return float(np.moveaxis(magnitudes, channel, 0).reshape(weights.shape[channel], -1).sum(axis=1).max())


def _shifted(accumulator: float, operands: Sequence[Tensor], output: Tensor) -> float:
    multiplier = math.prod(_scale(tensor) for tensor in operands) / _scale(output)
    return accumulator * 2.0 ** max(math.frexp(multiplier)[1], 0) / _INT32


def _scale(tensor: Tensor) -> float:
    """The largest scale of a tensor, 0 where it has none."""
    return max(tensor.quantization.scales) if tensor.quantization else 0.0


def _span(tensor: Tensor) -> float:
    limits = np.iinfo(np.dtype(tensor.dtype))
    return float(limits.max) - float(limits.min)

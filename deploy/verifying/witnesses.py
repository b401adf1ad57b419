"""What the NPU must compute where it is known to round otherwise than LiteRT's reference kernels, in NumPy.

Each is computed from the source model alone, and never from the command stream that it is to judge. So a known
difference excuses the very integers that it leads to, and nothing else.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.tflite import Model, Operator, Tensor
from deploy.tflite.options import ACTIVATION_RANGES, options_of
from deploy.verifying import integer_arithmetic, lstm_arithmetic
from deploy.verifying.fixed_point import (
    constant,
    fixed_point,
    has_scales,
    rounded_once_16,
    rounded_twice,
    scales_of,
    zero_point_of,
)

Compute = Callable[[Operator, Model, Mapping[int, NDArray[Any]]], NDArray[Any]]


@dataclass(frozen=True)
class Witness:
    """Known arithmetic of the NPU.

    Attributes:
        cause: why it differs from the reference's, one sentence.
        compute: takes the operator, its model and tensor index -> ``(batch, *shape)`` of its activations; returns
            its first output, ``(batch, *shape)``.
    """

    cause: str
    compute: Compute


def witness_of(operator: Operator, source: Model, *, sequence: bool = False) -> Witness | None:
    """The known arithmetic of an operator, where there is one.

    Args:
        operator: of the source model.
        source: that model.
        sequence: whether it keeps its state from one inference of a batch to the next.
    """
    if lstm_arithmetic.applies(operator, source):
        return Witness(
            "LSTM, 8 bits: LiteRT's reference rounds otherwise; Vela multiplies scales in 32 bits, TFLM in 64",
            functools.partial(lstm_arithmetic.compute, sequence=sequence),
        )
    if integer_arithmetic.applies(operator, source):
        return Witness(integer_arithmetic.CAUSE, integer_arithmetic.compute)
    if operator.code == "SUM":
        activation, output = (source.tensors[index] for index in (operator.inputs[0], operator.outputs[0]))
        fixed = source.tensors[operator.inputs[1]].data is not None and bool(activation.shape)
        return _SUM if fixed and {activation.dtype, output.dtype} == {"int8"} and has_scales(output) else None
    if operator.code != "FULLY_CONNECTED" or len(operator.inputs) < 2:
        return None
    activation, weights = (source.tensors[index] for index in operator.inputs[:2])
    output = source.tensors[operator.outputs[0]]
    fixed = weights.data is not None and weights.dtype in ("int8", "uint8")  # uint8: converters before 2020
    quantized = all(has_scales(tensor) for tensor in (activation, weights, output))
    if not fixed or not quantized or len(weights.shape) != 2:
        return None
    return _DENSE.get((activation.dtype, output.dtype))


def fully_connected_8(operator: Operator, source: Model, values: Mapping[int, NDArray[Any]]) -> NDArray[Any]:
    """A fully connected layer of 8 bits, rounded twice: at bit 31, halves up, then halves away from zero.

    Source: TFLM's ``MultiplyByQuantizedMultiplier``, for which Vela writes the rounding mode TFL.
    """
    return _fully_connected(operator, source, values, rounded_twice)


def fully_connected_16(operator: Operator, source: Model, values: Mapping[int, NDArray[Any]]) -> NDArray[Any]:
    """A fully connected layer of 16 bits with a multiplier of 16 bits, rounded once, halves up.

    Source: TFLM's ``MultiplyByQuantizedMultiplier`` for accumulators of 64 bits, and Vela's scales of such layers.
    """
    return _fully_connected(operator, source, values, rounded_once_16)


def summed(operator: Operator, source: Model, values: Mapping[int, NDArray[Any]]) -> NDArray[Any]:
    """A sum over axes, rounded once, halves up.

    Source: Vela's scale of a sum, 31 bits, and results of the NPU model, which this equals for scales that differ.
    """
    activation, axes = (source.tensors[index] for index in operator.inputs[:2])
    output = source.tensors[operator.outputs[0]]
    rank = len(activation.shape)
    over = tuple({1 + int(axis) % rank for axis in constant(axes).reshape(-1)})  # behind the batch
    sums = (values[activation.index].astype(np.int64) - zero_point_of(activation)).sum(axis=over)
    bits, shift = fixed_point(scales_of(activation)[0] / scales_of(output)[0])
    right = max(31 - shift, 1)  # a scale of 2**30 is no model's, and must not stop anybody
    limits = np.iinfo(np.dtype(output.dtype))
    result = np.clip(((sums * bits + (1 << (right - 1))) >> right) + zero_point_of(output), limits.min, limits.max)
    shaped: NDArray[Any] = result.astype(output.dtype).reshape(-1, *output.shape)
    return shaped


_SUM = Witness(
    "sum: LiteRT's reference kernel of a quantized SUM is wrong where scales differ; the NPU rounds once", summed
)

_DENSE = {
    **dict.fromkeys(
        [("int8", "int8"), ("uint8", "uint8")],
        Witness(
            "fully connected, 8 bits: LiteRT's reference rounds once, the NPU and TFLM round twice",
            fully_connected_8,
        ),
    ),
    ("int16", "int16"): Witness(
        "fully connected, 16 bits: Vela encodes the multiplier in 16 bits, LiteRT's reference uses 32",
        fully_connected_16,
    ),
}


def _fully_connected(
    operator: Operator,
    source: Model,
    values: Mapping[int, NDArray[Any]],
    scaled: Callable[[NDArray[np.int64], float], NDArray[np.int64]],
) -> NDArray[Any]:
    """``scaled`` takes the sums of a channel, and what they are to be multiplied with."""
    activation, weights = (source.tensors[index] for index in operator.inputs[:2])
    output = source.tensors[operator.outputs[0]]
    matrix = constant(weights).astype(np.float64) - zero_point_of(weights)
    batch = len(values[activation.index])
    rows = values[activation.index].reshape(-1, matrix.shape[1]).astype(np.float64) - zero_point_of(activation)
    sums = np.rint(rows @ matrix.T).astype(np.int64)  # below 2**53: exact
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        sums += constant(source.tensors[operator.inputs[2]]).astype(np.int64)
    multipliers = _multipliers(activation, weights, output)
    result = np.stack(
        [scaled(sums[:, i], multipliers[i % len(multipliers)]) for i in range(sums.shape[1])], axis=1
    )
    low, high = _limits(operator, source, output)
    result = np.clip(result + zero_point_of(output), low, high)
    return result.astype(output.dtype).reshape(batch, *output.shape)


def _multipliers(activation: Tensor, weights: Tensor, output: Tensor) -> list[float]:
    """One for the tensor, or one a channel; of one tensor's scales the product is a float (TFLite's Prepare)."""
    ours, theirs = scales_of(activation)[0], scales_of(weights)
    if len(theirs) == 1:
        return [float(np.float32(ours) * np.float32(theirs[0])) / scales_of(output)[0]]
    return [ours * scale / scales_of(output)[0] for scale in theirs]


def _limits(operator: Operator, source: Model, output: Tensor) -> tuple[int, int]:
    """What the type of an output and the activation fused into its operator leave."""
    limits = np.iinfo(np.dtype(output.dtype))
    function = getattr(options_of(source, operator), "fusedActivationFunction", 0)
    low, high = ACTIVATION_RANGES[function]
    scale, zero = scales_of(output)[0], zero_point_of(output)

    def quantized(value: float) -> int:
        return zero + math.floor(abs(value) / scale + 0.5) * (1 if value >= 0 else -1)

    return (
        int(limits.min) if math.isinf(low) else max(int(limits.min), quantized(low)),
        int(limits.max) if math.isinf(high) else min(int(limits.max), quantized(high)),
    )

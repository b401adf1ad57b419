"""What the NPU must compute where it is known to round otherwise than LiteRT's reference kernels, in NumPy.

Each is computed from the source model alone, and never from the command stream that it is to judge. So a known
difference excuses the very integers that it leads to, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.tflite import Model, Operator, Tensor
from deploy.tflite.options import options_of

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


def witness_of(operator: Operator, source: Model) -> Witness | None:
    """The known arithmetic of an operator, where there is one.

    Args:
        operator: of the source model.
        source: that model.
    """
    if operator.code == "SUM":
        activation, output = (source.tensors[index] for index in (operator.inputs[0], operator.outputs[0]))
        fixed = source.tensors[operator.inputs[1]].data is not None and bool(activation.shape)
        return _SUM if fixed and {activation.dtype, output.dtype} == {"int8"} and _scaled(output) else None
    if operator.code != "FULLY_CONNECTED" or len(operator.inputs) < 2:
        return None
    activation, weights = (source.tensors[index] for index in operator.inputs[:2])
    output = source.tensors[operator.outputs[0]]
    constant = weights.data is not None and weights.dtype == "int8"
    scaled = all(_scaled(tensor) for tensor in (activation, weights, output))
    if not constant or not scaled or len(weights.shape) != 2:
        return None
    return _DENSE.get((activation.dtype, output.dtype))


def fully_connected_8(operator: Operator, source: Model, values: Mapping[int, NDArray[Any]]) -> NDArray[Any]:
    """A fully connected layer of 8 bits, rounded twice: at bit 31, halves up, then halves away from zero.

    Source: TFLM's ``MultiplyByQuantizedMultiplier``, for which Vela writes the rounding mode TFL.
    """
    return _fully_connected(operator, source, values, _rounded_twice)


def fully_connected_16(operator: Operator, source: Model, values: Mapping[int, NDArray[Any]]) -> NDArray[Any]:
    """A fully connected layer of 16 bits with a multiplier of 16 bits, rounded once, halves up.

    Source: TFLM's ``MultiplyByQuantizedMultiplier`` for accumulators of 64 bits, and Vela's scales of such layers.
    """
    return _fully_connected(operator, source, values, _rounded_once_16)


def summed(operator: Operator, source: Model, values: Mapping[int, NDArray[Any]]) -> NDArray[Any]:
    """A sum over axes, rounded once, halves up.

    Source: Vela's scale of a sum, 31 bits, and results of the NPU model, which this equals for scales that differ.
    """
    activation, axes = (source.tensors[index] for index in operator.inputs[:2])
    output = source.tensors[operator.outputs[0]]
    rank = len(activation.shape)
    over = tuple({1 + int(axis) % rank for axis in _constant(axes).reshape(-1)})  # behind the batch
    sums = (values[activation.index].astype(np.int64) - _zero_point(activation)).sum(axis=over)
    bits, shift = _fixed_point(_scales(activation)[0] / _scales(output)[0])
    right = max(31 - shift, 1)  # a scale of 2**30 is no model's, and must not stop anybody
    limits = np.iinfo(np.dtype(output.dtype))
    result = np.clip(((sums * bits + (1 << (right - 1))) >> right) + _zero_point(output), limits.min, limits.max)
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
    matrix = _constant(weights).astype(np.float64) - _zero_point(weights)
    batch = len(values[activation.index])
    rows = values[activation.index].reshape(-1, matrix.shape[1]).astype(np.float64) - _zero_point(activation)
    sums = np.rint(rows @ matrix.T).astype(np.int64)  # below 2**53: exact
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        sums += _constant(source.tensors[operator.inputs[2]]).astype(np.int64)
    multipliers = _multipliers(activation, weights, output)
    result = np.stack(
        [scaled(sums[:, i], multipliers[i % len(multipliers)]) for i in range(sums.shape[1])], axis=1
    )
    low, high = _limits(operator, source, output)
    result = np.clip(result + _zero_point(output), low, high)
    return result.astype(output.dtype).reshape(batch, *output.shape)


def _multipliers(activation: Tensor, weights: Tensor, output: Tensor) -> list[float]:
    """One for the tensor, or one a channel; of one tensor's scales the product is a float (TFLite's Prepare)."""
    ours, theirs = _scales(activation)[0], _scales(weights)
    if len(theirs) == 1:
        return [float(np.float32(ours) * np.float32(theirs[0])) / _scales(output)[0]]
    return [ours * scale / _scales(output)[0] for scale in theirs]


def _fixed_point(multiplier: float) -> tuple[int, int]:
    """``multiplier`` as 31 bits and a shift to the left (TFLite's ``QuantizeMultiplier``)."""
    if multiplier == 0:
        return 0, 0
    fraction, shift = math.frexp(multiplier)
    bits = math.floor(fraction * 2.0**31 + 0.5)
    if bits == 1 << 31:
        bits, shift = bits // 2, shift + 1
    return (0, 0) if shift < -31 else (bits, shift)


def _rounded_twice(sums: NDArray[np.int64], multiplier: float) -> NDArray[np.int64]:
    bits, shift = _fixed_point(multiplier)
    high = ((sums << max(shift, 0)) * bits + (1 << 30)) >> 31
    right = max(-shift, 0)
    mask = (1 << right) - 1
    result: NDArray[np.int64] = (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))
    return result


def _rounded_once_16(sums: NDArray[np.int64], multiplier: float) -> NDArray[np.int64]:
    bits, shift = _fixed_point(multiplier)
    reduced = (bits + (1 << 15)) >> 16 if bits < 0x7FFF0000 else 0x7FFF
    right = 15 - shift
    result: NDArray[np.int64] = (sums * reduced + (1 << (right - 1))) >> right
    return result


def _limits(operator: Operator, source: Model, output: Tensor) -> tuple[int, int]:
    """What the type of an output and the activation fused into its operator leave."""
    limits = np.iinfo(np.dtype(output.dtype))
    function = getattr(options_of(source, operator), "fusedActivationFunction", 0)
    low, high = _ACTIVATIONS[function]
    scale, zero = _scales(output)[0], _zero_point(output)

    def quantized(value: float) -> int:
        return zero + math.floor(abs(value) / scale + 0.5) * (1 if value >= 0 else -1)

    return (
        int(limits.min) if low is None else max(int(limits.min), quantized(low)),
        int(limits.max) if high is None else min(int(limits.max), quantized(high)),
    )


_ACTIVATIONS: dict[int, tuple[float | None, float | None]] = {
    0: (None, None),
    1: (0.0, None),
    2: (-1.0, 1.0),
    3: (0.0, 6.0),
}
"""TFLite's ``ActivationFunctionType`` -> the range that it leaves: NONE, RELU, RELU_N1_TO_1, RELU6."""


def _constant(tensor: Tensor) -> NDArray[Any]:
    if tensor.data is None:
        raise ValueError(f"{tensor.name} is no constant")
    return tensor.data.view(tensor.dtype).reshape(tensor.shape)


def _scaled(tensor: Tensor) -> bool:
    return tensor.quantization is not None and all(scale > 0 for scale in tensor.quantization.scales)


def _scales(tensor: Tensor) -> tuple[float, ...]:
    return tensor.quantization.scales if tensor.quantization else (1.0,)


def _zero_point(tensor: Tensor) -> int:
    return tensor.quantization.zero_points[0] if tensor.quantization else 0

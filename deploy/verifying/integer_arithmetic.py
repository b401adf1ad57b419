"""Operators that compute with the integers themselves, without a scale, where a result does not fit its type.

LiteRT's kernels drop the bits that are too many. The NPU's command streams compute with limits: of 8 and 16 bits
these stand in the stream; that 32 bits end at them, too, is what the NPU model does, and no source says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.tflite import Model, Operator, Tensor
from deploy.tflite.options import options_of
from deploy.verifying.fixed_point import constant, scales_of, zero_point_of

CAUSE = "integers that their type does not hold: LiteRT's kernels drop the upper bits, the NPU ends at the limits"

_Wide = NDArray[np.int64]
_COMPUTE: Mapping[str, Callable[..., _Wide]] = {
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "ABS": np.abs,
    "NEG": np.negative,
    "CAST": np.array,
    "SUM": lambda values, axes: values.sum(axis=tuple({1 + int(axis) % (values.ndim - 1) for axis in axes.flat})),
}
_INTEGERS = ("uint8", "int8", "int16", "int32")
_NO_ACTIVATION = 0


def applies(operator: Operator, source: Model) -> bool:
    """Whether an operator computes with such integers, and may leave their type."""
    tensors = [source.tensors[index] for index in (*operator.inputs, *operator.outputs) if index >= 0]
    if operator.code not in _COMPUTE or any(tensor.dtype not in _INTEGERS for tensor in tensors):
        return False
    if getattr(options_of(source, operator), "fusedActivationFunction", _NO_ACTIVATION) != _NO_ACTIVATION:
        return False
    if operator.code == "CAST":  # of the integers themselves, whatever they stand for
        return True
    if operator.code == "NEG":  # the same scale on both sides, and no zero point
        return len({scales_of(tensor)[0] for tensor in tensors}) == 1 and not any(map(zero_point_of, tensors))
    if operator.code == "SUM" and tensors[1].data is None:
        return False
    return all(tensor.dtype == "int32" and tensor.quantization is None for tensor in tensors)


def compute(operator: Operator, source: Model, values: Mapping[int, NDArray[Any]]) -> NDArray[Any]:
    """The operator with results that end at the limits of their type.

    Args:
        operator: for which :func:`applies` holds.
        source: its model.
        values: tensor index -> ``(batch, *shape)`` of its activations.

    Returns:
        Its output, ``(batch, *shape)``.
    """
    output = source.tensors[operator.outputs[0]]
    operands = [source.tensors[index] for index in operator.inputs]
    rank = max(len(tensor.shape) for tensor in operands)
    result = _COMPUTE[operator.code](*(_operand(tensor, values, rank) for tensor in operands))
    limits = np.iinfo(np.dtype(output.dtype))
    ended: NDArray[Any] = np.clip(result, limits.min, limits.max).astype(output.dtype)
    return ended.reshape(-1, *output.shape)


def _operand(tensor: Tensor, values: Mapping[int, NDArray[Any]], rank: int) -> _Wide:
    """With a dimension for the batch, and as many others as the other operand has."""
    array = values[tensor.index] if tensor.index in values else constant(tensor)[np.newaxis]
    return array.astype(np.int64).reshape(len(array), *(1,) * (rank - len(tensor.shape)), *tensor.shape)

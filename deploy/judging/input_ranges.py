"""What the inputs of a model can hold: the numbers between which made-up data makes sense."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deploy.data.first_operators import quantized_behind
from deploy.data.quantized import real_range
from deploy.tflite import Model, Tensor
from deploy.tflite.options import options_of

_MOVING = {
    **dict.fromkeys(("CAST", "RESHAPE", "EXPAND_DIMS", "SQUEEZE", "TRANSPOSE", "SLICE", "STRIDED_SLICE"), (0,)),
    **dict.fromkeys(
        ("GATHER", "GATHER_ND", "TILE", "PAD", "REVERSE_V2", "BROADCAST_TO", "UNPACK", "SPLIT_V"), (0,)
    ),
    **dict.fromkeys(("SELECT", "SELECT_V2"), (1, 2)),
    "SPLIT": (1,),
}
"""Operators, and which of their inputs reach their output as the same numbers."""

_GATHERING = frozenset(["PACK", "CONCATENATION", "MAXIMUM", "MINIMUM"])
"""Operators whose inputs all do."""


@dataclass(frozen=True)
class InputRange:
    """An input of a model and the numbers that it takes.

    Attributes:
        shape: of the tensor.
        dtype: of the tensor.
        low: smallest number, as it is stored; a whole one where it holds integers.
        high: largest number, as it is stored.
        zero: what stands for zero; within the range.
        drawn: whether it is drawn as a picture or a signal is; else (indices, flags) number by number.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    low: float
    high: float
    zero: float
    drawn: bool = True


def input_ranges(model: Model) -> dict[str, InputRange]:
    """The range of every input, by name, in the file's order.

    Integers without quantization that end up as indices (of GATHER, EMBEDDING_LOOKUP, ONE_HOT) or as places (of
    SLICE, DYNAMIC_UPDATE_SLICE, SCATTER_ND) are kept within what is indexed. A float input has the range of the
    QUANTIZE behind it, and [-1, 1] where there is none.

    Args:
        model: the source model: what Vela puts in the place of its operators shows no indices any more.
    """
    return {name: _range(model.tensors[index], model) for index, name in model.input_names().items()}


def _range(tensor: Tensor, model: Model) -> InputRange:
    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "b":
        return InputRange(tensor.shape, dtype, 0, 1, 0, drawn=False)
    if dtype.kind not in "iu":
        low, high = _float_range(tensor, model)
        return InputRange(tensor.shape, dtype, low, high, min(max(0.0, low), high))
    limits = np.iinfo(dtype)
    if tensor.quantization is None:
        indexed = _indexed(model, tensor.index)
        if indexed is not None:
            return InputRange(tensor.shape, dtype, 0, min(indexed - 1, limits.max), 0, drawn=False)
    zero = tensor.quantization.zero_points[0] if tensor.quantization else 0
    return InputRange(tensor.shape, dtype, limits.min, limits.max, min(max(zero, limits.min), limits.max))


def _float_range(tensor: Tensor, model: Model) -> tuple[float, float]:
    behind = quantized_behind(tensor, model)
    return (None if behind is None else real_range(behind)) or (-1.0, 1.0)


def _indexed(model: Model, index: int, after: int = -1) -> int | None:
    """How many rows the values of a tensor choose from, of several uses the fewest; None where none."""
    found: list[int] = []
    for operator in model.operators[after + 1 :]:
        if index not in operator.inputs:
            continue
        place, first = operator.inputs.index(index), model.tensors[operator.inputs[0]]
        if operator.code in _GATHERING or place in _MOVING.get(operator.code, ()):
            behind = (_indexed(model, output, operator.index) for output in operator.outputs)
            found += [rows for rows in behind if rows is not None]
        elif operator.code == "GATHER" and place == 1:
            axis = int(getattr(options_of(model, operator), "axis", 0))
            found += first.shape[axis : axis + 1 or None]
        elif operator.code == "GATHER_ND" and place == 1:
            depth = (model.tensors[index].shape or (1,))[-1]
            found += [min(first.shape[:depth], default=1)]
        elif operator.code == "EMBEDDING_LOOKUP" and place == 0:
            found += model.tensors[operator.inputs[1]].shape[:1]
        elif operator.code == "SLICE" and place == 1:
            found += [
                size - taken + 1
                for size, taken in zip(first.shape, model.tensors[operator.outputs[0]].shape, strict=False)
            ]
        elif operator.code == "DYNAMIC_UPDATE_SLICE" and place == 2:
            update = model.tensors[operator.inputs[1]].shape
            found += [size - taken + 1 for size, taken in zip(first.shape, update, strict=False)]
        elif operator.code == "SCATTER_ND" and place == 0:
            found += [min(model.tensors[operator.outputs[0]].shape, default=1)]
        elif operator.code == "ONE_HOT" and place == 0:
            depth_of = model.tensors[operator.inputs[1]].data
            found += [] if depth_of is None or depth_of.size != 4 else [int(depth_of.view(np.int32)[0])]
    return max(1, min(found)) if found else None

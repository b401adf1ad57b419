"""Checks the numbers of a model before anything computes with them.

Vela and the kernels trust a file: with one bias zero point of 10^14 Vela takes all memory of a computer, with a
dilation of 10^9 it computes for hours. A model that a converter wrote never fails here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deploy.errors import BadInputError
from deploy.tflite import Model, Operator, Tensor
from deploy.tflite.options import options_of

_MOST_STEP = 65_536
_STEPS = ("strideH", "strideW", "filterHeight", "filterWidth", "dilationHFactor", "dilationWFactor")
_BIASED = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
"""Operators with a bias, and which of their inputs it is."""

_REDUCTIONS = frozenset(["MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ANY", "REDUCE_ALL"])
_CONVOLUTIONS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
"""Where the shape of their weights has the output's channels."""

_SHAPED = _REDUCTIONS | set(_CONVOLUTIONS) | {"TILE", "PAD", "PADV2", "MIRROR_PAD", "FULLY_CONNECTED"}

_LARGEST_SCALE = 1e15
"""What is real about such a tensor is no number that documents take."""

_LARGEST_BYTES = 1 << 29
"""Of one tensor: far above all memory that a board with one of these NPUs has."""


def check_numbers(model: Model, source: str) -> None:
    """Check quantization, shapes and windows.

    Args:
        model: as read.
        source: names it in errors.

    Raises:
        BadInputError: naming the first number that no converter writes.
    """
    for what in _faults(model):
        raise BadInputError(
            f"{source}: {what}", hints=["the file may be damaged: convert the model again, or copy it again"]
        )


def _place(operator: Operator) -> str:
    return f"operator {operator.index} ({operator.code})"


def _named(tensor: Tensor) -> str:
    return f"tensor {tensor.index} ({tensor.name[:100]!r})"


def _faults(model: Model) -> Iterator[str]:
    for tensor in model.tensors:
        yield from _tensor_faults(tensor)
    written = set(model.inputs)
    for operator in model.operators:
        for tensor in (model.tensors[index] for index in operator.inputs if index >= 0):
            held = tensor.data is not None or tensor.is_variable or tensor.nbytes == 0
            if not held and tensor.index not in written:
                yield f"{_place(operator)}: its input {tensor.name[:100]!r} is written by no operator before it"
        written.update(operator.outputs)
    for tensor in (model.tensors[index] for index in written):
        if tensor.nbytes > _LARGEST_BYTES:
            yield f"{_named(tensor)} has {tensor.nbytes} bytes: its shape is {list(tensor.shape)}"
        if 0 in tensor.shape:
            yield f"{_named(tensor)} has no elements: its shape is {list(tensor.shape)}"
    for operator in model.operators:
        yield from (f"{_place(operator)}: {what}" for what in _operator_faults(model, operator))


def _tensor_faults(tensor: Tensor) -> Iterator[str]:
    name = _named(tensor)
    if tensor.quantization is None:
        return
    for scale in tensor.quantization.scales:
        if not 0 <= scale < _LARGEST_SCALE:
            yield f"{name} has the scale {scale}"
    if tensor.dtype.startswith(("int", "uint")):
        limits = np.iinfo(tensor.dtype)
        lowest, highest = limits.min, limits.max  # each is computed when it is asked for
        for zero_point in tensor.quantization.zero_points:
            if not lowest <= zero_point <= highest:
                yield f"{name} has the zero point {zero_point}, beyond the range of {tensor.dtype}"


def _operator_faults(model: Model, operator: Operator) -> Iterator[str]:
    position = _BIASED.get(operator.code)
    if position is not None and position < len(operator.inputs) and operator.inputs[position] >= 0:
        bias = model.tensors[operator.inputs[position]]
        if bias.quantization is not None and any(bias.quantization.zero_points):
            yield f"its bias has the zero point {next(filter(None, bias.quantization.zero_points))}, it must be 0"
    yield from _shape_faults(model, operator)
    options = options_of(model, operator)
    for field in _STEPS:
        step = getattr(options, field, 1)
        if not 1 <= step <= _MOST_STEP:
            yield f"its {field} is {step}"


def _shape_faults(model: Model, operator: Operator) -> Iterator[str]:
    """Operators whose second input says something about the shape of their first one, or of their output."""
    if operator.code not in _SHAPED or len(operator.inputs) < 2:
        return
    ifm, second = (model.tensors[index] for index in operator.inputs[:2])
    ofm = model.tensors[operator.outputs[0]]
    if not ifm.shape and any(each.is_custom and ifm.index in each.outputs for each in model.operators):
        return  # a converter does not know the shapes of custom operators' outputs
    if operator.code in _CONVOLUTIONS:
        channels = _CONVOLUTIONS[operator.code]
        if len(second.shape) != 4 or len(ofm.shape) != 4 or second.shape[channels] != ofm.shape[3]:
            yield f"its weights {list(second.shape)} do not go with its output {list(ofm.shape)}"
    elif operator.code == "FULLY_CONNECTED":
        if len(second.shape) != 2 or ifm.elements % second.shape[1]:
            yield f"its weights {list(second.shape)} do not go with its input {list(ifm.shape)}"
    elif second.data is not None and second.dtype in ("int32", "int64"):
        numbers = second.data.view(second.dtype).tolist()
        if operator.code in _REDUCTIONS:
            if not all(-len(ifm.shape) <= axis < len(ifm.shape) for axis in numbers):
                yield f"it reduces the axes {numbers} of {list(ifm.shape)}"
        elif (made := _made(operator.code, ifm.shape, numbers)) != ofm.shape:
            what = "cannot be" if made is None else f"makes {list(made)}"
            yield f"{numbers} {what} of {list(ifm.shape)}, its output is {list(ofm.shape)}"


def _made(code: str, shape: tuple[int, ...], numbers: list[int]) -> tuple[int, ...] | None:
    """What TILE and the PADs make of a shape; None where their numbers do not go with it."""
    each = 1 if code == "TILE" else 2
    if len(numbers) != each * len(shape) or min(numbers, default=0) < 0:
        return None
    if code == "TILE":
        return tuple(size * times for size, times in zip(shape, numbers, strict=True))
    return tuple(size + sum(numbers[2 * i : 2 * i + 2]) for i, size in enumerate(shape))

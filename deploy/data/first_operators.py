"""What the first operators of a TFLite model show about a float input: what they are made for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.data.image_range import ImageRange, range_prepared_by, usual_range
from deploy.data.quantized import is_quantized, real_range
from deploy.tflite import Model, Tensor

_MOST_STEPS = 8


def quantized_behind(tensor: Tensor, model: Model) -> Tensor | None:
    """The integers that a float input becomes, by a QUANTIZE behind it; None where there are none."""
    if np.dtype(tensor.dtype).kind == "f":
        for operator in model.operators:
            if operator.code == "QUANTIZE" and tensor.index in operator.inputs:
                output = model.tensors[operator.outputs[0]]
                return output if is_quantized(output) else None
    return None


def prepared_range(tensor: Tensor, model: Model) -> ImageRange | None:
    """The usual range of pixels for which a model takes a float input; None where it shows none."""
    if np.dtype(tensor.dtype).kind != "f":
        return None
    behind = quantized_behind(tensor, model)
    held = None if behind is None else real_range(behind)
    if held is not None:
        return usual_range(*held)
    steps = _steps(tensor, model)
    return range_prepared_by(lambda value: _after(steps, value)) if steps else None


def _steps(tensor: Tensor, model: Model) -> list[tuple[str, NDArray[Any]]]:
    """What happens to an input with constants before anything else, one operator after the other."""
    found: list[tuple[str, NDArray[Any]]] = []
    index = tensor.index
    for _ in range(_MOST_STEPS):
        users = [operator for operator in model.operators if index in operator.inputs]
        if len(users) != 1 or users[0].code not in ("MUL", "ADD", "SUB", "DIV") or users[0].inputs[0] != index:
            break
        constant = model.tensors[users[0].inputs[1]]
        if constant.data is None or constant.dtype != "float32":
            break
        found.append((users[0].code, constant.data.view(np.float32).astype(np.float64)))
        index = users[0].outputs[0]
    return found


def _after(steps: list[tuple[str, NDArray[Any]]], value: float) -> NDArray[Any]:
    """What an input value becomes, in every channel."""
    values = np.array([value])
    for code, constant in steps:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = {
                "MUL": values * constant,
                "ADD": values + constant,
                "SUB": values - constant,
                "DIV": values / constant,
            }[code]
    return np.asarray(values)

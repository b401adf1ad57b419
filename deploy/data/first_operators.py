"""What the first operators of a TFLite model show about a float input: what they are made for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.data.image_range import ImageRange, range_prepared_by, usual_range
from deploy.data.quantized import is_quantized, real_range
from deploy.tflite import Model, Tensor

_MOST_STEPS = 8
_FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "DIV": np.divide,
}


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
    scaling = OwnScaling.of(tensor, model)
    return range_prepared_by(lambda value: scaling.applied(np.array([value]))) if scaling.steps else None


@dataclass(frozen=True)
class OwnScaling:
    """What happens to a float input with constants before anything else (Keras' Rescaling and Normalization).

    Attributes:
        steps: per operator its code, the constant, and whether the constant is the first operand.
    """

    steps: tuple[tuple[str, NDArray[np.float64], bool], ...]

    @classmethod
    def of(cls, tensor: Tensor, model: Model) -> OwnScaling:
        """Follow an input as long as a single operator reads it, with a constant."""
        found: list[tuple[str, NDArray[np.float64], bool]] = []
        index = tensor.index
        for _ in range(_MOST_STEPS):
            users = [operator for operator in model.operators if index in operator.inputs]
            if len(users) != 1 or users[0].code not in _FUNCTIONS or len(users[0].inputs) != 2:
                break
            first = users[0].inputs[1] == index
            constant = model.tensors[users[0].inputs[0 if first else 1]]
            if constant.data is None or constant.dtype != "float32":
                break
            values = constant.data.view(np.float32).reshape(constant.shape).astype(np.float64)
            found.append((users[0].code, values, first))
            index = users[0].outputs[0]
        return cls(tuple(found))

    @property
    def multiplies(self) -> bool:
        """Whether the size of values changes, too."""
        return any(code in ("MUL", "DIV") for code, _, _ in self.steps)

    def applied(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """What values become; what is divided by zero becomes infinite."""
        result = values.astype(np.float64)
        for code, constant, first in self.steps:
            with np.errstate(all="ignore"):
                result = _FUNCTIONS[code](*((constant, result) if first else (result, constant)))
        return result

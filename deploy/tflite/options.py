"""The built-in options of operators."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from deploy.tflite.generated import schema
from deploy.tflite.model import Model, Operator
from deploy.tflite.reading import damage_named

ACTIVATION_RANGES = {0: (-math.inf, math.inf), 1: (0.0, math.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
"""TFLite's ``ActivationFunctionType`` -> the range that it leaves: NONE, RELU, RELU_N1_TO_1, RELU6."""

_LARGEST = 65_536
_WINDOWED = frozenset(["CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "AVERAGE_POOL_2D", "MAX_POOL_2D"])


@dataclass(frozen=True)
class Window:
    """A kernel or pooling window."""

    height: int
    width: int
    stride_y: int
    stride_x: int


def options_of(model: Model, operator: Operator) -> Any:
    """The schema's options object of an operator (``Conv2DOptionsT``); None where it has none.

    Raises:
        BadInputError: the options are damaged.
    """
    with damage_named(f"operator {operator.index} ({operator.code})"):
        record = schema().Model.GetRootAs(model.content, 0).Subgraphs(model.subgraph).Operators(operator.index)
        table = record.BuiltinOptions()
        return None if table is None else schema().BuiltinOptionsCreator(record.BuiltinOptionsType(), table)


def window_of(model: Model, operator: Operator) -> Window | None:
    """The window of a convolution or pooling; None for operators that have none.

    Height and width of a convolution are those of its weights, here 1.

    Raises:
        BadInputError: the options are damaged.
    """
    options = options_of(model, operator) if operator.code in _WINDOWED else None
    if options is None:
        return None
    with damage_named(f"operator {operator.index} ({operator.code})"):
        sizes = getattr(options, "filterHeight", 1), getattr(options, "filterWidth", 1)
        numbers = (*sizes, options.strideH, options.strideW)
        if not all(1 <= number <= _LARGEST for number in numbers):
            raise ValueError(f"a window of {numbers}")
        return Window(*numbers)

"""Windows and strides of convolutions and poolings, from the options in the file."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from deploy.errors import BadInputError
from deploy.tflite.model import Model

_LARGEST = 65_536


@dataclass(frozen=True)
class Window:
    """A kernel or pooling window.

    Attributes:
        height: in elements.
        width: in elements.
        stride_y: vertical step.
        stride_x: horizontal step.
    """

    height: int
    width: int
    stride_y: int
    stride_x: int


def windows(model: Model) -> dict[int, Window]:
    """Operator index -> window; height and width of a convolution are those of its weights, here 1.

    Raises:
        BadInputError: the options are damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    kinds = {
        "CONV_2D": schema.Conv2DOptions,
        "DEPTHWISE_CONV_2D": schema.DepthwiseConv2DOptions,
        "TRANSPOSE_CONV": schema.TransposeConvOptions,
        "AVERAGE_POOL_2D": schema.Pool2DOptions,
        "MAX_POOL_2D": schema.Pool2DOptions,
    }
    found = {}
    try:
        graph = schema.Model.GetRootAs(model.content, 0).Subgraphs(0)
        for operator in model.operators:
            kind = kinds.get(operator.code)
            table = graph.Operators(operator.index).BuiltinOptions()
            if kind is None or table is None:
                continue
            options = kind()
            options.Init(table.Bytes, table.Pos)
            pooling = kind is schema.Pool2DOptions
            sizes = (options.FilterHeight(), options.FilterWidth()) if pooling else (1, 1)
            numbers = (*sizes, options.StrideH(), options.StrideW())
            if not all(1 <= number <= _LARGEST for number in numbers):
                raise ValueError(f"a window of {numbers}")
            found[operator.index] = Window(*numbers)
    except (struct.error, IndexError, ValueError, TypeError, AttributeError) as error:
        raise BadInputError(f"the options of an operator are damaged: {error}") from error
    return found

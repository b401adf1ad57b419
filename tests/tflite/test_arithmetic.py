"""What a model computes in integers, what in float, and where one becomes the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from partly_float import detector, island, tail
from tflite_writer import GraphWriter

from deploy import tflite
from deploy.tflite import Model
from deploy.tflite.arithmetic import (
    float_operators,
    float_results,
    in_front_of_float,
    integer_operators,
    narrow_weights,
)


def names(content: bytes, found: Callable[[Model], Iterable[int]]) -> list[str]:
    model = tflite.load(content)
    return sorted(model.tensors[index].name for index in found(model))


def test_quantize_and_dequantize_are_neither_float_nor_integer() -> None:
    model = tflite.load(island())
    assert [operator.code for operator in float_operators(model)] == ["SQRT"]
    assert [operator.code for operator in integer_operators(model)] == ["ABS", "ADD"]


def test_what_float_operators_make_is_found_up_to_where_it_is_quantized() -> None:
    assert names(tail(), float_results) == ["negative"]
    assert names(island(), float_results) == ["root"]


def test_in_front_of_a_float_output_stand_the_quantized_tensors_that_it_is_made_of() -> None:
    assert names(tail(), in_front_of_float) == ["size"]
    assert names(detector(), in_front_of_float) == ["near", "sure"]
    # Its output is an integer again: there is a last place to hold it to.
    assert in_front_of_float(tflite.load(island())) == ()


def test_narrow_weights_of_a_float_model_are_told_by_their_type() -> None:
    writer = GraphWriter()
    x, y = writer.tensor("x", (1, 8), "float32"), writer.tensor("y", (1, 4), "float32")
    weights = writer.tensor("w", (4, 8), "int8", 0.1, data=np.ones((4, 8), np.int8))
    writer.operator("FULLY_CONNECTED", [x, weights, -1], [y])
    assert narrow_weights(tflite.load(writer.finish({"x": x}, {"y": y}))) == "int8"
    assert narrow_weights(tflite.load(tail())) == ""

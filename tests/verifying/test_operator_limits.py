"""What LiteRT's kernels cannot hold, and what an overflow of theirs can excuse."""

from __future__ import annotations

import numpy as np
import pytest
from tflite_writer import GraphWriter, schema

from deploy import tflite
from deploy.tflite import Model
from deploy.verifying.operator_limits import overflow, saturated


def addition(scale: float) -> Model:
    """An ADD of two int8 inputs with scale 1, and an output of another scale."""
    writer = GraphWriter()
    a, b = writer.tensor("a", [1, 4], "int8", 1.0), writer.tensor("b", [1, 4], "int8", 1.0)
    y = writer.tensor("y", [1, 4], "int8", scale, -20)
    writer.operator("ADD", [a, b], [y], schema.AddOptionsT())
    return tflite.load(writer.finish({"a": a, "b": b}, {"y": y}), source="written")


def test_an_addition_overflows_where_its_output_scale_is_next_to_nothing() -> None:
    for scale, overflows in ((0.5, False), (1e-9, True)):
        model = addition(scale)
        assert (overflow(model.operators[0], model) >= 1) is overflows


@pytest.mark.parametrize(
    ("values", "expected"),
    [([127, -128], True), ([127, -20], True), ([127, 5], False), ([126], False), ([], True)],
)
def test_only_elements_at_an_end_of_the_range_are_what_an_overflow_leads_to(
    values: list[int], expected: bool
) -> None:
    model = addition(1e-9)
    output = model.tensors[model.operators[0].outputs[0]]
    assert saturated(np.array(values, np.int8), output) is expected

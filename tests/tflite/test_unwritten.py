"""Which outputs of a model nothing writes."""

from __future__ import annotations

import numpy as np
from tflite_writer import GraphWriter, schema

from deploy import tflite
from deploy.tflite.unwritten import unwritten


def written(*, data: bool) -> tflite.Model:
    """An operator's output, one that is an input, and one that is a constant, or would have been one."""
    writer = GraphWriter()
    x = writer.tensor("x", [1, 4], "int8", 0.1)
    y = writer.tensor("y", [1, 4], "int8", 0.1)
    seven = writer.tensor("seven", [1, 4], "int8", 0.1, data=np.full((1, 4), 7, np.int8) if data else None)
    writer.operator("ABS", [x], [y], schema.AbsOptionsT())
    return tflite.load(writer.finish({"x": x}, {"y": y, "seven": seven, "same": x}), source="written")


def test_an_output_without_producer_and_buffer_is_named_with_the_way_around() -> None:
    [sentence] = unwritten(written(data=False))
    assert sentence.startswith("output seven: nothing in the compiled model writes it")
    assert "way around: take it out of the model's outputs" in sentence


def test_results_inputs_and_constants_are_written() -> None:
    assert unwritten(written(data=True)) == ()

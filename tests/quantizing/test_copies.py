"""Operators that move integers get what is scaled as they write it."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from tflite_writer import GraphWriter

from deploy import tflite
from deploy.quantizing.copies import with_scales_of_copies
from deploy.quantizing.tensor_values import TensorValues
from deploy.tflite import Model


def reversed_rows(scale: float, zero: int) -> Model:
    """A reversal of int8 rows, whose output has a scale of its own."""
    writer = GraphWriter()
    x = writer.tensor("x", (1, 4, 3), "int8", 0.01, -20)
    y = writer.tensor("y", (1, 4, 3), "int8", scale, zero)
    axis = writer.tensor("axis", (1,), "int32", data=np.array([1], np.int32))
    writer.operator("REVERSE_V2", [x, axis], [y], schema.ReverseV2OptionsT())
    return tflite.load(writer.finish({"x": x}, {"y": y}))


@pytest.mark.parametrize(("scale", "zero"), [(0.02, -20), (0.01, 5)])
def test_a_reversal_between_different_scales_keeps_its_values(scale: float, zero: int) -> None:
    model = reversed_rows(scale, zero)
    mended = with_scales_of_copies(model)
    assert [operator.code for operator in mended.operators] == ["QUANTIZE", "REVERSE_V2"]
    x = np.random.default_rng(0).integers(-100, 60, (1, 4, 3)).astype(np.int8)
    real = (x[:, ::-1].astype(np.float64) + 20) * 0.01
    found = TensorValues(mended, mended.outputs, reference=True).run({"x": x})[mended.outputs[0]]
    assert np.abs((found.astype(np.float64) - zero) * scale - real).max() <= scale / 2 + 1e-9
    assert list(mended.output_names().values()) == ["y"]


def test_a_reversal_of_one_scale_stays_as_it_is() -> None:
    model = reversed_rows(0.01, -20)
    assert with_scales_of_copies(model) is model

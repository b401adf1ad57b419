"""A verdict says how much it rests on: outputs that never change or leave the ends of their range are weak."""

from __future__ import annotations

import numpy as np
import pytest
from tflite_writer import GraphWriter

from deploy import tflite
from deploy.judging.evidence import evidence_of
from deploy.judging.inputs import InputSet
from deploy.tflite import Model

INPUTS = InputSet(({}, {}), "somewhere")


def model(dtype: str = "int8", scale: float | None = 0.5) -> Model:
    writer = GraphWriter()
    x, y = writer.tensor("x", (1, 2), dtype, scale), writer.tensor("y", (1, 2), dtype, scale)
    writer.operator("RELU", [x], [y])
    return tflite.load(writer.finish({"x": x}, {"y": y}))


def weak(answers: list[list[float]], source: Model) -> tuple[str, ...]:
    dtype = source.output_tensors[0].dtype
    return evidence_of(source, INPUTS, [{"y": np.array([row], dtype)} for row in answers]).weak


def test_answers_that_vary_between_the_ends_are_strong_evidence() -> None:
    found = evidence_of(
        model(), INPUTS, [{"y": np.array([row], np.int8)} for row in ([1, 127], [2, -128])], varied=(3, 4)
    )
    assert (found.inputs, found.input_source, found.weak) == (2, "somewhere", ())
    assert (found.outputs[0].distinct, found.outputs[0].inputs, found.outputs[0].saturated_share) == (2, 2, 0.5)
    assert (found.operators_varied, found.operators) == (3, 4)
    assert "y gave 2 different answers (50% at the ends of its range)" in found.summary
    assert "3 of 4 operators on the NPU varied" in found.summary


def test_the_share_at_the_ends_is_the_same_however_many_answers_are_looked_at_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [{"y": np.array([row], np.int8)} for row in ([127, 1], [2, 3], [-128, 127], [4, 5], [6, -128])]
    whole = evidence_of(model(), INPUTS, answers).outputs[0].saturated_share
    monkeypatch.setattr("deploy.judging.evidence._MOST_ELEMENTS", 4)
    assert evidence_of(model(), INPUTS, answers).outputs[0].saturated_share == whole == 0.4


def test_the_same_answer_to_all_inputs_is_weak() -> None:
    assert weak([[1, 2], [1, 2], [1, 2]], model()) == ("output y is the same for all 3 inputs",)


def test_answers_at_the_ends_of_the_range_are_weak_though_they_vary() -> None:
    assert weak([[127, -128], [-128, 127]], model()) == ("output y is at an end of its range in every element",)


def test_one_input_is_weak() -> None:
    assert weak([[1, 2]], model()) == ("there was one input only",)


@pytest.mark.parametrize(("dtype", "scale"), [("int32", None), ("int8", None), ("float32", None)])
def test_numbers_without_quantization_have_no_ends(dtype: str, scale: float | None) -> None:
    assert weak([[127, -128], [-128, 127]], model(dtype, scale)) == ()


def test_a_float_output_has_the_ends_of_what_is_dequantized() -> None:
    writer = GraphWriter()
    x, y = writer.tensor("x", (1, 2), "int8", 1 / 256, -128), writer.tensor("y", (1, 2), "float32")
    writer.operator("DEQUANTIZE", [x], [y])
    source = tflite.load(writer.finish({"x": x}, {"y": y}))
    assert weak([[0, 255 / 256], [255 / 256, 0]], source) == (
        "output y is at an end of its range in every element",
    )
    assert weak([[0, 254 / 256], [1 / 256, 0]], source) == ()

"""Inner tensors of a model: read in a process apart."""

from __future__ import annotations

import os

import numpy as np
import pytest
from tflite_writer import GraphWriter

from deploy import tflite
from deploy.errors import BadInputError
from deploy.judging import kernel_process
from deploy.quantizing.tensor_values import TensorValues, tensor_ranges
from deploy.tflite import Model


def network() -> tuple[Model, int]:
    """ABS and RELU of four floats, and the tensor between them."""
    writer = GraphWriter()
    x, inner, y = (writer.tensor(name, [1, 4], "float32") for name in ("x", "inner", "y"))
    writer.operator("ABS", [x], [inner])
    writer.operator("RELU", [inner], [y])
    return tflite.load(writer.finish({"x": x}, {"y": y}), source="written"), inner


def test_inner_tensors_are_given_and_their_range_is_that_of_all_samples() -> None:
    model, inner = network()
    samples = [{"x": np.array([[-3, 1, 0, 2]], np.float32)}, {"x": np.array([[np.inf, 5, 1, -1]], np.float32)}]
    np.testing.assert_array_equal(TensorValues(model, [inner]).run(samples[0])[inner], [[3, 1, 0, 2]])
    assert tensor_ranges(model, [inner], samples) == {inner: (0.0, 5.0)}


def test_kernels_that_end_their_process_are_an_error_and_not_the_end_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernel_process, "made", lambda *_: os.abort())
    model, inner = network()
    with pytest.raises(BadInputError, match="SIGABRT"):
        TensorValues(model, [inner])

"""Numbers that no converter writes are refused by name, before Vela or a kernel computes with them."""

from __future__ import annotations

import numpy as np
import pytest
from tflite_writer import GraphWriter, schema

from deploy.compiling.plausibility import check_numbers
from deploy.errors import BadInputError
from deploy.tflite import load


def written(code: str, ofm: tuple[int, ...], constant: np.ndarray | None = None, **tensor: object) -> bytes:
    """One operator on an IFM of 1x4x4x2."""
    graph = GraphWriter()
    x = graph.tensor("x", (1, 4, 4, 2), "int8", tensor.get("scale", 0.1), int(str(tensor.get("zero", 0))))
    inputs = [x]
    if constant is not None:
        inputs.append(graph.tensor("constant", constant.shape, "int32", data=constant))
    y = graph.tensor("y", ofm, "int8", 0.1)
    graph.operator(code, inputs, [y])
    return graph.finish({"x": x}, {"y": y})


def refusal(content: bytes) -> str:
    with pytest.raises(BadInputError) as caught:
        check_numbers(load(content), "m.tflite")
    assert caught.value.hints
    return caught.value.message


def test_numbers_of_a_converter_are_taken() -> None:
    check_numbers(load(written("TILE", (1, 8, 4, 2), np.array([1, 2, 1, 1], np.int32))), "m.tflite")
    pads = np.array([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32)
    check_numbers(load(written("PAD", (1, 7, 5, 2), pads)), "m.tflite")


@pytest.mark.parametrize("zero", [128, -129, 10**14])
def test_a_zero_point_beyond_its_type_is_refused(zero: int) -> None:
    said = refusal(written("RELU", (1, 4, 4, 2), zero=zero))
    assert said == f"m.tflite: tensor 0 ('x') has the zero point {zero}, beyond the range of int8"


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), -0.5, 1e16])
def test_a_scale_that_is_no_size_is_refused(scale: float) -> None:
    assert "tensor 0 ('x') has the scale" in refusal(written("RELU", (1, 4, 4, 2), scale=scale))


def test_a_tile_of_another_shape_is_refused() -> None:
    said = refusal(written("TILE", (1, 8, 4, 2), np.array([1, 2_000_000_000, 1, 1], np.int32)))
    assert "[1, 2000000000, 1, 1] makes [1, 8000000000, 4, 2] of [1, 4, 4, 2], its output is [1, 8, 4, 2]" in said


def test_negative_padding_is_refused() -> None:
    pads = np.array([[0, 0], [-1, 2], [0, 0], [0, 0]], np.int32)
    assert "operator 0 (PAD)" in refusal(written("PAD", (1, 5, 4, 2), pads))


@pytest.mark.parametrize("axis", [4, -5])
def test_a_reduction_of_an_axis_that_there_is_not_is_refused(axis: int) -> None:
    check_numbers(load(written("MEAN", (1, 4, 4), np.array([-1], np.int32))), "m.tflite")
    said = refusal(written("MEAN", (1, 2), np.array([1, axis], np.int32)))
    assert said == f"m.tflite: operator 0 (MEAN): it reduces the axes [1, {axis}] of [1, 4, 4, 2]"


def fully_connected(columns: int, *, custom: bool = False) -> bytes:
    """Behind another operator, whose output has no shape where it is a custom one."""
    graph = GraphWriter()
    x = graph.tensor("x", (1, 8), "int8", 0.1)
    between = graph.tensor("between", () if custom else (1, 8), "int8", 0.1)
    graph.operator("Own" if custom else "RELU", [x], [between], custom=b"" if custom else None)
    weights = graph.tensor("w", (3, columns), "int8", 0.1, data=np.ones((3, columns), np.int8))
    y = graph.tensor("y", (1, 3), "int8", 0.1)
    graph.operator("FULLY_CONNECTED", [between, weights], [y])
    return graph.finish({"x": x}, {"y": y})


def test_weights_for_another_number_of_inputs_are_refused() -> None:
    check_numbers(load(fully_connected(8)), "m.tflite")
    check_numbers(load(fully_connected(8, custom=True)), "m.tflite")
    said = refusal(fully_connected(5))
    assert said == "m.tflite: operator 1 (FULLY_CONNECTED): its weights [3, 5] do not go with its input [1, 8]"


def test_a_tensor_without_elements_is_refused() -> None:
    assert "has no elements: its shape is [1, 0, 4, 2]" in refusal(written("RELU", (1, 0, 4, 2)))


def test_an_input_that_nothing_writes_is_refused() -> None:
    graph = GraphWriter()
    x = graph.tensor("x", (1, 4), "int8", 0.1)
    lost = graph.tensor("lost", (1, 4), "int8", 0.1)
    y = graph.tensor("y", (1, 4), "int8", 0.1)
    graph.operator("ADD", [x, lost], [y])
    said = refusal(graph.finish({"x": x}, {"y": y}))
    assert said == "m.tflite: operator 0 (ADD): its input 'lost' is written by no operator before it"


def convolution(bias_zero: int = 0, channels: int = 3, **options: int) -> bytes:
    graph = GraphWriter()
    x = graph.tensor("x", (1, 4, 4, 2), "int8", 0.1)
    weights = graph.tensor("w", (3, 1, 1, 2), "int8", 0.1, data=np.ones((3, 1, 1, 2), np.int8))
    bias = graph.tensor("b", (3,), "int32", 0.01, bias_zero, np.zeros(3, np.int32))
    y = graph.tensor("y", (1, 4, 4, channels), "int8", 0.1)
    window = schema.Conv2DOptionsT()
    for field, step in {"strideH": 1, "strideW": 1, **options}.items():
        setattr(window, field, step)
    graph.operator("CONV_2D", [x, weights, bias], [y], window)
    return graph.finish({"x": x}, {"y": y})


def test_weights_for_another_number_of_channels_are_refused() -> None:
    said = refusal(convolution(channels=4))
    assert (
        said == "m.tflite: operator 0 (CONV_2D): its weights [3, 1, 1, 2] do not go with its output [1, 4, 4, 4]"
    )


def test_a_tensor_that_no_board_can_hold_is_refused() -> None:
    said = refusal(convolution(channels=1 << 27))
    assert said == "m.tflite: tensor 3 ('y') has 2147483648 bytes: its shape is [1, 4, 4, 134217728]"


def test_a_bias_with_a_zero_point_is_refused() -> None:
    check_numbers(load(convolution()), "m.tflite")
    assert refusal(convolution(7)) == "m.tflite: operator 0 (CONV_2D): its bias has the zero point 7, it must be 0"


@pytest.mark.parametrize("field", ["strideH", "strideW", "dilationHFactor"])
@pytest.mark.parametrize("step", [0, -1, 1_000_000_000])
def test_a_window_of_no_or_endless_size_is_refused(field: str, step: int) -> None:
    assert refusal(convolution(**{field: step})) == f"m.tflite: operator 0 (CONV_2D): its {field} is {step}"

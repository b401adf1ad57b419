"""A target against the NPU model: every element, no tolerance, but for what the firmware's CPU may round."""

from __future__ import annotations

import numpy as np
import pytest
from tflite_writer import GraphWriter

from deploy.judging.target_comparison import TargetComparison, compare_with_model, is_shift
from deploy.tflite import Model, load

CPU = {"y": ("3 SOFTMAX",)}


def model(dtype: str = "int8", *, dequantized: bool = False) -> Model:
    """One output ``y`` of 20 elements, perhaps dequantized from int8 with a scale of 0.1."""
    writer = GraphWriter()
    x = writer.tensor("x", [1, 20], "int8" if dequantized else dtype, 0.1)
    y = writer.tensor("y", [1, 20], "float32" if dequantized else dtype, None if dequantized else 0.1)
    writer.operator("DEQUANTIZE" if dequantized else "RELU", [x], [y])
    return load(writer.finish({"x": x}, {"y": y}), source="written")


def compared(
    target: np.ndarray, expected: np.ndarray, operators: dict[str, tuple[str, ...]], tolerance: float = 1
) -> TargetComparison:
    source = model(dequantized=target.dtype.kind == "f")
    return compare_with_model(source, [{"y": target}], [{"y": expected}], operators, tolerance)


def test_one_element_off_by_one_does_not_agree() -> None:
    expected = np.arange(20, dtype=np.int8).reshape(1, 20)
    target = expected.copy()
    target[0, 7] += 1
    [output] = compared(target, expected, {}).outputs
    assert (output.mismatches, output.max_lsb, output.exact, output.agrees) == (1, 1, True, False)
    assert output.first is not None
    assert (output.first.input, output.first.position, output.first.target, output.first.model) == (
        0,
        (0, 7),
        8,
        7,
    )
    assert compared(target, expected, {}, tolerance=9).differing == (output,)


def test_equal_answers_agree_and_have_no_first_difference() -> None:
    same = np.arange(20, dtype=np.int8).reshape(1, 20)
    [output] = compared(same, same, {}, tolerance=0).outputs
    assert (output.mismatches, output.first, output.agrees) == (0, None, True)


def test_behind_an_operator_of_the_cpu_the_tolerance_decides_and_the_operator_is_named() -> None:
    expected = np.arange(20, dtype=np.int8).reshape(1, 20)
    target = expected.copy()
    target[0, 7] += 1
    [output] = compared(target, expected, CPU).outputs
    assert (output.mismatches, output.exact, output.cpu_operators, output.agrees) == (
        1,
        False,
        ("3 SOFTMAX",),
        True,
    )
    assert compared(target, expected, CPU, tolerance=0).differing
    target[0, 7] += 1
    assert compared(target, expected, CPU).differing


@pytest.mark.parametrize("step", [1, -1])
def test_a_shift_of_most_elements_is_no_rounding(step: int) -> None:
    expected = np.arange(20, dtype=np.int8).reshape(1, 20)
    assert compared(expected + np.int8(step), expected, CPU).differing
    target = expected.copy()
    target[0, :9] += step
    assert not compared(target, expected, CPU).differing
    assert not is_shift(np.zeros(4, np.int8), np.ones(4, np.int8))


def test_floats_agree_to_a_thousandth_of_the_step_that_they_were_made_of() -> None:
    expected = (np.arange(20) * np.float32(0.1)).astype(np.float32).reshape(1, 20)
    assert not compared(np.nextafter(expected, np.float32(9)), expected, {}).differing
    target = expected.copy()
    target[0, 3] += np.float32(0.1)
    [output] = compared(target, expected, {}).outputs
    assert (output.mismatches, output.agrees) == (1, False)


def test_what_is_no_number_on_one_side_alone_does_not_agree() -> None:
    expected = np.full((1, 20), np.nan, np.float32)
    assert not compared(expected, expected, {}).differing
    target = expected.copy()
    target[0, 0] = 1
    assert compared(target, expected, {}).differing
    assert compared(expected, target, CPU).differing

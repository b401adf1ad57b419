"""Integers first: mismatches and LSB, then dequantized errors, then meaning."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.judging.comparison import OutputScale, compare_output, dequantize, output_scale, softmax
from deploy.judging.differences import distances, lsb_differences
from deploy.tflite import Model, Quantization, Tensor

INT = OutputScale(0.5, -3, 1.0)


def test_equal_outputs_have_no_mismatch_and_zero_lsb() -> None:
    values = np.arange(-8, 8, dtype=np.int8).reshape(2, 8)
    result = compare_output("y", values, values.copy(), INT)
    assert (result.elements, result.mismatches, result.max_lsb, result.top1_agreement) == (16, 0, 0.0, 1.0)
    assert (result.mae, result.l2r) == (0.0, 0.0)
    assert result.cosine == pytest.approx(1.0)


def test_a_difference_across_the_whole_int8_range_does_not_wrap() -> None:
    target, reference = np.array([[127, 0]], np.int8), np.array([[-128, 0]], np.int8)
    result = compare_output("y", target, reference, INT)
    assert (result.mismatches, result.max_lsb) == (1, 255.0)
    assert not result.within(254)
    assert result.within(255)


def test_a_uint8_difference_does_not_wrap() -> None:
    result = compare_output("y", np.array([[0]], np.uint8), np.array([[255]], np.uint8), INT)
    assert result.max_lsb == 255.0


def test_the_inputs_that_differ_are_named() -> None:
    reference = np.zeros((5, 3), np.int8)
    target = reference.copy()
    target[1, 2], target[4, 0] = 1, -2
    result = compare_output("y", target, reference, INT)
    assert result.mismatched_inputs == (1, 4)
    assert result.max_lsb == 2.0


def test_a_float_output_is_measured_in_the_scale_that_feeds_its_dequantize() -> None:
    scale = OutputScale(1.0, 0, 1 / 256)
    reference = np.array([[0.5, 0.25]], np.float32)
    result = compare_output("y", reference + np.float32(2 / 256), reference, scale)
    assert result.max_lsb == 2.0


def test_nan_from_the_target_is_never_within_any_tolerance() -> None:
    scale = OutputScale(1.0, 0, 1 / 256)
    target, reference = np.array([[np.nan, 1]], np.float32), np.array([[np.nan, 1]], np.float32)
    result = compare_output("y", target, reference, scale)
    assert result.mismatches == 1
    assert result.max_lsb is None
    assert not result.within(1e30)


def test_a_float_output_without_a_scale_must_be_equal_to_the_last_bit() -> None:
    scale = OutputScale(1.0, 0, 0.0)
    reference = np.array([[1.0, 2.0]], np.float32)
    assert compare_output("y", reference, reference, scale).within(0)
    assert not compare_output("y", np.nextafter(reference, 9, dtype=np.float32), reference, scale).within(100)


def test_outputs_of_different_shape_are_never_compared() -> None:
    with pytest.raises(ValueError, match="against"):
        compare_output("y", np.zeros((1, 3), np.int8), np.zeros((1, 4), np.int8), INT)


def test_top1_agreement_counts_inputs_whose_largest_class_is_the_same() -> None:
    reference = np.array([[1, 5, 0], [9, 1, 2], [0, 0, 3], [4, 0, 0]], np.int8)
    target = reference.copy()
    target[1] = [0, 9, 2]
    assert compare_output("y", target, reference, INT).top1_agreement == 0.75


def test_dequantize_follows_scale_times_value_minus_zero_point() -> None:
    assert dequantize(np.array([-3, -1], np.int8), INT).tolist() == [0.0, 1.0]


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=20))
def test_softmax_sums_to_one_and_keeps_the_order(logits: list[float]) -> None:
    result = softmax(np.array([logits]))
    assert result.sum() == pytest.approx(1.0)
    assert result.argmax() == np.array(logits).argmax() or np.isclose(result.max(), result[0, np.argmax(logits)])


@pytest.mark.parametrize(
    ("dtype", "quantized", "exact"),
    [
        ("int32", False, True),
        ("int64", False, True),
        ("uint64", False, True),
        ("bool", False, True),
        ("bool", True, True),
        ("int8", True, False),
        ("int16", True, False),
        ("int32", True, False),
        ("float32", False, True),
    ],
)
def test_only_quantized_numbers_have_a_last_place(dtype: str, quantized: bool, exact: bool) -> None:
    tensor = Tensor(0, "y", (1, 4), dtype, Quantization((0.5,), (0,)) if quantized else None, None)
    model = Model(b"", (tensor,), (), (), (0,), None, {})
    reference = np.zeros((2, 4), dtype)
    target = reference.copy()
    target[1, 2] = 1
    result = compare_output("y", target, reference, output_scale(model, tensor))
    assert (result.exact, result.max_lsb, result.mismatches) == (exact, 1.0, 1)
    assert result.within(1) is not exact
    assert not result.within(0)
    assert ("equality" in result.largest) is exact


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
def test_the_ends_of_every_integer_type_are_as_far_apart_as_they_are(dtype: str) -> None:
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    target, reference = np.array([[low, high, 0]], dtype), np.array([[high, low, 0]], dtype)
    result = compare_output("y", target, reference, INT)
    assert (result.mismatches, result.max_lsb) == (2, float(int(high) - int(low)))
    assert not result.within(100)
    differences = lsb_differences(target, reference, 1.0)
    assert differences is not None
    assert differences.tolist() == [[-float(int(high) - int(low)), float(int(high) - int(low)), 0.0]]


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_distances_of_long_integers_are_those_of_pythons(first: int, second: int) -> None:
    found = distances(np.array([first], np.int64), np.array([second], np.int64))
    assert int(found[0]) == abs(first - second)

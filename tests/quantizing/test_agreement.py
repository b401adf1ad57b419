"""Agreement figures on arrays whose errors are known by construction."""

import numpy as np
import pytest

from deploy.quantizing.agreement import agreements, output_agreement


def test_equal_outputs_agree_completely() -> None:
    values = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    result = output_agreement("y", values, values)
    assert (result.mae, result.rmse, result.max_abs) == (0.0, 0.0, 0.0)
    assert result.cosine == pytest.approx(1.0)
    assert result.top1_agreement == 1.0
    assert (result.float_min, result.float_max, result.elements) == (1.0, 3.0, 6)


def test_errors_are_mean_root_mean_square_and_largest() -> None:
    result = output_agreement("y", np.zeros((2, 2)), np.array([[0.0, 3.0], [-4.0, 0.0]]))
    assert result.mae == pytest.approx(7 / 4)
    assert result.rmse == pytest.approx(2.5)
    assert result.max_abs == 4.0
    assert result.cosine is None


def test_top1_counts_positions_along_the_last_dimension() -> None:
    floats = np.array([[0.1, 0.9], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])
    quantized = np.array([[0.0, 1.0], [1.0, 0.0], [0.4, 0.6], [0.2, 0.8]])
    assert output_agreement("y", floats, quantized).top1_agreement == 0.75


def test_a_single_value_has_no_top1() -> None:
    assert output_agreement("y", np.ones((3, 1)), np.ones((3, 1))).top1_agreement is None


def test_outputs_are_matched_by_name_not_by_position() -> None:
    floats = [{"a": np.array([[1.0, 0.0]]), "b": np.array([[0.0, 5.0]])}]
    quantized = [{"b": np.array([[0.0, 5.0]]), "a": np.array([[1.0, 0.0]])}]
    assert [(item.name, item.max_abs) for item in agreements(floats, quantized)] == [("a", 0.0), ("b", 0.0)]


def test_shapes_that_differ_are_a_programming_error() -> None:
    with pytest.raises(ValueError, match="against"):
        output_agreement("y", np.ones((1, 2)), np.ones((1, 3)))

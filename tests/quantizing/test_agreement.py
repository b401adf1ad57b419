"""Agreement figures on arrays whose errors are known by construction."""

import numpy as np
import pytest

from deploy.quantizing.agreement import agreements, coarse_warning, output_agreement


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
    assert [(item.name, item.max_abs) for item in agreements(floats, quantized, {})] == [("a", 0.0), ("b", 0.0)]


def test_shapes_that_differ_are_a_programming_error() -> None:
    with pytest.raises(ValueError, match="against"):
        output_agreement("y", np.ones((1, 2)), np.ones((1, 3)))


def detections() -> np.ndarray:
    """Boxes in pixels and scores in one tensor, as detectors of objects often end."""
    generator = np.random.default_rng(0)
    return np.concatenate([generator.random((10, 64, 4)) * 320, generator.random((10, 64, 3))], axis=-1)


def test_channels_of_a_few_steps_are_named_with_the_remedy() -> None:
    values, step = detections(), 320 / 255
    result = output_agreement("detections", values, np.round(values / step) * step, step)
    assert result.cosine == pytest.approx(1, abs=1e-4)
    assert [channel.channel for channel in result.coarse_channels] == [4, 5, 6]
    assert all(channel.steps == pytest.approx(1 / step, rel=0.05) for channel in result.coarse_channels)
    warning = coarse_warning(result)
    assert warning is not None
    assert "channels 4, 5, 6" in warning
    assert "separate outputs" in warning


def test_channels_of_eight_steps_constant_ones_and_too_few_values_are_not_named() -> None:
    values = detections()
    assert output_agreement("y", values, values, 1 / 9).coarse_channels == ()
    assert output_agreement("y", values, values).coarse_channels == ()
    constant = np.where(np.arange(7) > 3, 0.5, values)
    assert output_agreement("y", constant, constant, 320 / 255).coarse_channels == ()
    assert output_agreement("y", values[:1, :19], values[:1, :19], 320 / 255).coarse_channels == ()
    assert coarse_warning(output_agreement("y", values, values)) is None


def test_classes_of_a_softmax_that_hardly_occur_have_one_scale_by_nature() -> None:
    odds = np.exp(np.random.default_rng(0).standard_normal((100, 10)) * [3, 3, 3, 3, 3, 3, 3, 3, 0.1, 0.1])
    shares = odds / odds.sum(axis=-1, keepdims=True)
    shares[:, 9] *= 1e-4
    shares /= shares.sum(axis=-1, keepdims=True)
    assert output_agreement("y", shares, shares, 1 / 256).coarse_channels == ()

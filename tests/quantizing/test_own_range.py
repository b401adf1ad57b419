"""Data that is not what a model says it is for."""

import numpy as np
import pytest
from float_graphs import FloatGraph

from deploy.quantizing.own_range import TrainedSpread, scaling_findings, spread_findings
from deploy.tflite import Model

PIXELS = np.random.default_rng(0).integers(0, 256, (50, 1, 8)).astype(np.float32)


def scaling(*steps: tuple[str, float]) -> Model:
    """A model that begins with constants."""
    graph = FloatGraph((1, 1, 8))
    x = graph.x
    for code, constant in steps:
        x = graph.binary(code, x, graph.constant(constant))
    return graph.model(y=graph.dense(x, np.ones((2, 8)), np.zeros(2)))


RESCALING = scaling(("MUL", 1 / 255))
TO_MINUS_ONE = scaling(("MUL", 1 / 127.5), ("ADD", -1.0))
NORMALIZATION = scaling(("SUB", 127.0), ("MUL", 1 / 73.0))


@pytest.mark.parametrize("model", [RESCALING, TO_MINUS_ONE, NORMALIZATION])
def test_data_that_the_model_scales_to_about_one_is_not_remarked_on(model: Model) -> None:
    assert list(scaling_findings(model, {"x": PIXELS})) == []


@pytest.mark.parametrize("model", [RESCALING, TO_MINUS_ONE, NORMALIZATION])
def test_data_that_was_scaled_before_the_model_scales_it_again_is_named(model: Model) -> None:
    (found,) = scaling_findings(model, {"x": PIXELS / 255})
    assert "input x holds 0" in found
    assert "larger by ten times" in found


def test_pixels_for_a_model_of_standardized_values_are_named() -> None:
    (found,) = scaling_findings(scaling(("SUB", 0.5), ("DIV", 0.25)), {"x": PIXELS})
    assert "smaller by ten times" in found


def test_an_input_that_shows_a_usual_range_is_judged_by_that_alone() -> None:
    assert list(scaling_findings(RESCALING, {"x": PIXELS / 255}, judged={"x"})) == []


def test_a_constant_may_stand_before_the_input() -> None:
    graph = FloatGraph((1, 1, 8))
    y = graph.binary("SUB", graph.constant(1.0), graph.binary("MUL", graph.constant(1 / 255), graph.x))
    model = graph.model(y=graph.dense(y, np.ones((2, 8)), np.zeros(2)))
    assert list(scaling_findings(model, {"x": PIXELS})) == []
    (found,) = scaling_findings(model, {"x": PIXELS / 255})
    assert "makes 0.996 .. 1" in found


def test_a_model_without_a_scaling_says_nothing() -> None:
    assert list(scaling_findings(scaling(), {"x": PIXELS / 255})) == []
    assert list(scaling_findings(scaling(("ADD", 1.0)), {"x": PIXELS})) == []


def test_data_ten_times_as_large_as_that_of_training_is_seen_by_the_first_batch_normalization() -> None:
    trained = TrainedSpread("norm", lambda arrays: arrays[0], np.full(8, PIXELS.var()))
    assert list(spread_findings(trained, [PIXELS])) == []
    for factor, said in ((0.1, "0.097"), (10, "9.7")):
        (found,) = spread_findings(trained, [PIXELS * factor])
        assert f"(norm) meets values that spread {said} times as far" in found


def test_a_batch_normalization_that_was_never_trained_says_nothing() -> None:
    assert list(spread_findings(TrainedSpread("norm", lambda arrays: arrays[0], np.ones(8)), [PIXELS])) == []

"""Outputs computed in floating point: the integers in front decide; lists count as far as they were written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from partly_float import detector, island, tail

from deploy import tflite
from deploy.judging.comparison import FLOAT_TOLERANCE, compare_outputs
from deploy.judging.float_parts import defined_outputs, inner_names, watched
from deploy.judging.opinion import PANELS, Judge
from deploy.judging.reference import ReferenceKernels
from deploy.judging.target_comparison import compare_with_model
from deploy.judging.verdict import judge

INSIDE = "size (in front of float operators)"


def answer(real: float, inside: int | None = None) -> dict[str, Any]:
    """An output of the tail, and what it starts from where that is known."""
    found: dict[str, Any] = {"negative": np.full((1, 16), real, np.float32)}
    return found if inside is None else {**found, INSIDE: np.full((1, 16), inside, np.int8)}


def passes(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    return judge(compare_outputs(watched(tflite.load(tail())), [ours], [theirs]), 1)[0]


def test_a_watched_model_also_answers_what_float_outputs_start_from() -> None:
    model = tflite.load(tail())
    outputs = ReferenceKernels(watched(model)).run({"x": np.full((1, 16), -7, np.int8)})
    assert outputs[INSIDE].ravel().tolist() == [7] * 16
    assert outputs["negative"] == pytest.approx(-0.7)
    assert watched(tflite.load(island())).output_names() == tflite.load(island()).output_names()


def test_the_integers_in_front_decide_whatever_float_operators_make_of_a_rounding() -> None:
    assert passes(answer(-5.0, 50), answer(-5.0, 50))
    assert passes(answer(3.0, 51), answer(-5.0, 50))
    assert not passes(answer(-5.0, 52), answer(-5.0, 50))


def test_without_them_the_floats_themselves_are_held_to_their_tolerance() -> None:
    assert passes(answer(-5.0 * (1 + FLOAT_TOLERANCE / 2)), answer(-5.0))
    assert not passes(answer(-5.0 * (1 + FLOAT_TOLERANCE * 2)), answer(-5.0))
    assert not passes(answer(float("nan")), answer(-5.0))


def test_a_target_agrees_within_the_float_tolerance_in_one_direction_as_well() -> None:
    source, operators = tflite.load(tail()), {"negative": ("2 NEG",)}

    def agrees(value: float, cpu: dict[str, tuple[str, ...]]) -> bool:
        [output] = compare_with_model(source, [answer(value)], [answer(-5.0)], cpu, 1).outputs
        return output.agrees

    assert agrees(-5.0 * (1 + FLOAT_TOLERANCE / 2), operators)
    assert not agrees(-5.0 * (1 + FLOAT_TOLERANCE * 2), operators)
    assert not agrees(-5.0 * (1 + FLOAT_TOLERANCE / 2), {}), "nothing on the CPU rounds here"


def test_a_detectors_lists_count_up_to_the_number_that_it_found() -> None:
    model = tflite.load(detector(most=3))
    written = {
        "box": np.ones((1, 3, 4), np.float32),
        "kind": np.ones((1, 3), np.float32),
        "score": np.full((1, 3), np.nan, np.float32),
        "number": np.float32([2]),
    }
    [found] = defined_outputs(model, [written])
    assert found["box"][0, :, 0].tolist() == [1, 1, 0]
    assert found["kind"].tolist() == [[1, 1, 0]]
    assert np.isnan(found["score"]).tolist() == [[True, True, False]]
    assert found["number"].tolist() == [2]


def test_a_judge_asks_for_the_integers_and_compares_them() -> None:
    model = tflite.load(tail())
    asked = Judge(model, PANELS["litert"])
    sample = {"x": np.full((1, 16), -7, np.int8)}
    asked.expect([sample])
    [expected] = asked.expected
    assert set(expected) == {"negative", *inner_names(model).values()}
    opinion = asked.opinion([{**expected, "negative": expected["negative"] + 1}], 1)
    assert opinion.passed
    assert opinion.reason.endswith("negative behind float operators, where what these start from decides")

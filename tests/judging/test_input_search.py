"""The search finds inputs that make outputs vary, also where hardly any does: the same ones for the same seed."""

from __future__ import annotations

import time

import numpy as np
import pytest

from deploy.judging.input_ranges import InputRange
from deploy.judging.input_search import Effort, Probe, Response, search
from deploy.judging.output_ends import OutputEnds
from deploy.judging.samples import Stacked

RANGES = {"x": InputRange((1, 8, 8), np.dtype("int8"), -128, 127, 0)}
ENDS: dict[str, OutputEnds | None] = {"y": OutputEnds(-128, 127, 1)}
NOTHING = np.zeros((0, 0), np.int8)


def answers(inputs: Stacked, low: float, high: float) -> np.ndarray:
    """Saturated but where the mean of the picture lies between two numbers, of 256."""
    means = inputs["x"].reshape(len(inputs["x"]), -1).mean(axis=1)
    value = np.clip((means - low) / (high - low) * 255 - 128, -128, 127)
    return np.stack([value, -value - 1], axis=1).clip(-128, 127).astype(np.int8)


def probe_of(low: float, high: float) -> Probe:
    def probe(inputs: Stacked) -> Response:
        return Response({"y": answers(inputs, low, high)}, np.zeros((len(inputs["x"]), 0), np.int8))

    return probe


def test_uniform_noise_is_stuck_where_what_is_found_varies() -> None:
    noise = np.random.default_rng(0).integers(-128, 128, (16, 1, 8, 8)).astype(np.int8)
    assert len(np.unique(answers({"x": noise}, 60, 90), axis=0)) == 1
    found = search(RANGES, ENDS, probe_of(60, 90), 4, seed=0, effort=Effort(64))
    said = answers({"x": np.stack([sample["x"] for sample in found.samples])}, 60, 90)
    assert len(np.unique(said, axis=0)) == 4
    assert ((said > -128) & (said < 127)).any(axis=1).all()


def test_rare_answers_are_found_from_those_that_come_near_them() -> None:
    found = search(RANGES, ENDS, probe_of(100, 104), 4, seed=0, effort=Effort(64))
    said = answers({"x": np.stack([sample["x"] for sample in found.samples])}, 100, 104)
    assert len(np.unique(said, axis=0)) >= 3


def test_the_same_seed_finds_the_same_and_another_one_others() -> None:
    first, again, other = (
        search(RANGES, ENDS, probe_of(-40, 40), 6, seed=seed, effort=Effort(32)) for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a["x"], b["x"]) for a, b in zip(first.samples, again.samples, strict=True))
    assert not all(np.array_equal(a["x"], b["x"]) for a, b in zip(first.samples, other.samples, strict=True))


def test_what_is_found_beside_known_inputs_has_other_answers() -> None:
    probe = probe_of(-100, 100)
    known = search(RANGES, ENDS, probe, 3, seed=0, effort=Effort(16)).samples
    found = search(RANGES, ENDS, probe, 2, seed=5, effort=Effort(16), known=known)
    said = answers({"x": np.stack([sample["x"] for sample in (*known, *found.samples)])}, -100, 100)
    assert len(np.unique(said, axis=0)) == 5
    assert found.made_up == 2


def test_of_given_inputs_those_are_chosen_that_differ_and_nothing_is_made_up() -> None:
    given = [{"x": np.full((1, 8, 8), value, np.int8)} for value in (0, 0, 0, 0, 10, 20, 30)]
    found = search(RANGES, ENDS, probe_of(-100, 100), 4, seed=0, effort=Effort(16), given=given)
    assert sorted(int(sample["x"].max()) for sample in found.samples) == [0, 10, 20, 30]
    assert found.made_up == 0


def test_where_given_inputs_leave_an_output_stuck_others_are_made_up() -> None:
    given = [{"x": np.full((1, 8, 8), -100, np.int8)}] * 5
    found = search(RANGES, ENDS, probe_of(0, 60), 4, seed=0, effort=Effort(64), given=given)
    assert found.made_up > 0
    assert len(np.unique(answers({"x": np.stack([s["x"] for s in found.samples])}, 0, 60), axis=0)) > 1


def test_a_model_that_always_says_the_same_ends_the_search() -> None:
    def probe(inputs: Stacked) -> Response:
        return Response(
            {"y": np.full((len(inputs["x"]), 2), 7, np.int8)}, np.zeros((len(inputs["x"]), 0), np.int8)
        )

    assert len(search(RANGES, ENDS, probe, 4, seed=0, effort=Effort(16)).samples) == 4


def test_feature_maps_on_the_way_decide_where_outputs_do_not() -> None:
    def probe(inputs: Stacked) -> Response:
        corner = (inputs["x"][:, 0, 0, 0] > 0).astype(np.int8)
        return Response({"y": np.full((len(corner), 2), 7, np.int8)}, corner[:, np.newaxis])

    given = [{"x": np.full((1, 8, 8), value, np.int8)} for value in (-5, -6, -7, -8, 9)]
    found = search(RANGES, ENDS, probe, 2, seed=0, effort=Effort(2), given=given)
    assert {bool(sample["x"][0, 0, 0] > 0) for sample in found.samples} == {True, False}


def test_a_search_ends_when_its_time_is_up() -> None:
    calls = []

    def slow(inputs: Stacked) -> Response:
        calls.append(len(inputs["x"]))
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass
        return probe_of(-100, 100)(inputs)

    assert search(RANGES, ENDS, slow, 4, seed=0, effort=Effort(100, limit_s=0.01)).samples
    assert len(calls) == 1


@pytest.mark.parametrize("wanted", [1, 40])
def test_as_many_are_found_as_are_wanted_whatever_the_effort(wanted: int) -> None:
    assert len(search(RANGES, ENDS, probe_of(-100, 100), wanted, seed=0, effort=Effort(2)).samples) == wanted

"""Which oracle decides, where they agree and where they do not, and what is shown of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.errors import BadInputError, NotInstalledError, TargetError
from deploy.judging.inputs import random_inputs
from deploy.judging.opinion import PANELS, Judge, Opinion, Panel
from deploy.judging.oracles import MakeOracle, OptimisedKernels, TflmKernels
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Sample
from deploy.tflite import Model, read

COUNT = 3


@pytest.fixture(scope="module")
def model(mlperf_tiny: dict[str, Path]) -> Model:
    """ResNet-8: one int8 output ``[1, 10]``."""
    return read(mlperf_tiny["image_classification"])


class Says:
    """An oracle whose outputs all have one value, whatever its state."""

    version = "1"

    def __init__(self, model: Model, name: str, value: int) -> None:
        self.name, self._value = name, value
        self._outputs = {name: model.tensors[index] for index, name in model.output_names().items()}
        self.asked = 0

    @property
    def title(self) -> str:
        return f"{self.name} {self.version}"

    def run(self, inputs: Mapping[str, NDArray[Any]], *, keep_state: bool = False) -> dict[str, NDArray[Any]]:
        return self.run_all([inputs])[0]

    def run_all(
        self, samples: Sequence[Mapping[str, NDArray[Any]]], *, keep_state: bool = False
    ) -> list[dict[str, NDArray[Any]]]:
        self.asked += len(samples)
        answer = {name: np.full(tensor.shape, self._value, np.int8) for name, tensor in self._outputs.items()}
        return [answer for _ in samples]


def saying(name: str, value: int, made: list[Says] | None = None) -> MakeOracle:
    def make(model: Model) -> Says:
        oracle = Says(model, name, value)
        if made is not None:
            made.append(oracle)
        return oracle

    return make


def lacking(error: Exception) -> MakeOracle:
    def make(_model: Model) -> Says:
        raise error

    return make


def opinion(model: Model, panel: Panel, value: int = 5, tolerance: float = 1.0) -> Opinion:
    """What a panel says about answers that all have one value."""
    samples = random_inputs(model, COUNT).samples
    judge = Judge(model, panel)
    judge.expect(samples[:1])
    judge.expect(samples[1:])
    target = Says(model, "target", value)
    return judge.opinion([target.run(sample) for sample in samples], tolerance)


def names(found: Opinion) -> tuple[str, ...]:
    return (found.deciding.reference, *(other.reference for other in found.others))


def test_where_the_first_agrees_the_second_is_never_asked(model: Model) -> None:
    made: list[Says] = []
    found = opinion(model, Panel("a", (saying("a", 5),), in_doubt=(saying("b", 5, made),)))
    assert (found.passed, found.reason) == (True, "all 30 output elements equal the reference")
    assert names(found) == ("a 1",)
    assert made == []


def test_the_tolerance_says_what_agreement_is(model: Model) -> None:
    assert names(opinion(model, Panel("a", (saying("a", 6),), in_doubt=(saying("b", 5),)))) == ("a 1",)
    assert names(opinion(model, Panel("a", (saying("a", 6),), in_doubt=(saying("b", 5),)), tolerance=0)) == (
        "b 1",
        "a 1",
    )


def test_where_only_the_second_agrees_it_decides_and_both_comparisons_are_shown(model: Model) -> None:
    made: list[Says] = []
    found = opinion(model, Panel("a", (saying("a", 9),), in_doubt=(saying("b", 5, made),)))
    assert found.passed
    assert names(found) == ("b 1", "a 1")
    assert found.deciding.outputs[0].mismatches == 0
    assert found.others[0].outputs[0].max_lsb == 4
    assert "the target equals b 1, the microcontroller's own kernels; a 1 rounds otherwise" in found.reason
    assert made[0].asked == COUNT


def test_where_none_agrees_the_first_decides_and_the_others_are_shown(model: Model) -> None:
    found = opinion(model, Panel("a", (saying("a", 9),), in_doubt=(saying("b", 8), saying("c", 7))))
    assert not found.passed
    assert names(found) == ("a 1", "b 1", "c 1")
    assert "differs by 4 LSB in 30 of 30" in found.reason


def test_oracles_in_doubt_are_asked_until_one_agrees(model: Model) -> None:
    made: list[Says] = []
    in_doubt = (saying("b", 8), saying("c", 5), saying("d", 5, made))
    found = opinion(model, Panel("a", (saying("a", 9),), in_doubt=in_doubt))
    assert names(found) == ("c 1", "a 1", "b 1")
    assert made == []


@pytest.mark.parametrize("error", [BadInputError("no kernel"), NotInstalledError("missing")])
def test_an_oracle_in_doubt_that_is_missing_or_cannot_run_the_model_is_passed_over(
    model: Model, error: Exception
) -> None:
    found = opinion(model, Panel("a", (saying("a", 9),), in_doubt=(lacking(error), saying("c", 5))))
    assert names(found) == ("c 1", "a 1")
    alone = opinion(model, Panel("a", (saying("a", 9),), in_doubt=(lacking(error),)))
    assert (alone.passed, names(alone)) == (False, ("a 1",))


def test_an_oracle_that_has_to_be_asked_and_cannot_run_the_model_is_an_error(model: Model) -> None:
    with pytest.raises(BadInputError, match="no kernel"):
        Judge(model, Panel("a", (saying("a", 5), lacking(BadInputError("no kernel")))))


def test_of_two_that_are_asked_whatever_comes_both_are_shown_and_one_has_to_agree(model: Model) -> None:
    both = (saying("a", 9), saying("b", 5))
    assert names(opinion(model, Panel("a", both))) == ("b 1", "a 1")
    assert names(opinion(model, Panel("a", both), value=9)) == ("a 1", "b 1")
    assert not opinion(model, Panel("a", both), value=0).passed


def test_fewer_answers_than_inputs_are_no_answer(model: Model) -> None:
    judge = Judge(model, Panel("a", (saying("a", 5),)))
    samples = random_inputs(model, 2).samples
    judge.expect(samples)
    answers: list[Sample] = [Says(model, "target", 5).run(samples[0])]
    with pytest.raises(TargetError, match="1 answers for 2 inputs"):
        judge.opinion(answers, 1.0)


def test_the_panels_ask_litert_first_and_tflm_only_in_doubt_or_where_it_is_named() -> None:
    auto = PANELS["auto"]
    assert (auto.name, auto.asked, auto.in_doubt) == (ReferenceKernels.name, (ReferenceKernels,), (TflmKernels,))
    assert auto.instead == (TflmKernels, OptimisedKernels)
    assert PANELS["litert"].in_doubt == ()
    assert PANELS["tflm"] == Panel(TflmKernels.name, (TflmKernels,))
    assert PANELS["both"].asked == (ReferenceKernels, TflmKernels)


def failing(name: str, after: int) -> MakeOracle:
    """An oracle that fails with the first input beyond so many."""

    class Fails(Says):
        def run_all(
            self, samples: Sequence[Mapping[str, NDArray[Any]]], *, keep_state: bool = False
        ) -> list[dict[str, NDArray[Any]]]:
            if self.asked + len(samples) > after:
                raise BadInputError(f"{name} crashes while running the model (SIGSEGV)")
            return super().run_all(samples)

    def make(model: Model) -> Says:
        return Fails(model, name, 9)

    make.name = name  # type: ignore[attr-defined]
    return make


@pytest.mark.parametrize("after", [0, 1, COUNT])
def test_where_an_oracle_fails_another_takes_its_place_for_all_inputs_and_the_failure_is_named(
    model: Model, after: int
) -> None:
    made: list[Says] = []
    panel = Panel("a", (failing("a", after),), instead=(lacking(BadInputError("no kernel")), saying("c", 5, made)))
    found = opinion(model, panel, value=9 if after == COUNT else 5)
    assert found.passed
    if after == COUNT:
        assert (names(found), found.left_out, made) == (("a 1",), (), [])
        return
    assert names(found) == ("c 1",)
    assert [each.reason for each in found.left_out] == [
        "a crashes while running the model (SIGSEGV)",
        "no kernel",
    ]
    assert found.left_out[0].sentence == "a is left out: a crashes while running the model (SIGSEGV)"
    assert made[0].asked == COUNT + 2 * after  # behind the first input, about all of them once more


def test_where_no_oracle_can_run_a_model_the_first_ones_reason_is_the_error_and_the_others_are_hints(
    model: Model,
) -> None:
    with pytest.raises(BadInputError, match="no kernel") as raised:
        Judge(model, Panel("a", (lacking(BadInputError("no kernel")),), instead=(lacking(BadInputError("nor")),)))
    assert raised.value.hints == ("another oracle is left out: nor",)


def test_an_oracle_in_doubt_that_cannot_run_the_model_is_named(model: Model) -> None:
    found = opinion(model, Panel("a", (saying("a", 9),), in_doubt=(lacking(NotInstalledError("missing")),)))
    assert [each.reason for each in found.left_out] == ["missing"]


def test_an_oracle_that_stands_in_already_is_not_asked_once_more(model: Model) -> None:
    second = saying("b", 9)
    found = opinion(model, Panel("a", (failing("a", 0),), in_doubt=(second,), instead=(second,)))
    assert (found.passed, names(found)) == (False, ("b 1",))


def test_in_a_sequence_another_oracle_begins_at_its_beginning(model: Model) -> None:
    made: list[Says] = []
    samples = random_inputs(model, COUNT).samples
    panel = Panel("a", (failing("a", 1),), instead=(saying("c", 5, made),))
    judge = Judge(model, panel, sequence=True)
    judge.expect(samples)
    assert (judge.title, made[0].asked) == ("c 1", COUNT)
    assert len(judge.expected) == COUNT

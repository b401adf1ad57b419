"""What decides a verdict, and what no tolerance and no option lets pass."""

from __future__ import annotations

import pytest

from deploy.judging.comparison import OutputComparison
from deploy.judging.operator_check import OperatorCheck
from deploy.judging.operator_result import Miscompilation, OperatorResult
from deploy.judging.opinion import Opinion
from deploy.judging.ruling import ACCEPT, ruled
from deploy.judging.target_comparison import OutputOfTarget, TargetComparison, TargetDifference
from deploy.judging.verdict import ReferenceOpinion

OUTPUT = OutputComparison(name="y", elements=10, mismatches=3, max_lsb=1.0)
AGREES = Opinion(True, "3 of 10 differ", ReferenceOpinion(reference="LiteRT", outputs=(OUTPUT,)))
DIFFERS = Opinion(False, "beyond the tolerance", ReferenceOpinion(reference="LiteRT", outputs=(OUTPUT,)))
CHECKED = OperatorCheck(inputs=4, operators=9, source="this run")
EQUAL = TargetComparison(outputs=(OutputOfTarget(name="y", elements=10, mismatches=0, max_lsb=0, agrees=True),))
UNEQUAL = TargetComparison(
    outputs=(
        OutputOfTarget(
            name="y",
            elements=10,
            mismatches=3,
            max_lsb=1,
            first=TargetDifference(input=2, position=(0, 7), target=5, model=4),
            agrees=False,
        ),
    )
)
WRONG = OperatorResult(
    index=4, type="HARD_SWISH", name="act", dtype="int8", absorbs=(), elements=2304, mismatches=67, max_lsb=26
)


def test_everything_in_order_passes_with_the_oracles_reason() -> None:
    for comparison in (None, EQUAL, TargetComparison(left_out="no functional model")):
        ruling = ruled(AGREES, comparison, CHECKED, (), accept_model_difference=False)
        assert (ruling.passed, ruling.reason, ruling.accepted) == (True, "3 of 10 differ", ())


def test_a_target_that_keeps_to_the_tolerance_but_not_to_the_model_fails_with_that_reason() -> None:
    ruling = ruled(AGREES, UNEQUAL, CHECKED, (), accept_model_difference=False)
    assert not ruling.passed
    assert "keeps to the reference within 1 LSB but differs from the NPU model" in ruling.reason
    assert "one of the two is wrong" in ruling.reason
    assert "[0, 7] of input 2: target 5, NPU model 4" in ruling.reason


def test_such_a_target_is_accepted_by_an_option_and_the_difference_is_recorded() -> None:
    ruling = ruled(AGREES, UNEQUAL, CHECKED, (), accept_model_difference=True)
    assert ruling.passed
    assert ACCEPT in ruling.reason
    [accepted] = ruling.accepted
    assert "differs from the NPU model: y: 3 of 10 elements" in accepted


def test_the_option_accepts_nothing_beyond_the_tolerance_and_no_operator() -> None:
    beyond = ruled(DIFFERS, UNEQUAL, CHECKED, (), accept_model_difference=True)
    assert (beyond.passed, beyond.accepted) == (False, ())
    assert "beyond the tolerance; the target differs from the NPU model, too" in beyond.reason
    check = CHECKED.model_copy(update={"differing": 1, "unexplained": 1})
    wrong = ruled(AGREES, UNEQUAL, check, (WRONG,), accept_model_difference=True)
    assert not wrong.passed


def test_an_operator_without_a_cause_fails_whatever_the_outputs_say() -> None:
    check = CHECKED.model_copy(update={"differing": 2, "unexplained": 2})
    known = WRONG.model_copy(update={"index": 1, "cause": "rounds twice"})
    ruling = ruled(AGREES, None, check, (known, WRONG), accept_model_difference=False)
    assert not ruling.passed
    assert (
        "operator 4 HARD_SWISH (act) equals no oracle: 67 of 2304 elements differ by up to 26 LSB" in ruling.reason
    )
    assert "1 more fail" in ruling.reason


def test_a_miscompiled_operator_fails_with_the_way_around() -> None:
    check = CHECKED.model_copy(update={"unexplained": 1})
    known = Miscompilation(name="k", what="SUM: a defect of Vela", way_around="one axis after another")
    broken = WRONG.model_copy(update={"mismatches": 0, "miscompiled": known})
    ruling = ruled(AGREES, None, check, (broken,), accept_model_difference=False)
    assert not ruling.passed
    assert "one axis after another" in ruling.reason


@pytest.mark.parametrize("source", ["compile", "this run"])
def test_a_record_without_results_fails_by_its_count(source: str) -> None:
    check = CHECKED.model_copy(update={"unexplained": 1, "source": source})
    ruling = ruled(AGREES, EQUAL, check, (), accept_model_difference=False)
    assert not ruling.passed
    assert "1 of 9 operators" in ruling.reason

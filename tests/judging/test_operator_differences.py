"""How far operators are known to differ: listed ones as listed, others only where nothing was left out."""

from __future__ import annotations

from deploy.judging.operator_check import OperatorCheck
from deploy.judging.operator_differences import operator_differences
from deploy.judging.operator_result import OperatorResult


def result(index: int, lsb: float) -> OperatorResult:
    return OperatorResult(
        index=index,
        type="CONV_2D",
        name="n",
        dtype="int8",
        absorbs=(),
        elements=9,
        mismatches=int(lsb > 0),
        max_lsb=lsb,
    )


def test_an_operator_that_a_whole_check_does_not_list_is_equal() -> None:
    whole = OperatorCheck(operators=3)
    assert operator_differences([0, 1, 2], [(whole, [result(1, 2.0)])]) == {0: 0.0, 1: 2.0, 2: 0.0}


def test_where_something_was_left_out_only_what_is_listed_is_known() -> None:
    part = OperatorCheck(operators=2, left_out=("operator 0: no kernel",))
    assert operator_differences([0, 1, 2], [(part, [result(1, 2.0)])]) == {1: 2.0}
    assert operator_differences([0], [(OperatorCheck(), [])]) == {}


def test_of_several_checks_the_largest_difference_counts() -> None:
    checks = [(OperatorCheck(operators=1), [result(0, lsb)]) for lsb in (1.0, 3.0, 2.0)]
    assert operator_differences([0], checks) == {0: 3.0}

"""A verdict passes only on evidence."""

import pytest

from deploy.judging.comparison import OutputComparison
from deploy.judging.verdict import judge


def output(mismatches: int = 0, max_lsb: float | None = 0.0, elements: int = 10) -> OutputComparison:
    return OutputComparison(name="y", elements=elements, mismatches=mismatches, max_lsb=max_lsb)


def test_equal_outputs_pass() -> None:
    assert judge((output(),), 1) == (True, "all 10 output elements equal the reference")


def test_differences_within_the_tolerance_pass_and_are_shown() -> None:
    passed, reason = judge((output(3, 1.0),), 1)
    assert passed
    assert "3 of 10 output elements differ" in reason


@pytest.mark.parametrize("tolerance", [0, 0.5])
def test_one_lsb_beyond_the_tolerance_fails(tolerance: float) -> None:
    passed, reason = judge((output(), output(1, 1.0)), tolerance)
    assert not passed
    assert "beyond the tolerance" in reason


def test_no_outputs_never_pass() -> None:
    assert judge((), 1) == (False, "nothing was compared")


def test_outputs_without_elements_never_pass() -> None:
    assert not judge((output(elements=0),), 1)[0]


def test_a_target_that_answers_nan_fails_whatever_the_tolerance() -> None:
    passed, reason = judge((output(1, None),), 1e9)
    assert not passed
    assert "no number" in reason


def test_an_endless_tolerance_that_is_not_a_number_fails() -> None:
    assert not judge((output(1, 1.0),), float("nan"))[0]

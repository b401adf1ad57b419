"""The interval that accuracies are shown with."""

import pytest

from deploy.judging.confidence import wilson_interval


def test_the_interval_is_wilsons() -> None:
    # 81 of 263: Newcombe 1998, table I, method 3.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_the_interval_is_neither_empty_nor_outside_at_the_ends() -> None:
    low, high = wilson_interval(10, 10)
    assert low == pytest.approx(0.7225, abs=5e-5) and high == pytest.approx(1)
    assert 0 <= low <= high <= 1
    low, high = wilson_interval(0, 10)
    assert low == pytest.approx(0) and high == pytest.approx(0.2775, abs=5e-5)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.npu import UnsupportedError
from deploy.npu.execution.scaling import rescale, round_half_away
from deploy.npu.stream.operations import Rounding


def natural(value: int, shift: int) -> int:
    return value if shift == 0 else (value + (1 << (shift - 1))) >> shift


def double(value: int, shift: int) -> int:
    """TFLite's MultiplyByQuantizedMultiplier in Python's integers."""
    once = natural(value, min(shift, 31))
    rest = max(shift - 31, 0)
    if rest == 0:
        return once
    magnitude = (abs(once) + (1 << (rest - 1))) >> rest
    return -magnitude if once < 0 else magnitude


@settings(deadline=None)
@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**31 - 1), st.integers(0, 62))
def test_both_rounding_modes_match_plain_integers(value: int, multiplier: int, shift: int) -> None:
    array = np.array([value], np.int64)
    assert rescale(array, multiplier, shift, Rounding.NATURAL)[0] == natural(value * multiplier, shift)
    assert rescale(array, multiplier, shift, Rounding.TFL)[0] == double(value * multiplier, shift)


def symmetric(value: int, shift: int) -> int:
    magnitude = natural(abs(value), shift)
    return -magnitude if value < 0 else magnitude


@settings(deadline=None)
@given(st.integers(-(2**35), 2**35 - 1), st.integers(0, 2**31 - 1), st.integers(0, 63))
def test_the_rounding_modes_of_u85_alone_match_plain_integers(value: int, multiplier: int, shift: int) -> None:
    array = np.array([value, 1], np.int64)
    product = value * multiplier
    if abs(product) >> shift < 1 << 62:
        assert rescale(array, multiplier, shift, Rounding.SYMMETRIC)[0] == symmetric(product, shift)
        assert rescale(array, multiplier, shift, Rounding.DOWN)[0] == product >> shift


@settings(deadline=None)
@given(st.integers(-(2**39), 2**39 - 1), st.integers(2**30, 2**32 - 1), st.integers(31, 63))
def test_products_of_more_than_64_bits_do_not_overflow(value: int, multiplier: int, shift: int) -> None:
    array = np.array([value, 1], np.int64)
    assert rescale(array, multiplier, shift, Rounding.TFL)[0] == double(value * multiplier, shift)


def test_every_channel_has_its_own_scale() -> None:
    values = np.full((2, 3), 1000, np.int64)
    scaled = rescale(values, np.array([1, 2, 3]), np.array([0, 1, 33]), Rounding.TFL)
    assert scaled.tolist() == [[1000, 1000, 0]] * 2


def test_halves_round_away_from_zero() -> None:
    assert round_half_away(np.array([6, -6, 5, -5, 2, -2], np.int64), 2).tolist() == [2, -2, 1, -1, 1, -1]


def test_truncation_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="TRUNCATE"):
        rescale(np.array([1], np.int64), 1, 1, Rounding.TRUNCATE)

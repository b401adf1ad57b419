"""Made-up data fits its input, whatever its kind, shape and type, and its kinds differ."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.judging.input_patterns import KINDS, changed, made_up
from deploy.judging.input_ranges import InputRange

RANGES = {
    "image": InputRange((1, 12, 10, 3), np.dtype("uint8"), 0, 255, 0),
    "signal": InputRange((1, 40), np.dtype("int8"), -128, 127, -5),
    "wide": InputRange((1, 6, 1), np.dtype("int16"), -32768, 32767, 0),
    "real": InputRange((2, 7), np.dtype("float32"), -3.0, 5.0, 0.0),
    "scalar": InputRange((), np.dtype("int8"), -128, 127, 0),
    "huge": InputRange((1, 9), np.dtype("int64"), -(2**63), 2**63 - 1, 0),
    "ids": InputRange((1, 30), np.dtype("int32"), 0, 39, 0, drawn=False),
    "flags": InputRange((1, 30), np.dtype("bool"), 0, 1, 0, drawn=False),
    "none": InputRange((1, 0, 3), np.dtype("int8"), -128, 127, 0),
}


def fits(array: np.ndarray, each: InputRange) -> bool:
    inside = bool(((array >= each.low) & (array <= each.high)).all())
    return isinstance(array, np.ndarray) and (array.shape, array.dtype, inside) == (each.shape, each.dtype, True)


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_what_is_made_up_fits_every_input(kind: int) -> None:
    for seed in range(20):
        sample = made_up(np.random.default_rng(seed), RANGES, kind)
        assert [name for name, each in RANGES.items() if not fits(sample[name], each)] == []


def test_what_is_changed_fits_every_input() -> None:
    generator = np.random.default_rng(0)
    one, two = (made_up(generator, RANGES, kind) for kind in (0, 1))
    for _ in range(40):
        sample = changed(generator, RANGES, one, two)
        assert [name for name, each in RANGES.items() if not fits(sample[name], each)] == []


def test_pictures_fill_the_range_from_zero_to_one() -> None:
    for draw in KINDS:
        picture = draw(np.random.default_rng(3), (32, 32, 3))
        assert picture.shape == (32, 32, 3)
        assert 0 <= picture.min() <= picture.max() <= 1


def test_the_same_seed_makes_up_the_same_and_another_one_something_else() -> None:
    first, again, other = (made_up(np.random.default_rng(seed), RANGES, 0) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in RANGES)
    assert not np.array_equal(first["image"], other["image"])

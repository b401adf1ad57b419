"""What was learned of elements is looked up as NumPy looks it up, and only where there is room for it."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.npu.core import library

CORE = library.native()
LIMIT = np.float32(1000)


def levels() -> np.ndarray:
    """Floats that become their floors, of those from -128 to 127: a level is one higher than it is stored."""
    begin = np.append(np.arange(-127, 128), np.inf)
    return np.concatenate([[1, 128, -128, LIMIT], begin]).astype(np.float32)


def test_floats_become_the_level_that_they_have_reached() -> None:
    rng = np.random.default_rng(0)
    numbers = [rng.uniform(-200, 200, 999), np.arange(-140, 140), [-LIMIT, LIMIT]]
    floats = np.concatenate(numbers).astype(np.float32)
    found = np.empty(floats.size, np.int8)
    assert CORE.find_levels(floats, levels(), found)
    np.testing.assert_array_equal(found, np.clip(np.floor(floats), -128, 127).astype(np.int8))


@pytest.mark.parametrize("beyond", [np.inf, -np.inf, np.nan, 1001, -1001])
def test_floats_beyond_the_limit_are_said_to_be(beyond: float) -> None:
    floats = np.zeros(70, np.float32)
    floats[50] = beyond
    assert not CORE.find_levels(floats, levels(), np.empty(70, np.int8))


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4"])
def test_bytes_become_the_entries_of_a_table(dtype: str) -> None:
    table, numbers = np.arange(256).astype(dtype), np.random.default_rng(0).integers(0, 256, 500, np.uint8)
    found = np.empty(500, dtype)
    CORE.look_up(numbers, table, found)
    np.testing.assert_array_equal(found, table[numbers])


def test_what_has_no_room_is_refused() -> None:
    numbers = np.zeros(10, np.uint8)
    with pytest.raises(ValueError, match="no room"):
        CORE.look_up(numbers, np.zeros(256, np.float32), np.empty(9, np.float32))
    with pytest.raises(ValueError, match="no table"):
        CORE.look_up(numbers, np.zeros(255, np.uint8), np.empty(10, np.uint8))
    with pytest.raises(ValueError, match="no levels"):
        CORE.find_levels(np.zeros(10, np.float32), levels()[1:], np.empty(10, np.int8))
    with pytest.raises(ValueError, match="no room"):
        CORE.find_levels(np.zeros(10, np.float32), levels(), np.empty(11, np.int8))
    with pytest.raises(ValueError, match="read-only"):
        CORE.look_up(numbers, np.zeros(256, np.uint8), np.frombuffer(bytes(10), np.uint8))

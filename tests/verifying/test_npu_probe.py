"""The levels that inputs are chosen by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.judging.input_search import LEVELS
from deploy.verifying.npu_probe import _levels_of


def one_level(value: int) -> int:
    """By sign and power of two, as the module describes it; -1 for zero."""
    if value == 0:
        return -1
    power = min(abs(value).bit_length() - 1, LEVELS // 2 - 1)
    return LEVELS // 2 + power if value > 0 else LEVELS // 2 - 1 - power


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32"])
@pytest.mark.parametrize("zero_point", [-128, -5, 0, 3, 127, 255])
def test_levels_are_signs_and_powers_of_two_in_every_type(dtype: str, zero_point: int) -> None:
    limits = np.iinfo(dtype)
    ends = [limits.min, limits.min + 1, limits.max - 1, limits.max]
    stored: NDArray[Any] = np.array([[*range(max(-300, limits.min), min(300, limits.max) + 1), *ends]], dtype)

    levels = _levels_of(stored, zero_point)

    assert levels.dtype == np.int8
    assert levels.tolist() == [[one_level(int(value) - zero_point) for value in stored[0]]]

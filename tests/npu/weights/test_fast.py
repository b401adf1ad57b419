"""Weights that are coded for fast decoding, against an encoder for them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.npu import WeightStreamError
from deploy.npu.weights.fast import decompress_fast


def header(flags: int, palette: list[int] = [], offset: int = 0) -> bytes:  # noqa: B006 - never changed
    bits = flags | (offset & 0xFF) << 104
    for place, weight in enumerate(palette):
        bits |= (abs(weight) << 1 | (weight < 0)) << (112 + 9 * place)
    return bits.to_bytes(32, "little")


def packed(places: list[int], bits: int) -> bytes:
    number = sum(place << bits * at for at, place in enumerate(places))
    return number.to_bytes(-(-len(places) * bits // 8), "little")


@given(st.lists(st.integers(-255, 255), min_size=16, max_size=16), st.lists(st.integers(0, 15), min_size=1))
def test_weights_are_entries_of_a_palette(palette: list[int], places: list[int]) -> None:
    stream = header(0, palette) + packed(places, 4) + bytes(7)
    assert decompress_fast(stream, len(places)).tolist() == [palette[place] for place in places]


@given(st.lists(st.integers(0, 3), min_size=1))
def test_a_small_palette_takes_two_bits(places: list[int]) -> None:
    palette = [0, -3, 7, 255]
    found = decompress_fast(header(2, palette) + packed(places, 2), len(places))
    assert found.tolist() == [palette[place] for place in places]


@given(st.lists(st.integers(-128, 127), min_size=1), st.integers(-128, 127))
def test_without_a_palette_an_offset_is_subtracted(weights: list[int], offset: int) -> None:
    stream = header(1, offset=offset) + np.array(weights, np.int8).tobytes()
    assert decompress_fast(stream, len(weights)).tolist() == [weight - offset for weight in weights]


@pytest.mark.parametrize("size", [0, 31, 32, 33])
def test_a_stream_that_is_too_short_is_refused(size: int) -> None:
    with pytest.raises(WeightStreamError, match=f"of {size} bytes, 4 weights need 34"):
        decompress_fast(bytes(size), 4)

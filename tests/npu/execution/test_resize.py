"""Resizing against its definition, one element at a time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.npu import Architecture, UnsupportedError
from deploy.npu.execution.feature_maps import read, write
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.resize import resize
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.operations import Scale
from deploy.npu.stream.u85_operations import AxisSampling, ResizeMode

from .. import u85_builders
from ..builders import feature_map

U85 = Architecture("U85", 256)
OFM = 1 << 13


def axes(parts: list[int]) -> st.SearchStrategy[AxisSampling]:
    return st.sampled_from(parts).flatmap(
        lambda n: st.builds(AxisSampling, st.just(n), st.integers(1, 2 * n), st.integers(-n, n - 1))
    )


def at(sampling: AxisSampling, place: int, extent: int) -> tuple[int, int, Fraction]:
    """The elements in front of and behind a place, and how far it is behind the first."""
    position = Fraction(place * sampling.step + sampling.offset, sampling.parts)
    front = position.numerator // position.denominator
    return min(max(front, 0), extent - 1), min(max(front + 1, 0), extent - 1), position - front


@settings(deadline=None, max_examples=80)
@given(st.data(), st.sampled_from([ResizeMode.BILINEAR, ResizeMode.NEAREST]), st.sampled_from(["i1", "i2"]))
def test_elements_are_where_steps_and_offsets_say(data: st.DataObject, mode: ResizeMode, dtype: str) -> None:
    parts = [1, 2, 4, 8] if mode is ResizeMode.BILINEAR else [1, 2, 3, 5, 8]
    vertical, horizontal = data.draw(axes(parts)), data.draw(axes(parts))
    shape, size = (data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4)), 3), (5, 6, 3)
    limits = np.iinfo(np.dtype(dtype))
    values = np.random.default_rng(0).integers(limits.min, limits.max + 1, shape).astype(dtype)
    memory = Memory({1: np.zeros(1 << 14, np.uint8)}, U85.design)
    ifm, ofm = feature_map(shape, dtype, zero_point=2), feature_map(size, dtype, OFM, zero_point=2)
    write(memory, ifm, values[np.newaxis])
    resize(u85_builders.resize(mode, ifm, ofm, vertical, horizontal), Workspace(memory))
    found = read(memory, ofm)[0]
    x = values.astype(int) - 2
    for row, column in np.ndindex(*size[:2]):
        top, bottom, down = at(vertical, row, shape[0])
        left, right, across = at(horizontal, column, shape[1])
        for c in range(3):
            if mode is ResizeMode.NEAREST:
                exact = Fraction(int(x[bottom if 2 * down >= 1 else top, right if 2 * across >= 1 else left, c]))
            else:
                upper = int(x[top, left, c]) * (1 - across) + int(x[top, right, c]) * across
                lower = int(x[bottom, left, c]) * (1 - across) + int(x[bottom, right, c]) * across
                exact = upper * (1 - down) + lower * down
            # Halves away from zero.
            rounded = int(abs(exact) + Fraction(1, 2)) * (1 if exact >= 0 else -1)
            assert found[row, column, c] == min(max(rounded + 2, limits.min), limits.max)


def test_a_scale_that_is_more_than_a_shift_is_refused() -> None:
    from dataclasses import replace

    ifm, ofm = feature_map((2, 2, 1)), feature_map((2, 2, 1), "i1", OFM)
    same = AxisSampling(1, 1, 0)
    operation = replace(u85_builders.resize(ResizeMode.NEAREST, ifm, ofm, same, same), scale=Scale(3, 16))
    with pytest.raises(UnsupportedError, match="a resizing with a scale"):
        resize(operation, Workspace(Memory({1: np.zeros(1 << 14, np.uint8)}, U85.design)))

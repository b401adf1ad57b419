from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.npu import Architecture, MemoryAccessError
from deploy.npu.execution.feature_maps import read, write
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import FeatureMap

from ..builders import feature_map

U55 = Architecture("U55", 128)


def address_of(fm: FeatureMap, y: int, x: int, c: int) -> int:
    """The addressing rules, one element at a time."""
    if x < fm.width0:
        base = fm.bases[0] if y < fm.height0 else fm.bases[2]
        y -= 0 if y < fm.height0 else fm.height0
    else:
        x -= fm.width0
        base = fm.bases[1] if y < fm.height1 else fm.bases[3]
        y -= 0 if y < fm.height1 else fm.height1
    size = fm.dtype.itemsize
    if fm.bricks:
        return base + y * fm.stride_y + c // 16 * fm.stride_c + x * fm.stride_x + c % 16 * size
    return base + y * fm.stride_y + x * fm.stride_x + c * size


@st.composite
def tiled(draw: st.DrawFn) -> FeatureMap:
    height, width, depth = draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.integers(1, 37))
    changes: dict[str, Any] = {
        "height0": draw(st.integers(1, 7)),
        "height1": draw(st.integers(1, 7)),
        "width0": draw(st.integers(1, 7)),
        # Tiles far apart, so that they do not overlap.
        "bases": tuple(20000 * i + draw(st.integers(0, 3)) for i in range(4)),
    }
    dtype = draw(st.sampled_from(["i1", "u1", "i2", "i4"]))
    return feature_map((height, width, depth), dtype, bricks=draw(st.booleans()), **changes)


@settings(deadline=None, max_examples=150)
@given(tiled(), st.integers(1, 3))
def test_every_element_is_read_and_written_where_the_rules_say(fm: FeatureMap, batch: int) -> None:
    rng = np.random.default_rng(0)
    array = np.frombuffer(rng.bytes(batch * 80000), np.uint8).reshape(batch, -1).copy()
    values = read(Memory({1: array}, U55.design), fm)
    target = np.zeros_like(array)
    write(Memory({1: target}, U55.design), fm, values)
    expected = np.zeros_like(array)
    for y, x, c in np.ndindex(fm.height, fm.width, fm.depth):
        address = address_of(fm, y, x, c)
        raw = array[:, address : address + fm.dtype.itemsize]
        assert (np.ascontiguousarray(raw).view(fm.dtype)[:, 0] == values[:, y, x, c]).all()
        expected[:, address : address + fm.dtype.itemsize] = raw
    # Nothing but the elements is written: the rest of a brick stays as it was.
    assert (target == expected).all()


@pytest.mark.parametrize("bricks", [False, True])
def test_a_feature_map_that_leaves_its_region_is_refused_before_anything_is_written(bricks: bool) -> None:
    array = np.zeros(300, np.uint8)
    fm = feature_map((2, 3, 20), bricks=bricks, address=150, height0=1, bases=(0, 0, 290, 0))
    with pytest.raises(MemoryAccessError, match="300 bytes"):
        write(Memory({1: array}, U55.design), fm, np.ones((1, 2, 3, 20), np.int8))
    assert not array.any()


def test_a_feature_map_larger_than_its_region_is_refused_without_allocating_it() -> None:
    fm = feature_map((60000, 60000, 1000), stride_y=0, stride_x=0)
    with pytest.raises(MemoryAccessError, match="60000x60000x1000 does not fit"):
        read(Memory({1: np.zeros(4096, np.uint8)}, U55.design), fm)

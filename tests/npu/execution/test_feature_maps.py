from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.npu import Architecture, MemoryAccessError, StreamError, UnsupportedError
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
    return base + y * fm.stride_y + x * fm.stride_x + c * fm.stride_c


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


@st.composite
def moved(draw: st.DrawFn) -> FeatureMap:
    """A map that lies transposed or backwards."""
    extents = draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 37))
    axes = draw(st.permutations((0, 1, 2)))
    stored = feature_map((extents[axes[0]], extents[axes[1]], extents[axes[2]]), bricks=draw(st.booleans()))
    changes = {"height": extents[0], "width": extents[1], "depth": extents[2], "axes": tuple(axes)}
    return stored._replace(**changes, reversed_axis=draw(st.sampled_from([None, 0, 1, 2])))


@settings(deadline=None, max_examples=150)
@given(moved(), st.integers(1, 2))
def test_a_map_that_lies_transposed_or_backwards_has_its_own_shape_for_readers(fm: FeatureMap, batch: int) -> None:
    values = np.random.default_rng(0).integers(-128, 128, (batch, *fm.extents)).astype(np.int8)
    array = np.zeros((batch, 1 << 14), np.uint8)
    memory = Memory({1: array}, U55.design)
    write(memory, fm, values)
    assert (read(memory, fm) == values).all()
    turned = values.transpose(0, *(axis + 1 for axis in fm.axes))
    if fm.reversed_axis is not None:
        turned = np.flip(turned, fm.reversed_axis + 1)
    assert (read(memory, fm.as_stored) == turned).all()
    for y, x, c in np.ndindex(*fm.extents):
        assert (array[:, fm.address(y, x, c)].view(np.int8) == values[:, y, x, c]).all()


def test_channels_may_lie_apart() -> None:
    fm = feature_map((2, 3, 4), stride_c=5, stride_x=1, stride_y=30)
    array = np.zeros(100, np.uint8)
    write(Memory({1: array}, U55.design), fm, np.ones((1, 2, 3, 4), np.int8))
    wanted = [30 * y + x + 5 * c for y in range(2) for c in range(4) for x in range(3)]
    assert np.flatnonzero(array).tolist() == wanted


def test_a_chained_map_is_kept_inside_the_npu() -> None:
    memory, fm = Memory({}, U55.design), feature_map((2, 3, 4), chain=1)
    with pytest.raises(StreamError, match="no operation before"):
        read(memory, fm)
    values = np.arange(24, dtype=np.int8).reshape(1, 2, 3, 4)
    write(memory, fm, values)
    assert (read(memory, fm) == values).all()
    with pytest.raises(UnsupportedError, match="read as another one"):
        read(memory, feature_map((3, 2, 4), chain=1))
    with pytest.raises(UnsupportedError, match="read as another one"):
        read(memory, feature_map((2, 3, 4), "u1", chain=1))

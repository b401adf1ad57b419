"""Pooling against loops over windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.npu import Architecture, UnsupportedError
from deploy.npu.execution.activation import finish
from deploy.npu.execution.feature_maps import read, write
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.scaling import rescale
from deploy.npu.execution.u55_pooling import pool
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.operations import Padding, Rounding, Scale, Upscale
from deploy.npu.stream.pooling import PoolingMode, PoolingOperation

from ..builders import feature_map, kernel, pooling

U55 = Architecture("U55", 256)
OFM_ADDRESS = 1 << 15


def expected(ifm: np.ndarray, operation: PoolingOperation) -> np.ndarray:
    ofm, k, pad, scale = operation.ofm, operation.kernel, operation.padding, operation.scale
    x = ifm.astype(np.int64) - operation.ifm.zero_point
    result = np.zeros((ofm.height, ofm.width, ofm.depth), np.int64)
    for y, left in np.ndindex(ofm.height, ofm.width):
        inside = [
            x[row, column]
            for row in range(y * k.stride_y - pad.top, y * k.stride_y - pad.top + k.extent_y)
            for column in range(left * k.stride_x - pad.left, left * k.stride_x - pad.left + k.extent_x)
            if 0 <= row < x.shape[0] and 0 <= column < x.shape[1]
        ]
        if operation.mode is PoolingMode.MAX:
            value = np.max(inside, axis=0)
        elif pad.any:
            count = len(inside)
            bits = (count - 1).bit_length()
            multiplier = (2 ** (31 + bits) + 2**bits) // count
            result[y, left] = rescale(np.sum(inside, axis=0), multiplier, 31 + bits, operation.rounding)
            continue
        else:
            value = np.sum(inside, axis=0)
        result[y, left] = rescale(value, scale.multiplier, scale.shift, operation.rounding) if scale else value
    return finish(result, operation, Memory({}, U55.design))


@st.composite
def cases(draw: st.DrawFn) -> tuple[PoolingOperation, int]:
    mode = draw(st.sampled_from([PoolingMode.MAX, PoolingMode.AVERAGE]))
    k = kernel(draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 3)))
    height, width, depth = draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 20))
    pads = [draw(st.integers(0, min(1, n - 1))) for n in (k.height, k.width, k.height, k.width)]
    padding = Padding(*pads)
    rows = (height - 1) * k.stride_y + k.height - padding.top - padding.bottom
    columns = (width - 1) * k.stride_x + k.width - padding.left - padding.right
    if rows < 1 or columns < 1:
        padding, rows, columns = Padding(0, 0, 0, 0), rows + pads[0] + pads[2], columns + pads[1] + pads[3]
    dtype = draw(st.sampled_from(["i1", "u1", "i2"]))
    zero_point = draw(st.integers(-9, 9))
    scale = Scale(1, 0) if padding.any or mode is PoolingMode.MAX else Scale(draw(st.integers(1, 2**31)), 34)
    operation = pooling(
        mode,
        feature_map((rows, columns, depth), dtype, zero_point=zero_point),
        feature_map((height, width, depth), dtype, OFM_ADDRESS, zero_point=3),
        kernel=k,
        padding=padding,
        scale=scale,
        rounding=draw(st.sampled_from([Rounding.TFL, Rounding.NATURAL])),
    )
    return operation, draw(st.integers(0, 2**32))


@settings(deadline=None, max_examples=120)
@given(cases())
def test_pooling_equals_loops_over_windows(case: tuple[PoolingOperation, int]) -> None:
    operation, seed = case
    ifm, limits = operation.ifm, np.iinfo(operation.ifm.dtype.str)
    values = np.random.default_rng(seed).integers(
        limits.min, limits.max + 1, (1, ifm.height, ifm.width, ifm.depth)
    )
    memory = Memory({1: np.zeros(1 << 17, np.uint8)}, U55.design)
    write(memory, ifm, values.astype(ifm.dtype))
    pool(operation, Workspace(memory))
    assert (read(memory, operation.ofm)[0] == expected(values[0], operation)).all()


def test_reduce_sum_adds_the_channels() -> None:
    ifm = feature_map((2, 2, 5), "i4")
    operation = pooling(PoolingMode.REDUCE_SUM, ifm, feature_map((2, 2, 1), "i4", 1000), scale=Scale(1, 1))
    memory = Memory({1: np.zeros(2000, np.uint8)}, U55.design)
    values = np.arange(-10, 10, dtype=np.int32).reshape(1, 2, 2, 5)
    write(memory, ifm, values)
    pool(operation, Workspace(memory))
    assert read(memory, operation.ofm).ravel().tolist() == [-20, -7, 5, 18]


@pytest.mark.parametrize(
    "operation",
    [
        pooling(PoolingMode.REDUCE_SUM, feature_map((2, 2, 5)), feature_map((1, 1, 1)), kernel=kernel(2, 2)),
        pooling(PoolingMode.MAX, feature_map((1, 1, 5)), feature_map((1, 2, 5)), upscale=Upscale.TRANSPOSE),
        pooling(
            PoolingMode.AVERAGE,
            feature_map((1, 2, 5)),
            feature_map((1, 2, 5)),
            kernel=kernel(2, 1),
            padding=Padding(1, 0, 0, 0),
            scale=Scale(7, 3),
        ),
    ],
)
def test_what_is_not_modelled_is_refused(operation: PoolingOperation) -> None:
    with pytest.raises(UnsupportedError):
        pool(operation, Workspace(Memory({1: np.zeros(100, np.uint8)}, U55.design)))

"""Pooling of Ethos-U85 against loops over windows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.npu import Architecture, UnsupportedError
from deploy.npu.execution.feature_maps import read, write
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.u85_pooling import pool
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.operations import Padding, Rounding, Scale
from deploy.npu.stream.pooling import PoolingMode
from deploy.npu.stream.u85_operations import U85PoolingOperation
from deploy.npu.stream.u85_registers import Accumulators, Start

from ..builders import activation, feature_map, kernel
from ..u85_builders import pooling

U85 = Architecture("U85", 256)
OFM = 1 << 15


def run(operation: U85PoolingOperation, ifm: np.ndarray) -> np.ndarray:
    memory = Memory({1: np.zeros(1 << 16, np.uint8)}, U85.design)
    write(memory, operation.ifm, ifm[np.newaxis])
    pool(operation, Workspace(memory))
    return read(memory, operation.ofm)[0]


def random(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    limits = np.iinfo(np.dtype(dtype))
    return np.random.default_rng(seed).integers(limits.min, limits.max + 1, shape).astype(dtype)


@st.composite
def windows(draw: st.DrawFn) -> U85PoolingOperation:
    mode = draw(st.sampled_from([PoolingMode.MAX, PoolingMode.MIN, PoolingMode.AVERAGE, PoolingMode.SUM]))
    k = kernel(draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 3)))
    height, width, depth = draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 20))
    top, left = draw(st.integers(0, k.height - 1)), draw(st.integers(0, k.width - 1))
    rows, columns = (height - 1) * k.stride_y + k.height - top, (width - 1) * k.stride_x + k.width - left
    dtype, zero_point = draw(st.sampled_from(["i1", "u1", "i2"])), draw(st.integers(0, 9))
    scale = Scale(1 << 30, 30) if mode is PoolingMode.AVERAGE else Scale(draw(st.integers(1, (1 << 31) - 1)), 34)
    return pooling(
        mode,
        feature_map((rows, columns, depth), dtype, zero_point=zero_point),
        feature_map((height, width, depth), dtype, OFM, zero_point=3),
        kernel=k,
        padding=Padding(top, left, 0, 0),
        scale=scale,
        rounding=Rounding.NATURAL,
    )


@settings(deadline=None, max_examples=100)
@given(windows())
def test_windows_are_reduced_without_what_lies_outside(operation: U85PoolingOperation) -> None:
    ifm, k, pad, scale = operation.ifm, operation.kernel, operation.padding, operation.scale
    values = random(ifm.extents, ifm.dtype.str)
    found = run(operation, values)
    x = values.astype(object) - ifm.zero_point
    low, high = np.iinfo(ifm.dtype.str).min, np.iinfo(ifm.dtype.str).max
    for y, left in np.ndindex(*operation.ofm.extents[:2]):
        inside = [
            x[row, column]
            for row in range(y * k.stride_y - pad.top, y * k.stride_y - pad.top + k.height)
            for column in range(left * k.stride_x - pad.left, left * k.stride_x - pad.left + k.width)
            if 0 <= row < x.shape[0] and 0 <= column < x.shape[1]
        ]
        for c in range(operation.ofm.depth):
            window = [int(pixel[c]) for pixel in inside]
            value, multiplier, shift = sum(window), scale.multiplier, scale.shift  # type: ignore[union-attr]
            if operation.mode is PoolingMode.AVERAGE:
                bits = (len(window) - 1).bit_length()
                multiplier = math.ceil((2 ** (30 + bits) + 2**bits) / len(window))
                shift = 30 + bits
            elif operation.mode in (PoolingMode.MAX, PoolingMode.MIN):
                value = max(window) if operation.mode is PoolingMode.MAX else min(window)
            rounded = (value * multiplier + (1 << (shift - 1))) >> shift
            assert found[y, left, c] == min(max(rounded + 3, low), high)


def test_channels_are_summed() -> None:
    values = random((3, 4, 50), "i1")
    operation = pooling(PoolingMode.REDUCE_SUM, feature_map((3, 4, 50)), feature_map((3, 4, 1), "i4", OFM))
    assert (run(operation, values)[:, :, 0] == values.sum(axis=2, dtype=int)).all()


def test_the_first_of_equal_maxima_is_the_one_whose_place_is_given() -> None:
    values = np.array([[3, 9, 9, -1], [5, 5, 5, 5], [-9, -8, -7, -8]], np.int8)[:, :, np.newaxis]
    operation = pooling(
        PoolingMode.ARGMAX_X,
        feature_map((3, 4, 1)),
        feature_map((3, 1, 1), "i4", OFM),
        kernel=kernel(1, 4),
        scale=Scale(1, 16),
        rounding=Rounding.DOWN,
    )
    assert run(operation, values).ravel().tolist() == [1, 0, 2]


def test_accumulators_are_filled_and_scaled() -> None:
    values = random((3, 4, 5), "i4")
    operation = pooling(
        PoolingMode.NONE,
        feature_map((3, 4, 5), "i4"),
        feature_map((3, 4, 5), "i1", OFM),
        scale=Scale(1 << 30, 55),
        rounding=Rounding.NATURAL,
    )
    assert (run(operation, values) == np.clip((values.astype(int) + (1 << 24)) >> 25, -128, 127)).all()


def test_numbers_of_64_bits_go_through_accumulators_of_48() -> None:
    sums = Accumulators(48, Start.IFM2, stored=True, ublock=(1, 2, 16))
    ifm, ofm = feature_map((1, 1, 4), "i8"), feature_map((1, 1, 4), "i8", OFM)
    unclamped = replace(activation("i4"), minimum=-(1 << 63), maximum=(1 << 63) - 1)
    operation = pooling(PoolingMode.NONE, ifm, ofm, accumulators=sums, activation=unclamped)
    values = np.array([[[-(1 << 47), (1 << 47) - 1, -1, 5]]], np.int64)
    assert (run(operation, values) == values).all()
    with pytest.raises(UnsupportedError, match="more than 48 bits"):
        run(operation, values + 1)


def test_an_average_of_single_elements_is_these_elements() -> None:
    for dtype in ("i1", "i2"):
        shape = (3, 4, 5)
        operation = pooling(
            PoolingMode.AVERAGE, feature_map(shape, dtype), feature_map(shape, dtype, OFM), scale=Scale(1 << 9, 9)
        )
        values = random(shape, dtype)
        for rounding in (Rounding.NATURAL, Rounding.DOWN, Rounding.TFL):
            assert (run(replace(operation, rounding=rounding), values) == values).all()


@pytest.mark.parametrize(
    ("mode", "changes"),
    [
        (PoolingMode.AVERAGE, {"scale": Scale(3, 1)}),
        (PoolingMode.SUM, {"scale": None}),
        (PoolingMode.NONE, {"kernel": kernel(2, 1)}),
        (PoolingMode.ARGMAX_X, {"scale": Scale(1, 0)}),
        (PoolingMode.ARGMAX_X, {"scale": Scale(1, 16)}),
        (PoolingMode.ARGMAX_X, {"kernel": kernel(2, 1)}),
    ],
)
def test_combinations_that_were_never_seen_are_refused(mode: PoolingMode, changes: dict[str, object]) -> None:
    operation = pooling(mode, feature_map((2, 1, 4)), feature_map((1, 1, 4), "i1", OFM), **changes)
    with pytest.raises(UnsupportedError):
        run(operation, np.zeros((2, 1, 4), np.int8))

"""Elementwise operations of Ethos-U85 against integers of any size, one element at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.npu import Architecture, UnsupportedError
from deploy.npu.execution.feature_maps import read, write
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.u85_elementwise import elementwise
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.elementwise import ElementwiseMode as Mode
from deploy.npu.stream.operations import Rounding, Scale
from deploy.npu.stream.u85_registers import OperandScale

from .. import u85_builders
from ..builders import feature_map

U85 = Architecture("U85", 256)
SHAPE = (3, 5, 7)
IFM2, OFM = 1 << 12, 1 << 13


def run(
    mode: Mode,
    a: np.ndarray,
    b: np.ndarray | None,
    ofm: str = "i1",
    zero_points: tuple[int, int] = (0, 0),
    **how: Any,
) -> np.ndarray:
    """The operation on ``(height, width, depth)`` arrays, of which the second broadcasts."""
    memory = Memory({1: np.zeros(1 << 14, np.uint8)}, U85.design)
    ifm = feature_map(a.shape, a.dtype.str[1:], zero_point=zero_points[0])
    ifm2 = None if b is None else feature_map(b.shape, b.dtype.str[1:], IFM2, zero_point=zero_points[1])
    write(memory, ifm, a[np.newaxis])
    if ifm2 is not None and b is not None:
        write(memory, ifm2, b[np.newaxis])
    operation = u85_builders.elementwise(mode, ifm, feature_map(a.shape, ofm, OFM), ifm2, **how)
    elementwise(operation, Workspace(memory))
    return read(memory, operation.ofm)[0]


def random(dtype: str, seed: int = 0, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    limits = np.iinfo(np.dtype(dtype))
    return np.random.default_rng(seed).integers(limits.min, limits.max + 1, shape).astype(dtype)


def scaled(value: int, scale: OperandScale) -> int:
    """As TFLite's kernels: shifted to the left by ``widened`` bits, times a multiplier of 31, rounded twice."""
    product = value * scale.multiplier
    if scale.shift == 0:
        return product
    addend = 1 << (scale.shift - 1)
    if scale.rounding is Rounding.TFL and scale.shift > 31 - scale.widened:
        addend += (1 if value >= 0 else -1) << (30 - scale.widened)
    return (product + addend) >> scale.shift


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([Mode.ADD, Mode.SUB, Mode.MIN, Mode.MAX]),
    st.sampled_from(["i1", "u1", "i2"]),
    st.integers(0, 1 << 16),
    st.lists(st.tuples(st.integers(1 << 29, (1 << 31) - 1), st.integers(8, 40)), min_size=3, max_size=3),
)
def test_operands_are_scaled_then_the_result(
    mode: Mode, dtype: str, seed: int, scales: list[tuple[int, int]]
) -> None:
    a, b = random(dtype, seed), random(dtype, seed + 1, (1, 5, 1))
    widened = 15 if dtype == "i2" else 20
    first, second = (OperandScale(m, s, Rounding.TFL, widened) for m, s in scales[:2])
    ofm_scale = Scale(scales[2][0], 45)
    zero = 0 if dtype == "i2" else 5
    how = {"ifm_scale": first, "ifm2_scale": second, "scale": ofm_scale, "rounding": Rounding.NATURAL}
    found = run(mode, a, b, "i2", (zero, zero), **how)
    function = {Mode.ADD: int.__add__, Mode.SUB: int.__sub__, Mode.MIN: min, Mode.MAX: max}[mode]
    for y, x, c in np.ndindex(*SHAPE):
        left, right = scaled(int(a[y, x, c]) - zero, first), scaled(int(b[0, x, 0]) - zero, second)
        value = (function(left, right) * ofm_scale.multiplier + (1 << 44)) >> 45
        assert found[y, x, c] == min(max(value, -(1 << 15)), (1 << 15) - 1)


def test_the_wide_scale_of_additions_is_that_of_tflites_kernels() -> None:
    """ADD of int8: each operand shifted by 20 bits, multiplied by a 31-bit fraction, rounded twice."""
    multiplier, right = 1_518_500_250, 3
    a = np.arange(-128, 127, dtype=np.int8).reshape(1, 15, 17)
    scale = OperandScale(multiplier, 31 + right - 20, Rounding.TFL, 20)
    found = run(Mode.ADD, a, np.zeros((1, 1, 1), np.int8), "i4", ifm_scale=scale)
    for value, result in zip(a.ravel().tolist(), found.ravel().tolist(), strict=True):
        high = ((value << 20) * multiplier + (1 << 30)) >> 31
        rest, half = high & ((1 << right) - 1), (1 << (right - 1)) - 1 + (high < 0)
        assert result == (high >> right) + (rest > half)


@pytest.mark.parametrize("swapped", [False, True])
def test_the_order_of_operands_with_a_scalar_is_kept(swapped: bool) -> None:
    a = random("i1")
    found = run(Mode.SUB, a, None, "i2", scalar=100, reversed_operands=swapped)
    assert (found == (100 - a.astype(int) if swapped else a.astype(int) - 100)).all()


def test_a_product_of_32_bits_takes_the_shift_alone() -> None:
    a, b = np.full(SHAPE, 1 << 30, np.int32), np.full(SHAPE, 3, np.int32)
    found = run(Mode.MUL, a, b, "i4", scale=Scale(77, 31), rounding=Rounding.NATURAL)
    assert (found == 2).all()


@pytest.mark.parametrize("dtype", ["i1", "i2"])
def test_leaky_relu_has_a_scale_for_each_sign(dtype: str) -> None:
    a = random(dtype)
    scales = {"ifm_scale": OperandScale(3, 1, Rounding.TFL, 0), "ifm2_scale": OperandScale(5, 3, Rounding.TFL, 0)}
    found = run(Mode.LRELU, a, None, "i4", **scales)
    wide = a.astype(np.int64)
    assert (found == np.where(wide >= 0, (wide * 3 + 1) >> 1, (wide * 5 + 4) >> 3)).all()


def test_magnitude_and_leading_zeros() -> None:
    a = random("i1")
    assert (run(Mode.ABS, a, None, "i2") == np.abs(a.astype(int))).all()
    words = np.array([0, 1, 255, 1 << 30, -1], np.int32).reshape(1, 1, 5)
    assert run(Mode.CLZ, words, None, "i4").ravel().tolist() == [32, 31, 24, 1, 0]


def test_shifts() -> None:
    a = np.array([5, -5, 6, 1 << 30], np.int32).reshape(1, 1, 4)
    by = np.array([1, 1, 2, 2], np.int32).reshape(1, 1, 4)
    assert run(Mode.SHR, a, by, "i4").ravel().tolist() == [2, -3, 1, 1 << 28]
    assert run(Mode.SHR, a, by, "i4", rounding=Rounding.NATURAL).ravel().tolist() == [3, -2, 2, 1 << 28]
    assert run(Mode.SHL, a, by, "i4").ravel().tolist() == [10, -10, 24, 0]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (Mode.CMP_EQ, [0, -1, 0]),
        (Mode.CMP_NE, [-1, 0, -1]),
        (Mode.CMP_GE, [0, -1, -1]),
        (Mode.CMP_GT, [0, 0, -1]),
        (Mode.AND, [0b1000, 5, 0b10]),
        (Mode.OR, [0b1110, 5, 0b1111]),
        (Mode.AND_NOT, [0b0010, 0, 0b1100]),
    ],
)
def test_comparisons_give_all_ones_and_bits_are_bits(mode: Mode, expected: list[int]) -> None:
    a = np.array([0b1010, 5, 0b1110], np.int8).reshape(1, 1, 3)
    b = np.array([0b1100, 5, 0b0011], np.int8).reshape(1, 1, 3)
    assert run(mode, a, b).ravel().tolist() == expected
    assert run(Mode.NOT, a, None).ravel().tolist() == [-11, -6, -15]


def test_a_large_map_of_bytes_goes_through_a_table_of_pairs_with_the_same_result() -> None:
    shape = (16, 16, 32)
    a, b = random("i1", 3, shape), random("i1", 4, shape)
    scale = OperandScale(1 << 30, 29, Rounding.TFL, 0)
    how = {"ifm_scale": scale, "scale": Scale(1 << 30, 32), "rounding": Rounding.NATURAL}
    memory = Memory({1: np.zeros(1 << 16, np.uint8)}, U85.design)
    ifm, ifm2, ofm = (feature_map(shape, "i1", 1 << 13 << place) for place in range(3))
    write(memory, ifm, a[np.newaxis])
    write(memory, ifm2, b[np.newaxis])
    elementwise(u85_builders.elementwise(Mode.ADD, ifm, ofm, ifm2, **how), Workspace(memory))
    total = 2 * a.astype(int) + b
    assert (read(memory, ofm)[0] == np.clip((total + 2) >> 2, -128, 127)).all()


def test_a_division_is_refused() -> None:
    a = np.ones(SHAPE, np.int8)
    with pytest.raises(UnsupportedError, match="mode=DIV"):
        run(Mode.DIV, a, a)


def test_an_operand_of_32_bits_with_a_scale_is_refused() -> None:
    a = np.zeros(SHAPE, np.int32)
    with pytest.raises(UnsupportedError, match="32 bits with a scale"):
        run(Mode.ADD, a, a, "i4", ifm_scale=OperandScale(2, 0, Rounding.TFL, 0))

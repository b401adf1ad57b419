import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.npu import Architecture
from deploy.npu.execution.feature_maps import read, write
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.u55_elementwise import elementwise
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.elementwise import ElementwiseMode as Mode
from deploy.npu.stream.operations import Rounding, Scale
from deploy.npu.stream.u55_operations import OperandScaling

from .. import builders
from ..builders import feature_map

U55 = Architecture("U55", 256)
SECOND, OFM = 4000, 8000


def computed(mode: Mode, a: np.ndarray, b: np.ndarray | None = None, dtype: str = "i1", ofm: str = "", **changes):
    """Run one operation on arrays ``(height, width, depth)``; the second one may be broadcast."""
    memory = Memory({1: np.zeros(16000, np.uint8)}, U55.design)
    ifm = feature_map(a.shape, dtype, zero_point=changes.pop("zero_point", 0))
    write(memory, ifm, a[None].astype(ifm.dtype))
    ifm2 = None
    if b is not None:
        ifm2 = feature_map(b.shape, dtype, SECOND, zero_point=changes.pop("zero_point2", 0))
        write(memory, ifm2, b[None].astype(ifm2.dtype))
    result = feature_map(a.shape, ofm or dtype, OFM, zero_point=changes.pop("ofm_zero_point", 0))
    elementwise(builders.elementwise(mode, ifm, result, ifm2, **changes), Workspace(memory))
    return read(memory, result)[0]


def row(*values: int) -> np.ndarray:
    return np.array(values).reshape(1, 1, -1)


def test_a_product_is_scaled_and_clamped() -> None:
    found = computed(
        Mode.MUL, row(-128, 2, 100), row(100, 3, 90), zero_point=-1, zero_point2=10, ofm_zero_point=5,
        scale=Scale(1 << 30, 34),
    )  # fmt: skip
    # (a + 1) * (b - 10) / 16 + 5, halves away from zero
    assert found.ravel().tolist() == [-128, 4, 127]


def test_a_product_of_32_bits_uses_the_shift_alone() -> None:
    a, b = row(-(2**31), 3, 2**20), row(-(2**31), 5, 2**20)
    found = computed(Mode.MUL, a, b, "i4", scale=Scale(12345, 31))
    assert found.ravel().tolist() == [2**31 - 1, 0, 2**9]


def test_both_operands_are_multiplied_in_16_bit_mode() -> None:
    found = computed(
        Mode.SUB, row(10, -7), row(4, 5), ofm="i4", operand_a=Scale(3, 0), operand_b=2, scale=Scale(1, 0)
    )
    assert found.ravel().tolist() == [22, -31]
    turned = computed(
        Mode.SUB, row(10, -7), row(4, 5), ofm="i4", operand_a=Scale(3, 0), operand_b=2, scale=Scale(1, 0),
        reversed_operands=True,
    )  # fmt: skip
    assert turned.ravel().tolist() == [-8, 29]


@pytest.mark.parametrize(("dtype", "left"), [("i1", 19), ("i2", 14)])
def test_one_operand_is_scaled_with_32_bits_and_the_other_shifted(dtype: str, left: int) -> None:
    scale = Scale(1 << 30, 31 - left)
    for mode, expected in ((OperandScaling.A_32, 1), (OperandScaling.B_32, -1)):
        found = computed(
            Mode.SUB, row(9), row(9), dtype, ofm="i4", operand_scaling=mode, operand_a=scale, scale=Scale(1, 0)
        )
        scaled = (9 << 30) >> (31 - left)
        assert found.ravel().tolist() == [expected * (scaled - (9 << left))]


def test_32_bits_add_without_operand_scales_and_saturate() -> None:
    found = computed(Mode.ADD, row(2**31 - 1, 5), row(1, -7), "i4", operand_a=Scale(9, 0), operand_b=9)
    assert found.ravel().tolist() == [2**31 - 1, -2]


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 31))
@settings(deadline=None, max_examples=60)
def test_shifts_round_as_the_mode_says(value: int, amount: int) -> None:
    half = (1 << amount) >> 1
    found = computed(Mode.SHR, row(value), row(amount), "i4", rounding=Rounding.NATURAL)
    assert found.item() == (value + half) >> amount
    left = computed(Mode.SHL, row(value), row(amount), "i4").item()
    assert left == min(max(value << amount, -(2**31)), 2**31 - 1)


@given(st.integers(-(2**31), 2**31 - 1))
@settings(deadline=None, max_examples=60)
def test_leading_zeros_are_counted(value: int) -> None:
    assert computed(Mode.CLZ, row(value), dtype="i4").item() == 32 - (value % 2**32).bit_length()


def test_minimum_and_maximum_are_not_scaled() -> None:
    assert computed(Mode.MIN, row(1, -5), row(-2, 4)).ravel().tolist() == [-2, -5]
    assert computed(Mode.MAX, row(1, -5), row(-2, 4)).ravel().tolist() == [1, 4]


def test_leaky_relu_scales_negative_numbers_alone() -> None:
    found = computed(Mode.LRELU, row(-100, 60), scale=Scale(1 << 30, 32), ofm_zero_point=1)
    assert found.ravel().tolist() == [-24, 61]


def test_the_magnitude_is_scaled() -> None:
    assert computed(Mode.ABS, row(-128, 60), scale=Scale(1 << 30, 31)).ravel().tolist() == [64, 30]


@pytest.mark.parametrize("shape", [(1, 4, 6), (3, 1, 6), (3, 4, 1), (1, 1, 6), (1, 1, 1)])
@pytest.mark.parametrize("turned", [False, True])
def test_the_second_operand_is_broadcast(shape: tuple[int, int, int], turned: bool) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(-60, 60, (3, 4, 6)), rng.integers(-60, 60, shape)
    found = computed(Mode.SUB, a, b, reversed_operands=turned)
    assert (found == (b - a if turned else a - b)).all()


def test_a_scalar_takes_the_place_of_the_second_operand() -> None:
    assert computed(Mode.ADD, row(1, 2), scalar=-5).ravel().tolist() == [-4, -3]


def test_results_may_replace_their_operand_in_place() -> None:
    memory = Memory({1: np.zeros((2, 300_000), np.uint8)}, U55.design)
    ifm = feature_map((100, 100, 20))
    values = np.random.default_rng(0).integers(-60, 60, (2, 100, 100, 20)).astype(np.int8)
    write(memory, ifm, values)
    elementwise(builders.elementwise(Mode.ADD, ifm, ifm, ifm), Workspace(memory))
    assert (read(memory, ifm) == 2 * values).all()

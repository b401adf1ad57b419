import numpy as np
import pytest

from deploy.npu import Architecture, StreamError, UnsupportedError
from deploy.npu.execution.activation import finish, sigmoid, tanh
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import Function

from ..builders import activation, convolution, feature_map

U55 = Architecture("U55", 64)


def finished(values: list[int], dtype: str, memory: Memory | None = None, zero_point: int = 0, **act: object):
    operation = convolution(
        feature_map((1, 1, 1)),
        feature_map((1, 1, 1), dtype, zero_point=zero_point),
        activation=activation(dtype, **act),
    )
    return finish(np.array(values, np.int64), operation, memory or Memory({}, U55.design))


def memory_with_table(table: np.ndarray, slot: int) -> Memory:
    memory = Memory({}, U55.design)
    raw = np.ascontiguousarray(table).view(np.uint8).ravel()
    memory.bytes(None, U55.design.table_address + 256 * slot, raw.size)[...] = raw
    return memory


def test_the_zero_point_is_added_before_the_clamp() -> None:
    assert finished([-20, 0, 5, 300], "i1", zero_point=3, minimum=-4, maximum=100).tolist() == [-4, 3, 8, 100]


def test_a_clamp_wider_than_the_type_saturates() -> None:
    assert finished([-900, 900], "u1", minimum=-500, maximum=500).tolist() == [0, 255]
    assert finished([0], "i1", minimum=-900, maximum=-800).tolist() == [-128]


def test_32_bits_ignore_zero_point_and_clamp_and_saturate() -> None:
    values = [2**31, -(2**31) - 1, 7]
    assert finished(values, "i4", zero_point=9, minimum=0, maximum=1).tolist() == [2**31 - 1, -(2**31), 7]


def test_an_8_bit_table_is_indexed_from_the_lowest_value() -> None:
    table = np.random.default_rng(0).integers(-128, 128, 256).astype(np.int8)
    memory = memory_with_table(table, 3)
    found = finished([-500, -128, 0, 127], "i1", memory, function=Function.LUT, slot=3)
    assert found.tolist() == table[[0, 0, 128, 255]].tolist()
    unsigned = finished([-5, 0, 255], "u1", memory, function=Function.LUT, slot=3)
    assert unsigned.view(np.int8).tolist() == table[[0, 0, 255]].tolist()


def test_a_32_bit_table_takes_an_index_of_8_bits() -> None:
    table = np.arange(256, dtype=np.int32) * -1000
    found = finished([-128, 1], "i4", memory_with_table(table, 4), function=Function.LUT, slot=4,
                     minimum=-128, maximum=127, index_dtype=np.dtype("i1"))  # fmt: skip
    assert found.tolist() == [0, -129000]


def test_a_16_bit_table_is_interpolated() -> None:
    table = np.zeros((512, 2), "<i2")
    table[256] = [100, 256]
    table[255] = [-100, 128]
    found = finished([0, 1, 64, 127, -1], "i2", memory_with_table(table, 0), function=Function.LUT,
                     index_dtype=np.dtype("<i2"))  # fmt: skip
    assert found.tolist() == [100, 102, 228, 354, 27]


def test_a_table_that_leaves_its_area_is_refused() -> None:
    with pytest.raises(StreamError, match="slot"):
        finished([0], "i2", function=Function.LUT, slot=1, index_dtype=np.dtype("<i2"))


@pytest.mark.parametrize(("dtype", "index"), [("i2", "i1"), ("i1", "<i2"), ("i4", "<i4")])
def test_tables_with_an_index_of_another_size_are_refused(dtype: str, index: str) -> None:
    with pytest.raises(UnsupportedError, match="index"):
        finished([0], dtype, function=Function.LUT, index_dtype=np.dtype(index))


@pytest.mark.parametrize("function", [Function.TANH, Function.SIGMOID])
def test_curves_are_refused_for_other_types_than_16_bits(function: Function) -> None:
    with pytest.raises(UnsupportedError, match=function.name):
        finished([0], "i1", function=function)


def test_the_curves_are_close_to_the_functions_and_symmetric() -> None:
    x = np.arange(-(2**17), 2**17, 37)
    real = x / (3 * 4096)
    assert np.abs(tanh(x) / 32768 - np.tanh(real)).max() < 2e-4
    assert np.abs(sigmoid(x) / 32768 - 1 / (1 + np.exp(-real))).max() < 2e-4
    assert (np.diff(tanh(x)) >= 0).all()
    assert (np.diff(sigmoid(x)) >= 0).all()


def test_far_out_the_curves_are_flat() -> None:
    far = np.array([10**6, -(10**6), 2**40, -(2**63)], np.int64)
    assert tanh(far).tolist() == [32767, -32767, 32767, -32767]
    assert sigmoid(far).tolist() == [32767, 1, 32767, 1]

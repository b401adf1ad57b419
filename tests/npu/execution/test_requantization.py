import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.npu import Architecture
from deploy.npu.execution.activation import finish
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.requantization import Requantizer
from deploy.npu.execution.scaling import rescale
from deploy.npu.stream.operations import Function, Rounding
from deploy.npu.weights.unpacked import ChannelScales

from ..builders import activation, convolution, feature_map

U55 = Architecture("U55", 128)


@settings(deadline=None, max_examples=200)
@given(
    seed=st.integers(0, 2**32),
    channels=st.integers(1, 70),
    dtype=st.sampled_from(["i1", "u1", "i2", "i4"]),
    rounding=st.sampled_from([Rounding.TFL, Rounding.NATURAL]),
    shift=st.integers(20, 50),
    magnitude=st.integers(0, 23),
    clamp=st.tuples(st.integers(-300, 300), st.integers(0, 300)),
)
def test_the_fast_path_equals_integers(
    seed: int,
    channels: int,
    dtype: str,
    rounding: Rounding,
    shift: int,
    magnitude: int,
    clamp: tuple[int, int],
) -> None:
    rng = np.random.default_rng(seed)
    pixels = int(rng.integers(1, 300))
    operation = convolution(
        feature_map((1, pixels, 1)),
        feature_map((1, pixels, channels), dtype, zero_point=int(rng.integers(-128, 128))),
        rounding=rounding,
        activation=activation(dtype, minimum=clamp[0], maximum=clamp[0] + clamp[1])
        if rng.random() < 0.5
        else activation(dtype),
    )
    scales = ChannelScales(
        rng.integers(-(2 ** (magnitude - 1)) if magnitude else 0, 2**magnitude // 2 + 1, channels),
        rng.integers(2**30, 2**31, channels),
        np.clip(rng.integers(shift - 2, shift + 3, channels), 0, 63),
    )
    sums = rng.integers(-(2**magnitude) // 2, 2**magnitude // 2 + 1, (pixels, channels))
    float_type = np.float32 if rng.random() < 0.5 and magnitude < 23 else np.float64
    memory = Memory({}, U55.design)
    largest = int(np.abs(sums + scales.bias).max()) if rng.random() < 0.5 else None
    requantize = Requantizer(operation, scales, np.dtype(float_type), largest)
    fast = requantize(sums.astype(float_type), memory)
    exact = rescale(sums + scales.bias, scales.multiplier, scales.shift, rounding)
    assert fast.dtype == operation.ofm.dtype
    assert (fast == finish(exact, operation, memory)).all()


def test_ties_and_their_neighbours_are_exact() -> None:
    # Multiples of one half, and the values that the first of the two roundings pushes onto one.
    operation = convolution(feature_map((1, 1, 1)), feature_map((1, 1, 1)))
    shift = 38
    scales = ChannelScales(np.array([0]), np.array([1 << 30]), np.array([shift]))
    halves = np.arange(-200, 200)[:, None] * (1 << (shift - 31))
    sums = (halves + np.arange(-3, 4)).reshape(-1, 1)
    memory = Memory({}, U55.design)
    fast = Requantizer(operation, scales, np.dtype(np.float32))(sums.astype(np.float32), memory)
    exact = rescale(sums, scales.multiplier, scales.shift, Rounding.TFL)
    assert (fast == finish(exact, operation, memory)).all()


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4"])
def test_tables_take_the_exact_path(dtype: str) -> None:
    index = np.dtype("<i2" if dtype == "i2" else "i1")
    operation = convolution(
        feature_map((1, 4, 1)),
        feature_map((1, 4, 1), dtype),
        activation=activation(dtype, function=Function.LUT, index_dtype=index),
    )
    memory = Memory({}, U55.design)
    table = memory.bytes(None, U55.design.table_address, 2048)
    table[...] = np.random.default_rng(0).integers(0, 256, 2048)
    scales = ChannelScales(np.array([1]), np.array([1 << 30]), np.array([30]))
    sums = np.array([[-5], [0], [3], [100]], np.int64)
    fast = Requantizer(operation, scales, np.dtype(np.float32))(sums.astype(np.float32), memory)
    assert (fast == finish(sums + 1, operation, memory)).all()

"""Convolutions of Ethos-U85: sums kept between operations, and weights that are a feature map."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.npu import Architecture, StreamError, UnsupportedError
from deploy.npu.execution.feature_maps import read, write
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.u85_convolution import convolve_u85
from deploy.npu.execution.u85_pooling import pool
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.operations import AddressRange, Padding, Rounding, Scale
from deploy.npu.stream.pooling import PoolingMode
from deploy.npu.stream.u85_operations import U85ConvolutionOperation
from deploy.npu.stream.u85_registers import Accumulators, Start
from deploy.npu.weights.u85_layout import unpack

from ..builders import feature_map, kernel
from ..u85_builders import convolution, pooling

U85 = Architecture("U85", 256)
SHAPE, DEPTH = (4, 5, 8), 8
OFM, IFM2 = 1 << 12, 1 << 13
FAST, RECORDS = 0, 1 << 12
convolve = partial(convolve_u85, unpack=unpack)


def stream(weights: NDArray[np.int8]) -> bytes:
    """A 1x1 convolution's weights ``(8, 8)`` as a fast stream without a palette: one ublock, one IFM block."""
    values = np.zeros((16, 64), np.int8)
    values[:DEPTH, :DEPTH] = weights
    # Depth-first with 16 output channels on 256 MACs: blocks of 32 input channels, eight at a time.
    ordered = values[:, :32].reshape(16, 4, 8).transpose(1, 0, 2)
    return (1).to_bytes(32, "little") + ordered.tobytes()


def records(bias: Sequence[int]) -> bytes:
    """Scale records: no scaling."""
    return b"".join(
        value.to_bytes(4, "little", signed=True) + (1).to_bytes(4, "little") + bytes(2) for value in bias
    )


def memory_of(weights: NDArray[np.int8], bias: Sequence[int], ifm: NDArray[np.int8]) -> Memory:
    constants = bytearray(1 << 13)
    content = stream(weights)
    constants[FAST : FAST + len(content)] = content
    constants[RECORDS : RECORDS + 10 * DEPTH] = records(bias)
    memory = Memory({0: np.frombuffer(bytes(constants), np.uint8), 1: np.zeros(1 << 14, np.uint8)}, U85.design)
    write(memory, feature_map(SHAPE), ifm[np.newaxis])
    return memory


def part(start: Start, *, stored: bool, **changes: object) -> U85ConvolutionOperation:
    values = {
        "fast": True,
        "weights": (AddressRange(0, FAST, 32 + 512),),
        "scales": (AddressRange(0, RECORDS, 10 * DEPTH),),
        "block": (4, 5, 16),
        "accumulators": Accumulators(32, start, stored=stored, ublock=(1, 2, 16)),
    }
    return convolution(feature_map(SHAPE), feature_map((*SHAPE[:2], DEPTH), "i4", OFM), **(values | changes))


def random(seed: int, shape: tuple[int, ...]) -> NDArray[np.int8]:
    return np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)


def test_kept_sums_are_added_up_and_the_bias_once() -> None:
    weights, ifm, bias = random(1, (DEPTH, DEPTH)), random(2, SHAPE), [1000 * place - 7 for place in range(DEPTH)]
    workspace = Workspace(memory_of(weights, bias, ifm))
    for start, stored in ((Start.ZERO, False), (Start.KEPT, False), (Start.KEPT, True)):
        operation = part(start, stored=stored)
        convolve(operation, workspace)
    once = ifm.astype(int) @ weights.astype(int).T
    assert (read(workspace.memory, operation.ofm)[0] == 3 * once + bias).all()


def test_an_operation_that_leaves_its_sums_writes_nothing() -> None:
    workspace = Workspace(memory_of(random(1, (DEPTH, DEPTH)), [5] * DEPTH, random(2, SHAPE)))
    convolve(part(Start.ZERO, stored=False), workspace)
    assert not workspace.memory.bytes(1, OFM, 1024).any()


def test_there_must_be_sums_to_go_on_with() -> None:
    workspace = Workspace(memory_of(random(1, (DEPTH, DEPTH)), [5] * DEPTH, random(2, SHAPE)))
    with pytest.raises(StreamError, match="no operation before"):
        convolve(part(Start.KEPT, stored=True), workspace)


@pytest.mark.parametrize("batch", [(1, 1), (3, 1), (1, 3), (3, 3)])
@pytest.mark.parametrize("dtype", ["i1", "i2"])
def test_a_product_of_feature_maps(dtype: str, batch: tuple[int, int]) -> None:
    limits = np.iinfo(np.dtype(dtype))
    rng = np.random.default_rng(3)
    shapes = (SHAPE, (1, 6, 8))
    a, b = (
        rng.integers(limits.min, limits.max + 1, (count, *shape)).astype(dtype)
        for count, shape in zip(batch, shapes, strict=True)
    )
    regions = {number: np.zeros((count, 1 << 12), np.uint8) for number, count in zip((1, 2), batch, strict=True)}
    regions = {number: array if len(array) > 1 else array[0] for number, array in regions.items()}
    memory = Memory(regions | {3: np.zeros((max(batch), 1 << 12), np.uint8)}, U85.design)
    zero = 7 if dtype == "i1" else 0
    ifm = feature_map(SHAPE, dtype, zero_point=zero)
    ifm2 = feature_map(shapes[1], dtype, region=2, zero_point=-zero)
    write(Memory({1: regions[1]}, U85.design), ifm, a)
    write(Memory({2: regions[2]}, U85.design), ifm2, b)
    ofm = feature_map((4, 5, 6), "i4", region=3)
    scale = Scale(1 << 30, 38)
    operation = convolution(ifm, ofm, ifm2=ifm2, weights=(), scales=(), scale=scale, rounding=Rounding.NATURAL)
    convolve(operation, Workspace(memory))
    left, right = a.astype(int) - zero, b.astype(int) + zero
    sums = np.einsum("bhwc,boc->bhwo", left, np.broadcast_to(right[:, 0], (len(right), 6, 8)))
    assert (read(memory, ofm) == (sums + 128) >> 8).all()


def test_a_product_with_a_window_is_refused() -> None:
    ifm, ofm, ifm2 = feature_map(SHAPE), feature_map(SHAPE, "i4", OFM), feature_map((1, 8, 8), "i1", IFM2)
    operation = convolution(
        ifm,
        ofm,
        ifm2=ifm2,
        weights=(),
        scales=(),
        scale=Scale(1, 0),
        kernel=kernel(2),
        padding=Padding(1, 0, 0, 0),
    )
    with pytest.raises(UnsupportedError, match="a kernel that is a feature map"):
        convolve(operation, Workspace(Memory({1: np.zeros(1 << 14, np.uint8)}, U85.design)))


def test_elements_of_32_bits_are_refused() -> None:
    operation = convolution(feature_map(SHAPE, "i4"), feature_map(SHAPE, "i4", OFM))
    with pytest.raises(UnsupportedError, match="32-bit elements"):
        convolve(operation, Workspace(Memory({1: np.zeros(1 << 14, np.uint8)}, U85.design)))


def test_a_product_goes_on_with_the_sums_that_a_pooling_filled_in() -> None:
    memory = Memory({1: np.zeros(1 << 14, np.uint8)}, U85.design)
    bias = np.arange(4 * 5 * 8, dtype=np.int32).reshape(1, *SHAPE) * 1000
    a, b = random(1, SHAPE), random(2, (1, DEPTH, DEPTH))
    ifm, ifm2, sums = (
        feature_map(SHAPE),
        feature_map((1, DEPTH, DEPTH), "i1", IFM2),
        feature_map(SHAPE, "i4", 1024),
    )
    for fm, values in ((ifm, a[np.newaxis]), (ifm2, b[np.newaxis]), (sums, bias)):
        write(memory, fm, values)
    keeping = {"accumulators": Accumulators(32, Start.IFM2, stored=False, ublock=(1, 2, 16))}
    pool(pooling(PoolingMode.NONE, sums, feature_map(SHAPE, "i1", OFM), **keeping), Workspace(memory))
    ofm = feature_map(SHAPE, "i4", OFM)
    for stored in (False, True):
        going_on = Accumulators(32, Start.KEPT, stored=stored, ublock=(1, 2, 16))
        how = {"ifm2": ifm2, "weights": (), "scales": (), "scale": Scale(1, 0), "accumulators": going_on}
        convolve(convolution(ifm, ofm, **how), Workspace(memory))
    once = a.astype(int) @ b[0].astype(int).T
    assert (read(memory, ofm)[0] == bias[0] + 2 * once).all()

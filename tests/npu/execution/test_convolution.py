"""Convolutions against loops in plain Python integers, with weights that Vela's encoder packed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.npu import Architecture, UnsupportedError, WeightCache, WeightStreamError
from deploy.npu.execution.activation import finish
from deploy.npu.execution.convolution import convolve
from deploy.npu.execution.feature_maps import read, write
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.scaling import rescale
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.operations import AddressRange, Padding, Rounding, Upscale
from deploy.npu.weights.u55_layout import unpack

from ..builders import convolution, feature_map, kernel

OFM_ADDRESS = 1 << 16


def packed(
    weights: np.ndarray, operation: ConvolutionOperation, architecture: Architecture, core: int
) -> tuple[bytes, bytes]:
    """Weight stream and scale records of one core."""
    from ethosu import mlw_codec
    from ethosu.vela.api import npu_encode_bias

    cores = operation.cores
    own = weights[core::cores]
    stream, _ = mlw_codec.reorder_encode(
        8,
        architecture.design.ofm_ublock[2],
        own,
        (operation.block[2] + cores - 1 - core) // cores,
        operation.depthwise,
        operation.kernel.part_kernel_first,
        operation.ifm.dtype.itemsize * 8,
        8 // operation.kernel.dilation_y,
        8 // operation.kernel.dilation_x,
    )
    records = b"".join(
        bytes(npu_encode_bias(np.int64(100 * channel - 300), (1 << 30) + channel, 36 + channel % 3))
        for channel in range(core, len(weights), cores)
    )
    return bytes(stream), records


def expected(ifm: np.ndarray, weights: np.ndarray, operation: ConvolutionOperation) -> np.ndarray:
    """Sums and scales, one output at a time, in int64."""
    ofm, k, pad = operation.ofm, operation.kernel, operation.padding
    x = ifm.astype(np.int64) - operation.ifm.zero_point
    if operation.upscale is not Upscale.NONE:
        grown = np.zeros((x.shape[0] * 2, x.shape[1] * 2, x.shape[2]), np.int64)
        grown[::2, ::2] = x
        if operation.upscale is Upscale.NEAREST:
            grown = x.repeat(2, axis=0).repeat(2, axis=1)
        x = grown
    rows = (ofm.height - 1) * k.stride_y + k.extent_y
    columns = (ofm.width - 1) * k.stride_x + k.extent_x
    canvas = np.zeros((rows, columns, x.shape[2]), np.int64)
    inner = canvas[pad.top : rows - pad.bottom, pad.left : columns - pad.right]
    inner[...] = x[: inner.shape[0], : inner.shape[1]]
    sums = np.zeros((ofm.height, ofm.width, ofm.depth), np.int64)
    for y, left in np.ndindex(ofm.height, ofm.width):
        top, start = y * k.stride_y, left * k.stride_x
        window = canvas[top : top + k.extent_y : k.dilation_y, start : start + k.extent_x : k.dilation_x]
        if operation.depthwise:
            sums[y, left] = np.einsum("yxc,cyx->c", window, weights[:, :, :, 0].astype(np.int64))
        else:
            sums[y, left] = np.einsum("yxc,oyxc->o", window, weights.astype(np.int64))
    channels = np.arange(ofm.depth)
    scaled = rescale(sums + 100 * channels - 300, (1 << 30) + channels, 36 + channels % 3, operation.rounding)
    return finish(scaled, operation, Memory({}, Architecture("U55", 128).design))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Architecture, ConvolutionOperation, int]:
    architecture = Architecture(*draw(st.sampled_from([("U55", 32), ("U55", 128), ("U65", 512)])))
    depthwise, bricks = draw(st.booleans()), draw(st.booleans())
    part = not depthwise and draw(st.booleans())
    k = kernel(
        draw(st.integers(1, 4)), draw(st.integers(1, 9)), draw(st.integers(1, 3)), draw(st.integers(1, 2)), part
    )
    height, width = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    ofm_depth = draw(st.integers(1, 40))
    ifm_depth = ofm_depth if depthwise else draw(st.integers(1, 40))
    upscale = draw(st.sampled_from(Upscale))
    rows = (height - 1) * k.stride_y + k.extent_y
    columns = (width - 1) * k.stride_x + k.extent_x
    padding = Padding(draw(st.integers(0, min(2, rows - 1))), draw(st.integers(0, min(2, columns - 1))), 0, 0)
    rows, columns = rows - padding.top, columns - padding.left
    if upscale is not Upscale.NONE:
        rows, columns = (rows + 1) // 2, (columns + 1) // 2
    bits = draw(st.sampled_from(["i1", "u1", "i2"]))
    ofm_type = draw(st.sampled_from(["i1", "u1", "i2", "i4"]))
    limits = np.iinfo(bits)
    zero_point = 0 if bits == "i2" else draw(st.integers(int(limits.min), int(limits.max)))
    operation = convolution(
        feature_map((rows, columns, ifm_depth), bits, zero_point=zero_point, bricks=bricks),
        feature_map((height, width, ofm_depth), ofm_type, OFM_ADDRESS, draw(st.integers(-9, 9)), bricks),
        kernel=k,
        padding=padding,
        upscale=upscale,
        depthwise=depthwise,
        rounding=draw(st.sampled_from([Rounding.TFL, Rounding.NATURAL])),
        block=(8, 8, draw(st.sampled_from([16, 32]))),
        cores=architecture.design.cores,
    )
    return architecture, operation, draw(st.integers(0, 2**32))


def place(
    operation: ConvolutionOperation, architecture: Architecture, weights: np.ndarray
) -> tuple[Any, np.ndarray]:
    """The operation with its streams, and the region that holds them."""
    region = b""
    ranges: list[list[AddressRange]] = [[], []]
    for core in range(min(operation.cores, operation.ofm.depth)):
        for kind, data in enumerate(packed(weights, operation, architecture, core)):
            ranges[kind].append(AddressRange(0, len(region), len(data)))
            region += data
    changes = {"weights": tuple(ranges[0]), "scales": tuple(ranges[1])}
    values = {name: getattr(operation, name) for name in operation.__dataclass_fields__}
    return type(operation)(**(values | changes)), np.frombuffer(region, np.uint8)


@settings(deadline=None, max_examples=120)
@given(cases())
def test_convolutions_equal_plain_integer_loops(case: tuple[Architecture, ConvolutionOperation, int]) -> None:
    architecture, operation, seed = case
    rng = np.random.default_rng(seed)
    shape = (
        operation.ofm.depth,
        operation.kernel.height,
        operation.kernel.width,
        1 if operation.depthwise else operation.ifm.depth,
    )
    weights = rng.integers(-128, 128, shape).astype(np.int16)
    operation, constants = place(operation, architecture, weights)
    memory = Memory({0: constants, 1: np.zeros((2, 1 << 17), np.uint8)}, architecture.design)
    limits = np.iinfo(operation.ifm.dtype.str)
    ifm = operation.ifm
    values = rng.integers(limits.min, limits.max + 1, (2, ifm.height, ifm.width, ifm.depth)).astype(ifm.dtype)
    write(memory, ifm, values)
    convolve(operation, Workspace(memory), unpack=unpack)
    found = read(memory, operation.ofm)
    for item in range(2):
        assert (found[item] == expected(values[item], weights, operation)).all()


def plain_case() -> tuple[ConvolutionOperation, np.ndarray]:
    operation = convolution(feature_map((2, 2, 8)), feature_map((2, 2, 8), address=OFM_ADDRESS))
    weights = np.random.default_rng(0).integers(-128, 128, (8, 1, 1, 8)).astype(np.int16)
    return place(operation, Architecture("U55", 128), weights)


def test_changed_memory_is_not_answered_from_the_cache() -> None:
    architecture, cache = Architecture("U55", 128), WeightCache()
    operation, constants = plain_case()
    constants = constants.copy()
    results = []
    for _ in range(2):
        memory = Memory({0: constants, 1: np.ones(1 << 17, np.uint8)}, architecture.design)
        convolve(operation, Workspace(memory, cache), unpack=unpack)
        results.append(read(memory, operation.ofm).copy())
        constants[operation.scales[0].address + 1] ^= 0x40  # bit 14 of the first channel's bias
    assert (results[0][..., 0] != results[1][..., 0]).all()
    assert (results[0][..., 1:] == results[1][..., 1:]).all()


def test_a_truncated_weight_stream_is_refused() -> None:
    operation, constants = plain_case()
    values = {name: getattr(operation, name) for name in operation.__dataclass_fields__}
    short = type(operation)(**(values | {"weights": (AddressRange(0, 0, 16),)}))
    memory = Memory({0: constants, 1: np.zeros(1 << 17, np.uint8)}, Architecture("U55", 128).design)
    with pytest.raises(WeightStreamError):
        convolve(short, Workspace(memory), unpack=unpack)


def test_weights_that_the_stream_cannot_hold_are_refused_before_they_are_decoded() -> None:
    operation = convolution(
        feature_map((1, 1, 60000), stride_x=0),
        feature_map((1, 1, 60000), address=OFM_ADDRESS),
        weights=(AddressRange(0, 0, 64),),
        scales=(AddressRange(0, 0, 64),),
    )
    memory = Memory({0: np.zeros(64, np.uint8), 1: np.zeros(1 << 17, np.uint8)}, Architecture("U55", 128).design)
    with pytest.raises(WeightStreamError, match="64 bytes cannot hold the 3600000000 weights"):
        convolve(operation, Workspace(memory), unpack=unpack)


def test_an_ifm_of_32_bits_is_refused() -> None:
    operation = convolution(feature_map((1, 1, 8), "i4"), feature_map((1, 1, 8)))
    with pytest.raises(UnsupportedError, match="32-bit"):
        convolve(operation, Workspace(Memory({}, Architecture("U55", 128).design)), unpack=unpack)

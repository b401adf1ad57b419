"""Random operations of every kind of Ethos-U55 and U65."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from deploy.npu import Architecture
from deploy.npu.stream.dma import DmaOperation
from deploy.npu.stream.elementwise import ElementwiseMode
from deploy.npu.stream.operations import (
    NO_PADDING,
    Activation,
    AddressRange,
    FeatureMap,
    Function,
    Kernel,
    Operation,
    Padding,
    Rounding,
    Scale,
    Upscale,
)
from deploy.npu.stream.pooling import PoolingMode
from deploy.npu.stream.u55_operations import OperandScaling

from .. import builders

U55 = Architecture("U55", 128)
REGION_BYTES = 1 << 16
STREAM_BYTES = 64
INDICES = 40_000
"""Where in a region there are 16 indices, of 32 bits each, of rows below 20."""
NUMBERS = 49_152
"""Where in a region there are 2048 numbers of 64 bits that fit 48."""


def placed(rng: random.Random, shape: tuple[int, int, int], dtype: str, area: int) -> FeatureMap:
    """A feature map anywhere in a quarter of the region: bricks or not, tiles, gaps, backwards."""
    height, width, depth = shape
    size = np.dtype(dtype).itemsize
    bricks = rng.random() < 0.5
    limits = np.iinfo(dtype)
    zero_point = rng.choice([0, limits.min, limits.max, rng.randint(max(limits.min, -128), min(limits.max, 127))])
    base = builders.feature_map(shape, dtype, 0, max(-(1 << 15), min((1 << 15) - 1, zero_point)), bricks)
    gap = rng.choice([0, 0, size, 3]) if not bricks else 0
    stride_x = base.stride_x + gap
    stride_c = base.stride_c + (rng.choice([0, 0, 16]) if bricks else 0)
    bricks_deep = -(-depth // 16)
    stride_y = bricks_deep * stride_c if bricks else width * stride_x
    stride_y += rng.choice([0, 0, 5])
    span = height * stride_y + 64
    address = area * (REGION_BYTES // 4) + rng.randrange(64)
    bases = [address] * 4
    height0 = height1 = height
    width0 = width
    if rng.random() < 0.3 and 4 * span < REGION_BYTES // 4:
        height0, height1, width0 = rng.randint(1, height), rng.randint(1, height), rng.randint(1, width)
        bases = [address + tile * span for tile in rng.sample(range(4), 4)]
    elif rng.random() < 0.2:
        bases, stride_y = [address + (height - 1) * stride_y] * 4, -stride_y
    return base._replace(
        bases=tuple(bases),
        height0=height0,
        height1=height1,
        width0=width0,
        stride_y=stride_y,
        stride_x=stride_x,
        stride_c=stride_c,
    )


def activation(rng: random.Random, dtype: str) -> Activation:
    size = np.dtype(dtype).itemsize
    low = rng.choice([-(1 << 15), -128, 0, rng.randint(-300, 300)])
    values = {"minimum": low, "maximum": max(low, rng.choice([(1 << 15) - 1, 127, 255, rng.randint(-300, 300)]))}
    function, index = Function.NONE, np.dtype(dtype).newbyteorder("<")
    chance = rng.random()
    if chance < 0.2:
        function = Function.LUT
        index = np.dtype("<i2") if size == 2 else np.dtype(rng.choice(["i1", "u1"]))
    elif chance < 0.35 and dtype == "i2":
        function = rng.choice([Function.TANH, Function.SIGMOID])
    return Activation(function, rng.choice([0, 0, 3]) if size < 2 else 0, index_dtype=index, **values)


def scale(rng: random.Random) -> Scale:
    return Scale(
        rng.randrange(1 << rng.choice([1, 16, 31, 32])), rng.choice([0, 1, 16, 31, 32, 38, rng.randrange(64)])
    )


def output(rng: random.Random, shape: tuple[int, int, int], dtype: str, area: int) -> dict[str, Any]:
    return {
        "ofm": placed(rng, shape, dtype, area),
        "activation": activation(rng, dtype),
        "rounding": rng.choice([Rounding.TFL, Rounding.NATURAL]),
    }


def window(rng: random.Random, most: int = 5) -> tuple[Kernel, Padding, Upscale, tuple[int, int], tuple[int, int]]:
    """Kernel, padding, upscaling, and heights and widths of OFM and IFM that belong to them."""
    while True:
        kernel = Kernel(
            rng.randint(1, 4), rng.randint(1, 4), rng.randint(1, 3), rng.randint(1, 3),
            rng.choice([1, 1, 2]), rng.choice([1, 1, 2]), False,
        )  # fmt: skip
        chance = rng.random()
        if chance < 0.4:
            kernel = replace(kernel, height=1, width=1, stride_y=1, stride_x=1)
        elif chance < 0.43:
            kernel, most = Kernel(17, 17, 1, 1, 1, 1, False), 1  # sums of so many elements need more than 32 bits
        plain = rng.random() < 0.5
        padding = NO_PADDING if plain else Padding(*(rng.randrange(3) for _ in range(4)))
        upscale = rng.choice([Upscale.NONE, Upscale.NONE, Upscale.NEAREST, Upscale.TRANSPOSE])
        height, width = rng.randint(1, most), rng.randint(1, 2 * most)
        rows = (height - 1) * kernel.stride_y + kernel.extent_y - padding.top - padding.bottom
        columns = (width - 1) * kernel.stride_x + kernel.extent_x - padding.left - padding.right
        if rows < 1 or columns < 1:
            continue
        if upscale is not Upscale.NONE:
            rows, columns = (rows + 1) // 2, (columns + 1) // 2
        return kernel, padding, upscale, (height, width), (rows, columns)


def convolution(rng: random.Random) -> Operation:
    kernel, padding, upscale, big, small = window(rng)
    depthwise = rng.random() < 0.4
    depth = rng.choice([1, 3, 16, 17, 40])
    ofm_depth = depth if depthwise else rng.choice([1, 5, 16, 20, 33])
    dtype = rng.choice(["i1", "i1", "u1", "i2", "u2"])
    ofm_dtype = rng.choice(["i1", "i1", "u1", "i2", "i4"])
    out = output(rng, (*big, ofm_depth), ofm_dtype, rng.choice([2, 2, 0]))
    where = rng.randrange(16)
    return builders.convolution(
        placed(rng, (*small, depth), dtype, 0),
        kernel=kernel,
        padding=padding,
        upscale=upscale,
        depthwise=depthwise,
        weights=(AddressRange(0, where, 4000),),
        scales=(AddressRange(0, where + 3, STREAM_BYTES),),
        **out,
    )


def pooling(rng: random.Random) -> Operation:
    kernel, padding, upscale, big, small = window(rng)
    mode = rng.choice([PoolingMode.MAX, PoolingMode.AVERAGE, PoolingMode.AVERAGE, PoolingMode.REDUCE_SUM])
    depth = rng.choice([1, 3, 16, 17, 40])
    if mode is PoolingMode.REDUCE_SUM:
        kernel, padding, upscale = replace(kernel, height=1, width=1), NO_PADDING, Upscale.NONE
        small = ((big[0] - 1) * kernel.stride_y + 1, (big[1] - 1) * kernel.stride_x + 1)
    dtype = rng.choice(["i1", "i1", "u1", "i2", "i4", "u4"])
    out = output(
        rng,
        (*big, 1 if mode is PoolingMode.REDUCE_SUM else depth),
        rng.choice([dtype, "i1", "i2", "i4"]),
        rng.choice([2, 2, 0]),
    )
    divides = mode is PoolingMode.AVERAGE and padding.any
    found = rng.choice([None, Scale(1, 0)]) if divides else scale(rng)
    if mode is PoolingMode.MAX and rng.random() < 0.7:
        found = None
    return builders.pooling(
        mode,
        placed(rng, (*small, depth), dtype, 0),
        kernel=kernel,
        padding=padding,
        upscale=upscale,
        scale=found,
        **out,
    )


_MODES = [mode for mode in ElementwiseMode if mode <= ElementwiseMode.SHL]


def elementwise(rng: random.Random) -> Operation:
    mode = rng.choice(_MODES)
    shape = rng.randint(1, 6), rng.randint(1, 9), rng.choice([1, 3, 16, 17, 40])
    dtype = rng.choice(["i1", "i1", "u1", "i2", "i4", "i4", "u2"])
    ifm2, scalar = None, None
    if not mode.unary:
        if rng.random() < 0.3:
            scalar = rng.randint(-40000, 40000)
        else:
            part = tuple(rng.choice([1, extent]) for extent in shape)
            ifm2 = placed(rng, (part[0], part[1], part[2]), rng.choice([dtype, dtype, "i1"]), 1)
    out = output(rng, shape, rng.choice([dtype, "i1", "i2", "i4"]), rng.choice([2, 2, 0, 1]))
    if rng.random() < 0.2 and out["ofm"].dtype == np.dtype(dtype).newbyteorder("<"):
        ifm = out["ofm"]._replace(zero_point=0)  # in place
    else:
        ifm = placed(rng, shape, dtype, 0)
    return builders.elementwise(
        mode,
        ifm,
        ifm2=ifm2,
        scalar=scalar,
        reversed_operands=rng.random() < 0.4,
        operand_scaling=rng.choice(list(OperandScaling)),
        operand_a=scale(rng),
        operand_b=rng.randrange(1 << 16),
        scale=rng.choice([None, scale(rng)]),
        **out,
    )


def transfer(rng: random.Random) -> Operation:
    length = rng.choice([0, 1, 16, 255, 1000])
    into_table = rng.random() < 0.3
    target = (U55.design.table_address, None) if into_table else (rng.randrange(60000), 1)
    return DmaOperation(
        index=0,
        command="NPU_OP_DMA_START",
        offset=0,
        source_region=0 if into_table else rng.choice([0, 1, None]),
        source=rng.randrange(3000),
        destination_region=target[1],
        destination=target[0],
        length=length,
    )


GENERATORS: dict[str, Callable[[random.Random], Operation]] = {
    "convolution": convolution,
    "pooling": pooling,
    "elementwise": elementwise,
    "transfer": transfer,
}

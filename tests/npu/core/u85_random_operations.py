"""Random operations of every kind of Ethos-U85, and chains of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from deploy.npu import Architecture
from deploy.npu.execution.u85_elementwise import UNKNOWN
from deploy.npu.stream.elementwise import ElementwiseMode
from deploy.npu.stream.operations import (
    NO_PADDING,
    AddressRange,
    FeatureMap,
    Function,
    Operation,
    Rounding,
    Scale,
    Upscale,
)
from deploy.npu.stream.pooling import PoolingMode
from deploy.npu.stream.u85_operations import AxisSampling, ResizeMode, RowsDmaOperation, RowsEnd
from deploy.npu.stream.u85_registers import OperandScale

from .. import u85_builders as builders
from . import random_operations as plain
from .random_operations import STREAM_BYTES, placed, scale, window

U85 = Architecture("U85", 256)
_ROUNDINGS = [Rounding.TFL, Rounding.NATURAL, Rounding.SYMMETRIC, Rounding.DOWN]
_AXES = [(0, 1, 2), (1, 0, 2), (0, 2, 1), (1, 2, 0), (2, 0, 1), (2, 1, 0)]


def output(rng: random.Random, shape: tuple[int, int, int], dtype: str, area: int) -> dict[str, Any]:
    """An OFM that may lie transposed or backwards, and an output stage."""
    found = plain.output(rng, shape, dtype, area)
    chance, axes = rng.random(), (0, 1, 2)
    if chance < 0.3:
        axes = rng.choice(_AXES)
        stored = tuple(shape[axis] for axis in axes)
        found["ofm"] = placed(rng, (stored[0], stored[1], stored[2]), dtype, area)
        found["ofm"] = replace(found["ofm"], height=shape[0], width=shape[1], depth=shape[2], axes=axes)
    elif chance < 0.5:
        found["ofm"] = replace(found["ofm"], reversed_axis=rng.randrange(3))
    function = found["activation"].function
    if function in (Function.TANH, Function.SIGMOID):
        function = rng.choice([Function.TANH_BY_TABLE, Function.SIGMOID_BY_TABLE])
        found["activation"] = replace(found["activation"], function=function)
    found["rounding"] = rng.choice(_ROUNDINGS)
    return found


def convolution(rng: random.Random) -> Operation:
    kernel, padding, upscale, big, small = window(rng)
    depthwise, depth = rng.random() < 0.4, rng.choice([1, 3, 16, 17, 40])
    ofm_depth = depth if depthwise else rng.choice([1, 5, 16, 20, 33])
    return builders.convolution(
        placed(rng, (*small, depth), rng.choice(["i1", "i1", "u1", "i2"]), 0),
        kernel=kernel,
        padding=padding,
        upscale=upscale,
        depthwise=depthwise,
        weights=(AddressRange(0, rng.randrange(16), 4000),),
        scales=(AddressRange(0, rng.randrange(16), STREAM_BYTES),),
        **output(rng, (*big, ofm_depth), rng.choice(["i1", "i1", "u1", "i2", "i4"]), rng.choice([2, 2, 0])),
    )


_POOLINGS = [mode for mode in PoolingMode if mode < PoolingMode.ARGMAX_X]


def pooling(rng: random.Random) -> Operation:
    kernel, padding, upscale, big, small = window(rng)
    mode, depth = rng.choice(_POOLINGS), rng.choice([1, 3, 16, 17, 40])
    if mode in (PoolingMode.REDUCE_SUM, PoolingMode.NONE):
        kernel, padding, upscale = replace(kernel, height=1, width=1), NO_PADDING, Upscale.NONE
        small = ((big[0] - 1) * kernel.stride_y + 1, (big[1] - 1) * kernel.stride_x + 1)
    dtype = rng.choice(["i1", "i1", "u1", "i2", "i4"])
    ofm_depth = 1 if mode is PoolingMode.REDUCE_SUM else depth
    shift = rng.randrange(31)
    return builders.pooling(
        mode,
        placed(rng, (*small, depth), dtype, 0),
        kernel=kernel,
        padding=padding,
        upscale=upscale,
        scale=Scale(1 << shift, shift) if mode is PoolingMode.AVERAGE else scale(rng),
        **output(rng, (*big, ofm_depth), rng.choice([dtype, "i1", "i2", "i4"]), rng.choice([2, 2, 0])),
    )


_MODES = [mode for mode in ElementwiseMode if mode not in UNKNOWN]


def operand_scale(rng: random.Random, dtype: str) -> OperandScale:
    if dtype == "i4" or rng.random() < 0.3:
        return builders.UNIT
    found = scale(rng)
    return OperandScale(
        found.multiplier, found.shift, rng.choice([Rounding.TFL, Rounding.NATURAL]), rng.choice([0, 15, 20])
    )


def elementwise(rng: random.Random) -> Operation:
    mode = rng.choice(_MODES)
    shape = rng.randint(1, 6), rng.randint(1, 9), rng.choice([1, 3, 16, 17, 40])
    dtype = rng.choice(["i1", "i1", "u1", "i2", "i4"])
    ifm2, scalar = None, None

    def part() -> tuple[int, int, int]:
        height, width, depth = (rng.choice([1, extent]) for extent in shape)
        return height, width, depth

    if not mode.unary:
        if rng.random() < 0.3:
            scalar = rng.randint(-40000, 40000)
        else:
            ifm2 = placed(rng, part(), dtype, 1)
    first = shape if ifm2 is None or rng.random() < 0.7 else part()
    return builders.elementwise(
        mode,
        placed(rng, first, dtype, 0),
        ifm2=ifm2,
        scalar=scalar,
        reversed_operands=rng.random() < 0.4,
        ifm_scale=operand_scale(rng, dtype),
        ifm2_scale=operand_scale(rng, dtype),
        scale=rng.choice([None, scale(rng)]),
        **output(rng, shape, rng.choice([dtype, "i1", "i2", "i4"]), rng.choice([2, 2, 0, 1])),
    )


def resize(rng: random.Random) -> Operation:
    depth, dtype = rng.choice([1, 3, 16, 17]), rng.choice(["i1", "u1", "i2"])
    shape = rng.randint(1, 8), rng.randint(1, 8), depth

    def sampling() -> AxisSampling:
        return AxisSampling(rng.randint(1, 8), rng.randint(1, 20), rng.randint(-9, 9))

    out = output(rng, shape, rng.choice([dtype, "i4"]), rng.choice([2, 0]))
    found = builders.resize(
        rng.choice([ResizeMode.BILINEAR, ResizeMode.NEAREST]),
        placed(rng, (rng.randint(1, 6), rng.randint(1, 6), depth), dtype, 0),
        out["ofm"],
        sampling(),
        sampling(),
    )
    return replace(found, scale=Scale(1, rng.choice([16, 18, 22, 0])), **out)


def rows_transfer(rng: random.Random) -> Operation:
    length, rows, planes = rng.randint(1, 40), rng.randint(1, 6), rng.randint(1, 4)

    def end(region: int | None, most: int) -> RowsEnd:
        stride = rng.choice([length, length + 3, 64])
        address = U85.design.table_address if region is None else rng.randrange(most)
        return RowsEnd(region, address, stride, rng.choice([stride * rows, 500]), False)

    into_table = rng.random() < 0.3
    return RowsDmaOperation(
        index=0,
        command="NPU_OP_DMA_START",
        offset=0,
        source=end(0 if into_table else rng.choice([0, 1]), 1500),
        destination=end(None if into_table else 1, 3000),
        length=length,
        rows=1 if into_table else rows,
        planes=1 if into_table else planes,
        indices=None,
        highest_index=0,
        index_skip=0,
    )


def chain(rng: random.Random) -> list[Operation]:
    """A convolution or pooling whose result stays in the NPU, two elementwise operations on it."""
    first: Any = rng.choice([convolution, pooling])(rng)
    dtype = np.dtype(rng.choice(["i1", "i2"])).newbyteorder("<")
    inside = replace(
        first.ofm, region=0, chain=rng.randrange(8), dtype=dtype, zero_point=3, axes=(0, 1, 2), reversed_axis=None,
        bricks=False,
    )  # fmt: skip
    first = replace(first, ofm=inside, activation=plain.activation(rng, dtype.str[1:]))
    if first.activation.function is not Function.NONE:
        first = replace(first, activation=replace(first.activation, function=Function.NONE, index_dtype=dtype))
    shape = inside.extents
    between = replace(inside, chain=rng.randrange(8))
    second = _add(rng, inside, placed(rng, shape, dtype.str[1:], 1), between)
    last = output(rng, shape, "i1", 2)
    third = replace(_add(rng, placed(rng, shape, dtype.str[1:], 1), between, last["ofm"]), **last)
    return [first, second, third]


def _add(rng: random.Random, ifm: FeatureMap, ifm2: FeatureMap, ofm: FeatureMap) -> Any:
    mode = rng.choice([ElementwiseMode.ADD, ElementwiseMode.MUL, ElementwiseMode.MAX])
    return builders.elementwise(mode, ifm, ofm, ifm2, scale=scale(rng))


GENERATORS: dict[str, Callable[[random.Random], Operation | list[Operation]]] = {
    "convolution": convolution,
    "pooling": pooling,
    "elementwise": elementwise,
    "resize": resize,
    "rows transfer": rows_transfer,
    "chain": chain,
}

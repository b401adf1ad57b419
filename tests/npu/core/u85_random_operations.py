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
    Kernel,
    Operation,
    Rounding,
    Scale,
    Upscale,
)
from deploy.npu.stream.pooling import PoolingMode
from deploy.npu.stream.u85_operations import AxisSampling, ResizeMode, RowsDmaOperation, RowsEnd
from deploy.npu.stream.u85_registers import Accumulators, OperandScale, Start

from .. import builders as plain_builders
from .. import u85_builders as builders
from . import random_operations as plain
from .random_operations import INDICES, NUMBERS, STREAM_BYTES, placed, scale, window

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
        found["ofm"] = found["ofm"]._replace(height=shape[0], width=shape[1], depth=shape[2], axes=axes)
    elif chance < 0.5:
        found["ofm"] = found["ofm"]._replace(reversed_axis=rng.randrange(3))
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


def _accumulators(start: Start, *, stored: bool, bits: int = 32) -> Accumulators:
    return replace(builders.ACCUMULATORS, start=start, stored=stored, bits=bits)


def sums(rng: random.Random) -> list[Operation]:
    """Convolutions or products that add up their sums, from nothing or from what a pooling fills in."""
    multiply = rng.random() < 0.5
    first: Any = product(rng) if multiply else convolution(rng)
    found: list[Any] = [_again(rng, first) for _ in range(rng.randint(2, 4))]
    shape = first.ofm.extents
    if rng.random() < 0.5:
        found[0] = _fill(rng, shape)
    if rng.random() < 0.1:
        found[0] = _again(rng, product(rng))  # of another shape
    last = len(found) - 1
    for number, operation in enumerate(found):
        if operation.label == "POOL.NONE":
            continue
        start = Start.ZERO if number == 0 else Start.KEPT
        found[number] = replace(operation, accumulators=_accumulators(start, stored=number == last))
    return found


def _again(rng: random.Random, operation: Any) -> Operation:
    """The same with other elements and weights."""
    ifm = placed(rng, operation.ifm.extents, operation.ifm.dtype.str[1:], 0)
    weights = tuple(part._replace(address=rng.randrange(16)) for part in operation.weights)
    return replace(operation, ifm=ifm, weights=weights)


def _fill(rng: random.Random, shape: tuple[int, int, int]) -> Operation:
    ifm = placed(rng, shape, "i4", 1)._replace(zero_point=0)
    return builders.pooling(
        PoolingMode.NONE,
        rng.choice([ifm, _of_64_bits(rng, shape)]),
        placed(rng, shape, "i1", 2),
        scale=Scale(1, 0),
        accumulators=_accumulators(Start.IFM2, stored=False, bits=48),
    )


def _of_64_bits(rng: random.Random, shape: tuple[int, int, int]) -> FeatureMap:
    """Numbers that fit 48 bits, or, seldom, not."""
    return plain_builders.feature_map(shape, "i8", NUMBERS + 8 * rng.randrange(20) + (rng.random() < 0.03))


def product(rng: random.Random) -> Operation:
    """A convolution whose weights are a feature map."""
    shape, depth = (rng.randint(1, 5), rng.randint(1, 7), rng.choice([1, 5, 16, 33])), rng.choice([1, 3, 16, 40])
    dtype, other = (rng.choice(["i1", "i1", "u1", "i2"]) for _ in range(2))
    return builders.convolution(
        placed(rng, (*shape[:2], depth), dtype, 0),
        ifm2=placed(rng, (1, shape[2], depth), other, 1),
        weights=(),
        scales=(),
        scale=scale(rng),
        **output(rng, shape, rng.choice(["i1", "i1", "u1", "i2", "i4"]), rng.choice([2, 2, 0])),
    )


def argmax(rng: random.Random) -> Operation:
    extent, depth = rng.randint(1, 6), rng.choice([1, 3, 16, 300])
    mode = rng.choice([PoolingMode.ARGMAX_X, PoolingMode.ARGMAX_Y])
    height, width = (1, extent) if mode is PoolingMode.ARGMAX_X else (extent, 1)
    kernel = Kernel(height, width, rng.randint(1, 3), rng.randint(1, 3), 1, 1, False)
    big = rng.randint(1, 4), rng.randint(1, 4)
    small = (big[0] - 1) * kernel.stride_y + height, (big[1] - 1) * kernel.stride_x + width
    found = output(rng, (*big, depth), rng.choice(["i1", "i2", "i4"]), rng.choice([2, 2, 0]))
    return builders.pooling(
        mode,
        placed(rng, (*small, depth), rng.choice(["i1", "u1", "i2"]), 0),
        kernel=kernel,
        scale=Scale(1, 16),
        **(found | {"rounding": Rounding.DOWN}),
    )


def wide(rng: random.Random) -> Operation:
    """A scaling of numbers of 64 bits, or to such."""
    shape = rng.randint(1, 4), rng.randint(1, 6), rng.choice([1, 3, 16, 17])
    dtypes = rng.choice([("i8", "i8"), ("i8", "i4"), ("i8", "i1"), ("i4", "i8")])
    ofm = placed(rng, shape, dtypes[1], 2)
    unclamped = plain.activation(rng, dtypes[1])
    if dtypes[1] == "i8":
        ofm = ofm._replace(zero_point=0)
        unclamped = replace(unclamped, function=Function.NONE, index_dtype=np.dtype("<i8"))
    return builders.pooling(
        PoolingMode.NONE,
        placed(rng, shape, "i4", 0)._replace(zero_point=0) if dtypes[0] == "i4" else _of_64_bits(rng, shape),
        ofm,
        scale=scale(rng),
        rounding=rng.choice(_ROUNDINGS),
        activation=unclamped,
        accumulators=_accumulators(Start.IFM2, stored=True, bits=48),
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


def indexed_transfer(rng: random.Random) -> Operation:
    """Rows that indices name; some of these are random bytes, most of which are no rows."""
    length, rows, planes = rng.randint(1, 40), rng.randint(1, 6), rng.randint(1, 2)
    gathers, into_table, wild = (rng.random() < chance for chance in (0.6, 0.05, 0.05))

    def end(region: int | None, most: int, *, indexed: bool) -> RowsEnd:
        stride = rng.choice([0, 1, length, length + 3]) if indexed else rng.choice([length, length + 3])
        address = U85.design.table_address if region is None else rng.randrange(most)
        return RowsEnd(region, address, stride, rng.choice([stride * rows, 500]), indexed)

    return RowsDmaOperation(
        index=0,
        command="NPU_OP_DMA_START",
        offset=0,
        source=end(rng.choice([0, 1]), 1500, indexed=gathers),
        destination=end(None if into_table and gathers else 1, 3000, indexed=not gathers),
        length=length,
        rows=rows,
        planes=planes,
        indices=AddressRange(1, rng.randrange(4000) if wild else INDICES, 4 * rows * planes),
        highest_index=rng.choice([*(19,) * 8, 10, (1 << 31) - 1]),
        index_skip=rng.choice([0, 0, 4]),
    )


def chain(rng: random.Random) -> list[Operation]:
    """A convolution or pooling whose result stays in the NPU, two elementwise operations on it."""
    first: Any = rng.choice([convolution, pooling])(rng)
    dtype = np.dtype(rng.choice(["i1", "i2"])).newbyteorder("<")
    inside = first.ofm._replace(
        region=0, chain=rng.randrange(8), dtype=dtype, zero_point=3, axes=(0, 1, 2), reversed_axis=None,
        bricks=False,
    )  # fmt: skip
    first = replace(first, ofm=inside, activation=plain.activation(rng, dtype.str[1:]))
    if first.activation.function is not Function.NONE:
        first = replace(first, activation=replace(first.activation, function=Function.NONE, index_dtype=dtype))
    shape = inside.extents
    between = inside._replace(chain=rng.randrange(8))
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
    "indexed transfer": indexed_transfer,
    "sums": sums,
    "product": product,
    "argmax": argmax,
    "wide": wide,
    "chain": chain,
}

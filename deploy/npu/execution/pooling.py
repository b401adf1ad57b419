"""NPU_OP_POOL: windows, parts and tables; how sums are divided is the instruction set's."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.npu.bounds import MAX_TAPS
from deploy.npu.errors import UnsupportedError
from deploy.npu.execution import byte_tables
from deploy.npu.execution.activation import finish
from deploy.npu.execution.feature_maps import read, tiles, write
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.scaling import rescale
from deploy.npu.execution.windows import prepare, slide, window_size
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.operations import Upscale
from deploy.npu.stream.pooling import PoolingMode, PoolingOperation

Divisor = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Multiplier and shift for every position, ``(height, width, 1)`` each."""
EXTREMES = (PoolingMode.MAX, PoolingMode.MIN)


class Reciprocal(NamedTuple):
    """How an NPU's reciprocals of counts are made: of so many bits, rounded up or down."""

    bits: int
    up: bool


def pool(
    operation: PoolingOperation, workspace: Workspace, divisor: Callable[[PoolingOperation], Divisor | None]
) -> None:
    """Execute a pooling operation.

    Maximum and minimum: of ``ifm - zero_point`` without the padding, then the scale, if any. Sums and averages:
    sum times what ``divisor`` gives, or OFM_SCALE where it gives None. REDUCE_SUM: the same, of the channels.
    (Source: measured against LiteRT's reference kernels.)

    Raises:
        MemoryAccessError: a feature map lies outside its region.
        UnsupportedError: a combination that is not modelled.
    """
    check(operation)
    memory = workspace.memory
    if pointwise(operation):
        # A table, a new scale, or a copy to another place: every result depends on one byte.
        ifm = operation.ifm
        every = np.subtract(byte_tables.every_byte(ifm.dtype), ifm.zero_point, dtype=np.int64, casting="unsafe")
        table = finish(_scale(every, None, operation), operation, memory)
        write(memory, operation.ofm, byte_tables.look_up(table.ravel(), read(memory, ifm)))
        return
    extreme = operation.mode in EXTREMES
    values = _extreme(operation, memory) if extreme else _sum(operation, memory)
    # The zero point does not change which element is the largest, so extremes still contain it.
    zero_point = operation.ifm.zero_point if extreme else 0
    divided = None if extreme else divisor(operation)
    result = np.empty(values.shape, operation.ofm.dtype)
    for items, rows in tiles(values.shape):
        part = np.subtract(values[items, rows], zero_point, dtype=np.int64, casting="unsafe")
        by = None if divided is None else (divided[0][rows], divided[1][rows])
        result[items, rows] = finish(_scale(part, by, operation), operation, memory)
    write(memory, operation.ofm, result)


def check(operation: PoolingOperation) -> None:
    """Refuse what is not modelled of any NPU's poolings.

    Raises:
        UnsupportedError: says what.
    """
    kernel = operation.kernel
    if operation.ofm.elements * (kernel.height + kernel.width) > MAX_TAPS:
        raise UnsupportedError("a pooling of this size", parameters={"kernel": kernel})
    if operation.mode in EXTREMES and operation.upscale is Upscale.TRANSPOSE:
        raise UnsupportedError("a maximum or minimum with transpose upscaling")
    if operation.mode is PoolingMode.REDUCE_SUM and (kernel.height, kernel.width) != (1, 1):
        raise UnsupportedError(
            "REDUCE_SUM with a kernel", parameters={"height": kernel.height, "width": kernel.width}
        )


def pointwise(operation: PoolingOperation) -> bool:
    """Whether every element of the OFM is made of one byte, and by OFM_SCALE or none."""
    kernel = operation.kernel
    return (
        operation.ifm.dtype.itemsize == 1
        and (kernel.height, kernel.width, kernel.stride_y, kernel.stride_x) == (1, 1, 1, 1)
        and operation.upscale is Upscale.NONE
        and not operation.padding.any
        and operation.mode is not PoolingMode.REDUCE_SUM
        and (operation.scale is not None or operation.mode in EXTREMES)
    )


def _extreme(operation: PoolingOperation, memory: Memory) -> NDArray[np.generic]:
    """Maxima or minima of the elements as they are, ``(batch, height, width, depth)``."""
    ofm, kernel, dtype = operation.ofm, operation.kernel, operation.ifm.dtype
    limits, largest = np.iinfo(dtype.str), operation.mode is PoolingMode.MAX
    size = window_size(kernel, ofm.height, ofm.width)
    padding, upscale, never = operation.padding, operation.upscale, limits.min if largest else limits.max
    prepared = prepare(read(memory, operation.ifm), 0, upscale, padding, size, dtype, fill=int(never))
    return slide(prepared, kernel, ofm.height, ofm.width, np.maximum if largest else np.minimum)


def _sum(operation: PoolingOperation, memory: Memory) -> NDArray[np.generic]:
    """Sums of elements less the zero point, ``(batch, height, width, depth)``."""
    ofm, kernel = operation.ofm, operation.kernel
    # A sum of 65,536 elements of 8 bits fits 32.
    dtype = np.dtype(np.int32 if operation.ifm.dtype.itemsize == 1 else np.int64)
    prepared = prepare(
        read(memory, operation.ifm),
        operation.ifm.zero_point,
        operation.upscale,
        operation.padding,
        window_size(kernel, ofm.height, ofm.width),
        dtype,
    )
    if operation.mode is PoolingMode.REDUCE_SUM:
        prepared = prepared.sum(axis=3, keepdims=True, dtype=np.int64)
    return slide(prepared, kernel, ofm.height, ofm.width, np.add)


def _scale(values: NDArray[np.int64], divisor: Divisor | None, operation: PoolingOperation) -> NDArray[np.int64]:
    if divisor is not None:
        return rescale(values, *divisor, operation.rounding)
    if operation.scale is None:
        return values
    return rescale(values, operation.scale.multiplier, operation.scale.shift, operation.rounding)


def divisor_of(count: NDArray[np.int64], reciprocal: Reciprocal) -> Divisor:
    """Multiplier and shift that divide by counts.

    k = bit length of count - 1; multiplier ``(2**(bits + k) + 2**k) / count``; shift ``bits + k``.
    (Source: measured; the formula is the one by which Vela makes such scales.)
    """
    safe = np.maximum(count, 1)
    length = np.frexp((safe - 1).astype(np.float64))[1].astype(np.int64)
    one, bits = np.int64(1), reciprocal.bits
    dividend = (one << (bits + length)) + (one << length)
    return (dividend + (safe - 1 if reciprocal.up else 0)) // safe, bits + length

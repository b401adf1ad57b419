"""NPU_OP_POOL: maxima and sums of windows; how sums are divided is the instruction set's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deploy.npu.bounds import MAX_TAPS
from deploy.npu.errors import UnsupportedError
from deploy.npu.execution.activation import finish
from deploy.npu.execution.feature_maps import operand, write
from deploy.npu.execution.scaling import Integers, rescale
from deploy.npu.execution.windows import counts_inside, taps
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.operations import Upscale
from deploy.npu.stream.pooling import PoolingMode, PoolingOperation

EXTREMES = (PoolingMode.MAX, PoolingMode.MIN)


class Reciprocal(NamedTuple):
    """How an NPU's reciprocals of counts are made: of so many bits, rounded up or down."""

    bits: int
    up: bool


def pool(operation: PoolingOperation, workspace: Workspace, reciprocal: Reciprocal | None) -> None:
    """Execute a pooling operation.

    Maximum and minimum: of ``ifm - zero_point`` without the padding, then the scale, if any. Sums and averages:
    sum divided by how many elements of the kernel lie inside the IFM, where there is a reciprocal for that, or
    else times OFM_SCALE. REDUCE_SUM: the same, of the channels.
    (Source: measured against LiteRT's reference kernels.)

    Raises:
        MemoryAccessError: a feature map lies outside its region.
        UnsupportedError: a combination that is not modelled.
    """
    check(operation)
    ifm, scale, rounding = operand(workspace.memory, operation.ifm), operation.scale, operation.rounding
    values = _extreme(operation, ifm) if operation.mode in EXTREMES else _sum(operation, ifm)
    if reciprocal is not None:
        values = rescale(values, *divisor_of(counts_inside(operation), reciprocal), rounding)
    elif scale is not None:
        values = rescale(values, scale.multiplier, scale.shift, rounding)
    write(workspace.memory, operation.ofm, finish(values, operation, workspace.memory))


def check(operation: PoolingOperation) -> None:
    """Refuse what is not modelled of any NPU's poolings.

    Raises:
        UnsupportedError: says what.
    """
    kernel = operation.kernel
    if operation.ofm.elements * kernel.height * kernel.width > MAX_TAPS:
        raise UnsupportedError("a pooling of this size", parameters={"kernel": kernel})
    if operation.mode in EXTREMES and operation.upscale is Upscale.TRANSPOSE:
        raise UnsupportedError("a maximum or minimum with transpose upscaling")
    if operation.mode is PoolingMode.REDUCE_SUM and (kernel.height, kernel.width) != (1, 1):
        raise UnsupportedError(
            "REDUCE_SUM with a kernel", parameters={"height": kernel.height, "width": kernel.width}
        )


def _extreme(operation: PoolingOperation, ifm: Integers) -> Integers:
    """Maxima or minima, ``(batch, height, width, depth)``; nothing is below or above the padding."""
    limits, largest = np.iinfo(operation.ifm.dtype.str), operation.mode is PoolingMode.MAX
    worst = (limits.min if largest else limits.max) - operation.ifm.zero_point
    result = np.full((len(ifm), *operation.ofm.extents), worst, np.int64)
    for _, _, tap in taps(operation, ifm, fill=worst):
        (np.maximum if largest else np.minimum)(result, tap, out=result)
    return result


def _sum(operation: PoolingOperation, ifm: Integers) -> Integers:
    """Sums, ``(batch, height, width, depth)``."""
    if operation.mode is PoolingMode.REDUCE_SUM:
        ifm = ifm.sum(axis=3, keepdims=True)
    result = np.zeros((len(ifm), *operation.ofm.extents), np.int64)
    for _, _, tap in taps(operation, ifm):
        result += tap
    return result


def divisor_of(count: Integers, reciprocal: Reciprocal) -> tuple[Integers, Integers]:
    """Multiplier and shift that divide by counts.

    k = bit length of count - 1; multiplier ``(2**(bits + k) + 2**k) / count``; shift ``bits + k``.
    (Source: measured; the formula is the one by which Vela makes such scales.)
    """
    safe = np.maximum(count, 1)
    length = np.frexp((safe - 1).astype(np.float64))[1].astype(np.int64)
    one, bits = np.int64(1), reciprocal.bits
    dividend = (one << (bits + length)) + (one << length)
    return (dividend + (safe - 1 if reciprocal.up else 0)) // safe, bits + length

"""NPU_OP_POOL: maximum, average and the sum over channels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.npu.bounds import MAX_TAPS
from deploy.npu.errors import UnsupportedError
from deploy.npu.execution import byte_tables
from deploy.npu.execution.activation import finish
from deploy.npu.execution.feature_maps import read, tiles, write
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.scaling import rescale
from deploy.npu.execution.windows import prepare, window_size
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.operations import Scale, Upscale
from deploy.npu.stream.pooling import PoolingMode, PoolingOperation


def pool(operation: PoolingOperation, workspace: Workspace) -> None:
    """Execute a pooling operation.

    Maximum: ``max(ifm - zero_point)`` without the padding, then the global scale. Average: sum times OFM_SCALE;
    with padding the sum is divided by the number of elements inside the IFM.
    REDUCE_SUM: sum over the channels times OFM_SCALE. (Source: measured against LiteRT's reference kernels.)

    Raises:
        MemoryAccessError: a feature map lies outside its region.
        UnsupportedError: a combination that is not modelled.
    """
    kernel, memory = operation.kernel, workspace.memory
    if operation.ofm.elements * (kernel.height + kernel.width) > MAX_TAPS:
        raise UnsupportedError("a pooling of this size", parameters={"kernel": kernel})
    if _pointwise(operation):
        # A table, a new scale, or a copy to another place: every result depends on one byte.
        ifm = operation.ifm
        every = np.subtract(byte_tables.every_byte(ifm.dtype), ifm.zero_point, dtype=np.int64, casting="unsafe")
        table = finish(_scale(every, None, operation), operation, memory)
        write(memory, operation.ofm, byte_tables.look_up(table.ravel(), read(memory, ifm)))
        return
    maximum = operation.mode is PoolingMode.MAX
    values = _maximum(operation, memory) if maximum else _sum(operation, memory)
    # The zero point does not change which element is the largest, so maxima still contain it.
    zero_point = operation.ifm.zero_point if maximum else 0
    counts = _counts(operation)
    result = np.empty(values.shape, operation.ofm.dtype)
    for items, rows in tiles(values.shape):
        part = np.subtract(values[items, rows], zero_point, dtype=np.int64, casting="unsafe")
        scaled = _scale(part, None if counts is None else counts[rows], operation)
        result[items, rows] = finish(scaled, operation, memory)
    write(memory, operation.ofm, result)


def _pointwise(operation: PoolingOperation) -> bool:
    kernel = operation.kernel
    return (
        operation.ifm.dtype.itemsize == 1
        and (kernel.height, kernel.width, kernel.stride_y, kernel.stride_x) == (1, 1, 1, 1)
        and operation.upscale is Upscale.NONE
        and not operation.padding.any
        and operation.mode is not PoolingMode.REDUCE_SUM
        and (operation.scale is not None or operation.mode is PoolingMode.MAX)
    )


def _maximum(operation: PoolingOperation, memory: Memory) -> NDArray[np.generic]:
    """Maxima of the elements as they are, ``(batch, height, width, depth)``."""
    ofm, kernel, dtype = operation.ofm, operation.kernel, operation.ifm.dtype
    if operation.upscale is Upscale.TRANSPOSE:
        raise UnsupportedError("a maximum with transpose upscaling")
    lowest = int(np.iinfo(dtype.str).min)
    size = window_size(kernel, ofm.height, ofm.width)
    padding, upscale = operation.padding, operation.upscale
    prepared = prepare(read(memory, operation.ifm), 0, upscale, padding, size, dtype, fill=lowest)
    return _slide(prepared, operation, np.maximum)


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
        if (kernel.height, kernel.width) != (1, 1):
            raise UnsupportedError(
                "REDUCE_SUM with a kernel", parameters={"height": kernel.height, "width": kernel.width}
            )
        prepared = prepared.sum(axis=3, keepdims=True, dtype=np.int64)
    return _slide(prepared, operation, np.add)


def _slide(values: NDArray[np.generic], operation: PoolingOperation, reduce: np.ufunc) -> NDArray[np.generic]:
    """Reduce all windows: first their rows, then their columns."""
    ofm, kernel = operation.ofm, operation.kernel
    rows = _slide_axis(values, 1, (kernel.height, kernel.stride_y, kernel.dilation_y), ofm.height, reduce)
    return _slide_axis(rows, 2, (kernel.width, kernel.stride_x, kernel.dilation_x), ofm.width, reduce)


def _slide_axis(
    values: NDArray[np.generic], axis: int, kernel: tuple[int, int, int], count: int, reduce: np.ufunc
) -> NDArray[np.generic]:
    size, stride, dilation = kernel

    def tap(index: int) -> NDArray[np.generic]:
        start = index * dilation
        selection = [slice(None)] * values.ndim
        selection[axis] = slice(start, start + (count - 1) * stride + 1, stride)
        return values[tuple(selection)]

    if size == 1:
        return tap(0)
    if count == 1:
        every = values[(slice(None),) * axis + (slice(0, (size - 1) * dilation + 1, dilation),)]
        whole: NDArray[np.generic] = reduce.reduce(every, axis=axis, keepdims=True)
        return whole
    result = tap(0).copy()
    for index in range(1, size):
        reduce(result, tap(index), out=result)
    return result


def _counts(operation: PoolingOperation) -> NDArray[np.int64] | None:
    """How many kernel elements lie inside the IFM, ``(height, width, 1)``; None if the scale says it all."""
    if operation.mode is not PoolingMode.AVERAGE or not operation.padding.any:
        if operation.scale is None and operation.mode is not PoolingMode.MAX:
            raise UnsupportedError("a sum or an unpadded average with one scale per channel")
        return None
    if operation.scale not in (None, Scale(1, 0)):
        raise UnsupportedError("a padded average with a scale", parameters={"OFM_SCALE": operation.scale})
    ofm, kernel, padding = operation.ofm, operation.kernel, operation.padding
    rows, columns = window_size(kernel, ofm.height, ofm.width)
    ones = np.ones((1, rows - padding.top - padding.bottom, columns - padding.left - padding.right, 1))
    inner = prepare(ones, 0, Upscale.NONE, padding, (rows, columns), np.dtype(np.int64))
    counts: NDArray[np.int64] = _slide(inner, operation, np.add)[0].astype(np.int64)
    return counts


def _scale(
    values: NDArray[np.int64], counts: NDArray[np.int64] | None, operation: PoolingOperation
) -> NDArray[np.int64]:
    if counts is not None:
        return rescale(values, *_reciprocal(counts), operation.rounding)
    if operation.scale is None:
        return values
    return rescale(values, operation.scale.multiplier, operation.scale.shift, operation.rounding)


def _reciprocal(count: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Multiplier and shift that divide by a count (source: measured; the same formula that Vela uses).

    k = bit length of count - 1; multiplier (2**(31+k) + 2**k) // count; shift 31+k.
    """
    safe = np.maximum(count, 1)
    bits = np.frexp((safe - 1).astype(np.float64))[1].astype(np.int64)
    one = np.int64(1)
    return ((one << (31 + bits)) + (one << bits)) // safe, 31 + bits

"""NPU_OP_POOL: maximum, average and the sum over channels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.npu.activation import finish
from deploy.npu.architecture import Architecture
from deploy.npu.errors import UnsupportedError
from deploy.npu.feature_maps import read, write
from deploy.npu.memory import Memory
from deploy.npu.operations import PoolingMode, PoolingOperation, Scale, Upscale
from deploy.npu.scaling import rescale
from deploy.npu.windows import prepare, window_size

_LOWEST = np.iinfo(np.int64).min // 2


def pool(operation: PoolingOperation, memory: Memory, architecture: Architecture) -> None:
    """Execute a pooling operation.

    Maximum: ``max(ifm - zero_point)`` without the padding, then the global scale. Average: sum times OFM_SCALE;
    with padding or without a global scale the sum is divided by the number of elements inside the IFM.
    REDUCE_SUM: sum over the channels times OFM_SCALE. (Source: measured against LiteRT's reference kernels.)

    Raises:
        MemoryAccessError: a feature map lies outside its region.
    """
    ofm, kernel = operation.ofm, operation.kernel
    maximum = operation.mode is PoolingMode.MAX
    prepared = prepare(
        read(memory, operation.ifm),
        operation.ifm.zero_point,
        operation.upscale,
        operation.padding,
        window_size(kernel, ofm.height, ofm.width),
        np.dtype(np.int64),
        fill=_LOWEST if maximum else 0,
    )
    if operation.mode is PoolingMode.REDUCE_SUM:
        if (kernel.height, kernel.width) != (1, 1):
            raise UnsupportedError(
                "REDUCE_SUM with a kernel", parameters={"height": kernel.height, "width": kernel.width}
            )
        prepared = prepared.sum(axis=3, keepdims=True)
    reduce = np.maximum if maximum else np.add
    rows = _slide(prepared, 1, kernel.height, kernel.stride_y, kernel.dilation_y, ofm.height, reduce)
    values = _slide(rows, 2, kernel.width, kernel.stride_x, kernel.dilation_x, ofm.width, reduce)
    write(memory, ofm, finish(_scale(values, operation), operation, memory, architecture))


def _scale(values: NDArray[np.int64], operation: PoolingOperation) -> NDArray[np.int64]:
    scale = operation.scale
    if operation.mode is PoolingMode.AVERAGE and operation.padding.any:
        if scale not in (None, Scale(1, 0)):
            raise UnsupportedError("a padded average with a scale", parameters={"OFM_SCALE": scale})
        return rescale(values, *_reciprocal(_inside(operation)), operation.rounding)
    if scale is not None:
        return rescale(values, scale.multiplier, scale.shift, operation.rounding)
    if operation.mode is PoolingMode.AVERAGE:
        return rescale(values, *_reciprocal(_inside(operation)), operation.rounding)
    return values


def _slide(
    values: NDArray[np.int64],
    axis: int,
    size: int,
    stride: int,
    dilation: int,
    count: int,
    reduce: np.ufunc,
) -> NDArray[np.int64]:
    """Reduce windows along one axis."""

    def tap(index: int) -> NDArray[np.int64]:
        start = index * dilation
        selection = [slice(None)] * values.ndim
        selection[axis] = slice(start, start + (count - 1) * stride + 1, stride)
        return values[tuple(selection)]

    if size == 1:
        return tap(0)
    result = tap(0).copy()
    for index in range(1, size):
        reduce(result, tap(index), out=result)
    return result


def _inside(operation: PoolingOperation) -> NDArray[np.int64]:
    """How many kernel elements lie inside the IFM, ``(height, width, 1)``."""
    ofm, kernel, padding = operation.ofm, operation.kernel, operation.padding
    size = window_size(kernel, ofm.height, ofm.width)
    ones = np.ones((1, size[0] - padding.top - padding.bottom, size[1] - padding.left - padding.right, 1))
    inner = prepare(ones, 0, Upscale.NONE, padding, size, np.dtype(np.int64))
    rows = _slide(inner, 1, kernel.height, kernel.stride_y, kernel.dilation_y, ofm.height, np.add)
    count: NDArray[np.int64] = _slide(
        rows, 2, kernel.width, kernel.stride_x, kernel.dilation_x, ofm.width, np.add
    )[0]
    return count


def _reciprocal(count: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Multiplier and shift that divide by a count (source: measured; the same formula that Vela uses).

    k = bit length of count - 1; multiplier (2**(31+k) + 2**k) // count; shift 31+k.
    """
    safe = np.maximum(count, 1)
    bits = np.frexp((safe - 1).astype(np.float64))[1].astype(np.int64)
    one = np.int64(1)
    return ((one << (31 + bits)) + (one << bits)) // safe, 31 + bits

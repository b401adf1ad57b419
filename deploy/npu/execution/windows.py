"""Prepares an IFM for a kernel: subtracts the zero point, upscales, pads, and slides windows over it."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from deploy.npu.bounds import MAX_ELEMENTS
from deploy.npu.errors import UnsupportedError
from deploy.npu.stream.operations import FeatureMap, Kernel, Padding, Upscale

T = TypeVar("T", bound=np.generic)


def prepare(
    ifm: NDArray[np.generic],
    zero_point: int,
    upscale: Upscale,
    padding: Padding,
    size: tuple[int, int],
    dtype: np.dtype[T],
    fill: float = 0,
) -> NDArray[T]:
    """The IFM as the kernel sees it.

    Args:
        ifm: ``(batch, height, width, depth)``.
        zero_point: subtracted from every element.
        upscale: NEAREST repeats every element twice in both directions; TRANSPOSE puts the elements on even
            positions with zeros between them.
        padding: rows and columns around the upscaled IFM.
        size: height and width of the result, padding included.
        dtype: type of the result, wide enough for ``element - zero_point``.
        fill: value of the padding (already free of the zero point).

    Returns:
        ``(batch, *size, depth)``.
    """
    height, width = size
    if ifm.shape[0] * height * width * ifm.shape[3] > max(MAX_ELEMENTS, ifm.size):
        raise UnsupportedError(
            "a padded feature map of this size",
            parameters={"height": height, "width": width, "depth": ifm.shape[3]},
        )
    inner = (height - padding.top - padding.bottom, width - padding.left - padding.right)
    if upscale is Upscale.NONE and not padding.any:
        plain: NDArray[T] = np.subtract(ifm, zero_point, dtype=dtype, casting="unsafe")
        return plain
    shape = (ifm.shape[0], height, width, ifm.shape[3])
    if padding.any or upscale is Upscale.TRANSPOSE:
        result = np.full(shape, fill, dtype) if fill else np.zeros(shape, dtype)
    else:
        result = np.empty(shape, dtype)
    target = result[:, padding.top : padding.top + inner[0], padding.left : padding.left + inner[1]]
    if upscale is Upscale.NONE:
        np.subtract(ifm, zero_point, out=target, dtype=dtype, casting="unsafe")
        return result
    if upscale is Upscale.TRANSPOSE and fill:
        target[...] = 0
    offsets = ((0, 0),) if upscale is Upscale.TRANSPOSE else ((0, 0), (0, 1), (1, 0), (1, 1))
    for y, x in offsets:
        part = target[:, y::2, x::2]
        np.subtract(ifm[:, : part.shape[1], : part.shape[2]], zero_point, out=part, dtype=dtype, casting="unsafe")
    return result


def windows(prepared: NDArray[T], kernel: Kernel, height: int, width: int) -> NDArray[T]:
    """View of all kernel positions.

    Args:
        prepared: ``(batch, rows, columns, depth)`` from :func:`prepare`.
        kernel: geometry.
        height: OFM rows.
        width: OFM columns.

    Returns:
        Read-only view ``(batch, height, width, kernel.height, kernel.width, depth)``.
    """
    batch, rows, columns, depth = prepared.shape
    if rows < (height - 1) * kernel.stride_y + kernel.extent_y:
        raise AssertionError("prepare() made too few rows")
    if columns < (width - 1) * kernel.stride_x + kernel.extent_x:
        raise AssertionError("prepare() made too few columns")
    sb, sy, sx, sc = prepared.strides
    return as_strided(
        prepared,
        (batch, height, width, kernel.height, kernel.width, depth),
        (sb, sy * kernel.stride_y, sx * kernel.stride_x, sy * kernel.dilation_y, sx * kernel.dilation_x, sc),
        writeable=False,
    )


def window_size(kernel: Kernel, height: int, width: int) -> tuple[int, int]:
    """Rows and columns that a kernel reads for an OFM of ``height`` x ``width``."""
    return (height - 1) * kernel.stride_y + kernel.extent_y, (width - 1) * kernel.stride_x + kernel.extent_x


def slide(
    prepared: NDArray[np.generic], kernel: Kernel, height: int, width: int, reduce: np.ufunc
) -> NDArray[np.generic]:
    """Reduce all windows: first their rows, then their columns.

    Args:
        prepared: ``(batch, rows, columns, depth)`` from :func:`prepare`.
        kernel: geometry.
        height: OFM rows.
        width: OFM columns.
        reduce: such as ``np.add``.

    Returns:
        ``(batch, height, width, depth)``.
    """
    rows = _slide_axis(prepared, 1, (kernel.height, kernel.stride_y, kernel.dilation_y), height, reduce)
    return _slide_axis(rows, 2, (kernel.width, kernel.stride_x, kernel.dilation_x), width, reduce)


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


def counts_inside(kernel: Kernel, padding: Padding, ofm: FeatureMap) -> NDArray[np.int64]:
    """How many kernel elements lie inside the IFM, ``(height, width, 1)``."""
    rows, columns = window_size(kernel, ofm.height, ofm.width)
    ones = np.ones((1, rows - padding.top - padding.bottom, columns - padding.left - padding.right, 1))
    inner = prepare(ones, 0, Upscale.NONE, padding, (rows, columns), np.dtype(np.int64))
    counts: NDArray[np.int64] = slide(inner, kernel, ofm.height, ofm.width, np.add)[0].astype(np.int64)
    return counts

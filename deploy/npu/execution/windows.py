"""The window that slides over an IFM: what an element of the kernel meets, for all elements of the OFM at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from deploy.npu.bounds import MAX_ELEMENTS
from deploy.npu.errors import UnsupportedError
from deploy.npu.execution.scaling import Integers
from deploy.npu.stream.operations import BlockOperation, Kernel, Upscale


def window_size(kernel: Kernel, height: int, width: int) -> tuple[int, int]:
    """Rows and columns that a kernel reads for an OFM of ``height`` x ``width``."""
    return (height - 1) * kernel.stride_y + kernel.extent_y, (width - 1) * kernel.stride_x + kernel.extent_x


def taps(operation: BlockOperation, ifm: Integers, fill: int = 0) -> Iterator[tuple[int, int, Integers]]:
    """What every element of the kernel meets.

    Args:
        operation: its kernel, padding, upscaling and OFM count.
        ifm: ``(batch, height, width, depth)``, less the zero point.
        fill: value of the padding.

    Yields:
        Row and column of the kernel, and ``(batch, OFM height, OFM width, depth)`` of the IFM.

    Raises:
        UnsupportedError: padding or upscaling makes it larger than is computed.
    """
    kernel, height, width = operation.kernel, operation.ofm.height, operation.ofm.width
    prepared = _prepared(operation, ifm, fill)
    for y in range(kernel.height):
        top = y * kernel.dilation_y
        rows = slice(top, top + (height - 1) * kernel.stride_y + 1, kernel.stride_y)
        for x in range(kernel.width):
            left = x * kernel.dilation_x
            yield y, x, prepared[:, rows, left : left + (width - 1) * kernel.stride_x + 1 : kernel.stride_x]


def counts_inside(operation: BlockOperation) -> Integers:
    """How many elements of the kernel lie inside the IFM, ``(1, OFM height, OFM width, 1)``."""
    if operation.upscale is Upscale.TRANSPOSE:  # the zeros between its elements count
        operation = replace(operation, upscale=Upscale.NEAREST)
    ones = np.ones((1, operation.ifm.height, operation.ifm.width, 1), np.int64)
    counts = np.zeros((1, operation.ofm.height, operation.ofm.width, 1), np.int64)
    for _, _, tap in taps(operation, ones):
        counts += tap
    return counts


def _prepared(operation: BlockOperation, ifm: Integers, fill: int) -> Integers:
    """What the kernel slides over: the IFM, upscaled, with the padding around it."""
    padding, ofm, (batch, _, _, depth) = operation.padding, operation.ofm, ifm.shape
    rows, columns = window_size(operation.kernel, ofm.height, ofm.width)
    if batch * rows * columns * depth > max(MAX_ELEMENTS, ifm.size):
        raise UnsupportedError(
            "a padded feature map of this size", parameters={"height": rows, "width": columns, "depth": depth}
        )
    result = np.full((batch, rows, columns, depth), fill, np.int64)
    inside = result[:, padding.top : rows - padding.bottom, padding.left : columns - padding.right]
    # The last row and column of an upscaled IFM may lie outside the window.
    inside[...] = _upscaled(operation.upscale, ifm)[:, : inside.shape[1], : inside.shape[2]]
    return result


def _upscaled(upscale: Upscale, ifm: Integers) -> Integers:
    """NEAREST repeats elements in both directions; TRANSPOSE puts zeros behind each."""
    if upscale is Upscale.NONE:
        return ifm
    result = ifm.repeat(2, axis=1).repeat(2, axis=2)
    if upscale is Upscale.TRANSPOSE:
        result[:, 1::2] = result[:, :, 1::2] = 0
    return result

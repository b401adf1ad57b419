"""NPU_OP_CONV and NPU_OP_DEPTHWISE: convolutions, transpose convolutions and fully connected layers.

``acc = sum((ifm - zero_point) * weight) + bias``, scaled per channel, finished by
:mod:`deploy.npu.execution.activation`.
The sums run in floating point through BLAS, which is exact while they fit the mantissa (see PreparedWeights).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from deploy.npu.errors import UnsupportedError
from deploy.npu.execution.feature_maps import read, write
from deploy.npu.execution.parallel import for_each
from deploy.npu.execution.windows import prepare, window_size, windows
from deploy.npu.execution.workspace import PreparedWeights, Workspace
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.operations import Padding, Upscale
from deploy.npu.weights.unpacked import Unpack

T = TypeVar("T", bound=np.generic)

# Working sets of one step, small enough for the host's caches (measured on x86 with 1.25 MB of level 2).
_DENSE_BYTES = 1 << 20
_DEPTHWISE_BYTES = 256 << 10
_WORTH_SHARING = 1 << 25
"""MACs from which another thread pays: below, handing the interpreter to and fro costs more (measured)."""


def convolve(operation: ConvolutionOperation, workspace: Workspace, *, unpack: Unpack) -> None:
    """Execute a convolution.

    Raises:
        MemoryAccessError: a feature map or stream lies outside its region.
        WeightStreamError: the weights do not decode to what the operation needs.
        UnsupportedError: an IFM of 32 bits.
    """
    if operation.ifm.dtype.itemsize > 2:
        raise UnsupportedError("a convolution of 32-bit elements")
    memory = workspace.memory
    weights = workspace.weights.get(operation, memory, unpack)
    requantize = weights.requantizer(operation)
    ofm, ifm = operation.ofm, read(memory, operation.ifm)
    result = np.empty((len(ifm), *ofm.extents), ofm.dtype)

    def store(tile: Tile, sums: NDArray[np.floating]) -> None:
        target = tile.of(result)
        target[...] = requantize(sums, memory).reshape(target.shape)

    accumulate(operation, weights, ifm, store)
    write(memory, ofm, result)


def accumulate(
    operation: ConvolutionOperation,
    weights: PreparedWeights,
    ifm: NDArray[np.generic],
    take: Callable[[Tile, NDArray[np.floating]], None],
) -> None:
    """Compute the sums of a convolution, part by part, several at a time.

    Args:
        operation: the convolution.
        weights: its own.
        ifm: ``(batch, height, width, depth)``.
        take: called with every part, and its sums ``(pixels, channels)``: exact integers, without bias.
    """
    one = _depthwise if operation.depthwise else _dense
    part_of = _source(operation, ifm, weights.matrix.dtype)

    def compute(tile: Tile) -> None:
        take(tile, one(part_of(tile), weights, operation, tile.height, tile.width))

    tiles = _tiles(operation, weights, len(ifm))
    pixels = len(ifm) * operation.ofm.height * operation.ofm.width
    if pixels * weights.matrix.size >= _WORTH_SHARING and not operation.depthwise:
        for_each(compute, tiles)
    else:
        for tile in tiles:
            compute(tile)


def _source(
    operation: ConvolutionOperation, ifm: NDArray[np.generic], dtype: np.dtype[np.floating]
) -> Callable[[Tile], NDArray[np.floating]]:
    """What gives the part of the padded IFM, ``(items, rows, columns, depth)``, that a tile is computed from."""
    ofm, kernel, padding, zero_point = operation.ofm, operation.kernel, operation.padding, operation.ifm.zero_point
    if operation.upscale is not Upscale.NONE:
        size = window_size(kernel, ofm.height, ofm.width)
        whole = prepare(ifm, zero_point, operation.upscale, padding, size, dtype)
        return lambda tile: whole[tile.items, tile.top * kernel.stride_y :, tile.left * kernel.stride_x :]
    height, width = ifm.shape[1:3]

    def part(tile: Tile) -> NDArray[np.floating]:
        # Converted a tile at a time, what the kernel reads still is in the host's caches.
        size = window_size(kernel, tile.height, tile.width)
        top, left = tile.top * kernel.stride_y - padding.top, tile.left * kernel.stride_x - padding.left
        bottom, right = top + size[0], left + size[1]
        around = Padding(
            top=min(max(0, -top), size[0]),
            left=min(max(0, -left), size[1]),
            bottom=min(max(0, bottom - height), size[0]),
            right=min(max(0, right - width), size[1]),
        )
        rows, columns = slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right))
        return prepare(ifm[tile.items, rows, columns], zero_point, Upscale.NONE, around, size, dtype)

    return part


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of the OFM: some items of the batch, rows and columns."""

    items: slice
    top: int
    height: int
    left: int
    width: int

    def of(self, whole: NDArray[T]) -> NDArray[T]:
        """The part of an array ``(batch, height, width, depth)``, a view."""
        return whole[self.items, self.top : self.top + self.height, self.left : self.left + self.width]


def _tiles(operation: ConvolutionOperation, weights: PreparedWeights, batch: int) -> list[Tile]:
    ofm = operation.ofm
    rows, columns = _tile_size(operation, weights)
    items = max(1, rows // ofm.height)
    return [
        Tile(slice(item, item + items), top, min(rows, ofm.height - top), left, min(columns, ofm.width - left))
        for item in range(0, batch, items)
        for top in range(0, ofm.height, rows)
        for left in range(0, ofm.width, columns)
    ]


def _tile_size(operation: ConvolutionOperation, weights: PreparedWeights) -> tuple[int, int]:
    """How many OFM rows and columns to compute at once."""
    ofm, kernel = operation.ofm, operation.kernel
    if operation.depthwise:
        pixels = _DEPTHWISE_BYTES // (ofm.depth * weights.matrix.itemsize)
    else:
        columns = kernel.height * kernel.width * operation.ifm.depth
        pixels = _DENSE_BYTES // (max(columns, ofm.depth) * weights.matrix.itemsize)
    if pixels < ofm.width:
        return 1, max(1, pixels)
    return pixels // ofm.width, ofm.width


def _dense(
    prepared: NDArray[np.floating],
    weights: PreparedWeights,
    operation: ConvolutionOperation,
    height: int,
    width: int,
) -> NDArray[np.floating]:
    kernel, batch = operation.kernel, prepared.shape[0]
    if kernel.height == kernel.width == kernel.stride_x == kernel.stride_y == 1:
        columns = prepared[:, :height, :width].reshape(batch * height * width, -1)
    else:
        columns = windows(prepared, kernel, height, width).reshape(batch * height * width, -1)
    sums: NDArray[np.floating] = columns @ weights.matrix
    return sums


def _depthwise(
    prepared: NDArray[np.floating],
    weights: PreparedWeights,
    operation: ConvolutionOperation,
    height: int,
    width: int,
) -> NDArray[np.floating]:
    ofm, kernel, batch = operation.ofm, operation.kernel, prepared.shape[0]
    taps = windows(prepared, kernel, height, width)
    if kernel.height * kernel.width > height * width:
        # Large kernels with few positions (means): a position at a time.
        sums = np.empty((batch, height, width, ofm.depth), prepared.dtype)
        for y in range(height):
            for x in range(width):
                window = taps[:, y, x] * weights.matrix
                np.sum(window.reshape(batch, -1, ofm.depth), axis=1, out=sums[:, y, x])
        return sums.reshape(-1, ofm.depth)
    # A kernel element at a time. Rows of (column, channel) pairs are one long run when the stride is 1: long
    # inner loops are fast.
    matrix = weights.matrix
    if kernel.stride_x == 1:
        strides = taps.strides
        shape = (batch, height, width * ofm.depth, kernel.height, kernel.width)
        taps = as_strided(taps, shape, (*strides[:2], strides[5], *strides[3:5]), writeable=False)
        taps = taps.transpose(0, 1, 3, 4, 2)[:, :, None]
        matrix = np.tile(matrix, (1, 1, width))
    result: NDArray[np.floating] = taps[:, :, :, 0, 0] * matrix[0, 0]
    product = np.empty_like(result)
    for y in range(kernel.height):
        for x in range(kernel.width):
            if y or x:
                np.multiply(taps[:, :, :, y, x], matrix[y, x], out=product)
                result += product
    return result.reshape(-1, ofm.depth)

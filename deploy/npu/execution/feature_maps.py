"""Reads and writes feature maps: tiles, NHWC and NHCWB16 addressing, and what U85 does on the way.

Address of element (y, x, c) in a tile (source: measured on Vela's streams):
NHWC ``base + y*stride_y + x*stride_x + c*stride_c``;
NHCWB16 ``base + y*stride_y + c//16*stride_c + x*stride_x + c%16*size``.
Tile 0 holds x < width0, y < height0; tile 2 lies below it, tile 1 (y < height1) right of it, tile 3 below that.

A map of U85 may lie transposed or backwards, or stay in a buffer of the NPU. Readers and writers do not notice:
they have its own height, width and depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.npu.bounds import MAX_ELEMENTS
from deploy.npu.errors import MemoryAccessError
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import BRICK, FeatureMap


def read(memory: Memory, fm: FeatureMap) -> NDArray[np.generic]:
    """Read a feature map.

    Returns:
        Array ``(batch or 1, height, width, depth)`` of the feature map's own type.

    Raises:
        MemoryAccessError: part of it lies outside its region.
        StreamError: nothing, or a map of another shape or type, is in the NPU's buffer.
    """
    if fm.chain is not None:
        return memory.chained(fm.chain, fm.extents, fm.dtype)
    parts = pieces(fm.as_stored)
    found = _views(memory, fm, parts)
    result = np.empty((len(found[0]), *fm.as_stored.extents), fm.dtype)
    for piece, view in zip(parts, found, strict=True):
        _copy(view, _part(result, piece))
    if fm.reversed_axis is not None:
        result = np.flip(result, fm.reversed_axis + 1)
    return result.transpose(0, *(fm.axes.index(axis) + 1 for axis in range(3)))


def operand(memory: Memory, fm: FeatureMap) -> NDArray[np.int64]:
    """Read a feature map as what operations compute with: int64, less its zero point; see :func:`read`."""
    return read(memory, fm).astype(np.int64) - fm.zero_point


def write(memory: Memory, fm: FeatureMap, values: NDArray[np.generic]) -> None:
    """Write ``values`` of shape ``(batch or 1, height, width, depth)`` and the feature map's type.

    Raises:
        MemoryAccessError: part of it lies outside its region.
    """
    if fm.chain is not None:
        memory.chain(fm.chain, values)
        return
    values = values.transpose(0, *(axis + 1 for axis in fm.axes))
    if fm.reversed_axis is not None:
        values = np.flip(values, fm.reversed_axis + 1)
    # All pieces are checked before the first one is written.
    parts = pieces(fm.as_stored)
    for piece, view in zip(parts, _views(memory, fm, parts, write=True), strict=True):
        view[...] = _part(values, piece)


def views(memory: Memory, fm: FeatureMap, *, write: bool = False) -> list[NDArray[np.generic]]:
    """The strided views of the memory that make up a feature map: one for each of its :func:`pieces`.

    Returns:
        Views of four dimensions (batch, y, x, c), or five (batch, y, x, brick, c) for whole bricks.

    Raises:
        MemoryAccessError: part of it lies outside its region.
        UnsupportedError: a batch would write memory that it shares.
    """
    return _views(memory, fm, pieces(fm.as_stored), write=write)


def _views(
    memory: Memory, fm: FeatureMap, parts: Sequence[Piece], *, write: bool = False
) -> list[NDArray[np.generic]]:
    check_size(memory, fm)
    return [
        memory.strided(fm.region, piece.address, piece.extents, piece.strides, fm.dtype, write=write)
        for piece in parts
    ]


def check_size(memory: Memory, fm: FeatureMap) -> None:
    """Elements of a feature map do not share memory, so it cannot be larger than its region.

    Raises:
        MemoryAccessError: it is.
    """
    if fm.elements > MAX_ELEMENTS or fm.nbytes > memory.size(fm.region):
        raise MemoryAccessError(
            f"a feature map of {fm.height}x{fm.width}x{fm.depth} does not fit the region of "
            f"{memory.size(fm.region)} bytes",
            region=fm.region,
            address=fm.bases[0],
            size=fm.nbytes,
        )


def _part(array: NDArray[np.generic], piece: Piece) -> NDArray[np.generic]:
    """The part of an array ``(batch, y, x, c)`` that a piece covers, in the shape of its view.

    It is a view, too: no more than its innermost axis is split.
    """
    return array[:, piece.rows, piece.columns, piece.channels].reshape(len(array), *piece.extents)


def _copy(view: NDArray[np.generic], part: NDArray[np.generic]) -> None:
    """Copy; a brick as one element, which is five times faster for those who look at every map of a network."""
    if view.ndim == 5:
        brick = np.dtype((np.void, BRICK * view.itemsize))
        view, part = view.view(brick), part.view(brick)
    part[...] = view


class Piece(NamedTuple):
    """A part of a feature map, as it is stored, whose elements are evenly spaced.

    Attributes:
        address: of its first element in the region.
        extents: its own: rows, columns, channels, or rows, columns, bricks, channels of a brick.
        strides: bytes, one per extent.
    """

    rows: slice
    columns: slice
    channels: slice
    address: int
    extents: tuple[int, ...]
    strides: tuple[int, ...]


def pieces(fm: FeatureMap) -> list[Piece]:
    """What a feature map, as it is stored, is made of."""
    runs = _runs(fm)
    return [
        Piece(
            rows,
            columns,
            channels,
            base + offset,
            (rows.stop - rows.start, columns.stop - columns.start, *inner),
            (fm.stride_y, fm.stride_x, *strides),
        )
        for rows, columns, base in _tiles(fm)
        for channels, offset, inner, strides in runs
    ]


def _runs(fm: FeatureMap) -> list[tuple[slice, int, tuple[int, ...], tuple[int, ...]]]:
    """Channels that one view holds: which, offset of the first one, and the view's inner extents and strides."""
    size = fm.dtype.itemsize
    if not fm.bricks:
        return [(slice(0, fm.depth), 0, (fm.depth,), (fm.stride_c,))]
    found: list[tuple[slice, int, tuple[int, ...], tuple[int, ...]]] = []
    whole, rest = divmod(fm.depth, BRICK)
    if whole > 1:
        found.append((slice(0, whole * BRICK), 0, (whole, BRICK), (fm.stride_c, size)))
    elif whole == 1:
        found.append((slice(0, BRICK), 0, (BRICK,), (size,)))
    if rest:
        found.append((slice(whole * BRICK, fm.depth), whole * fm.stride_c, (rest,), (size,)))
    return found


def _tiles(fm: FeatureMap) -> list[tuple[slice, slice, int]]:
    """Rows, columns and base address of every tile that holds something."""
    left, right = min(fm.width0, fm.width), fm.width
    found: list[tuple[slice, slice, int]] = []
    for start, stop, split, upper, lower in (
        (0, left, fm.height0, fm.bases[0], fm.bases[2]),
        (left, right, fm.height1, fm.bases[1], fm.bases[3]),
    ):
        if start == stop:
            continue
        columns, middle = slice(start, stop), min(split, fm.height)
        found.append((slice(0, middle), columns, upper))
        if middle < fm.height:
            found.append((slice(middle, fm.height), columns, lower))
    return found

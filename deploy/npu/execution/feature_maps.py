"""Reads and writes feature maps: tiles, NHWC and NHCWB16 addressing, and what U85 does on the way.

Address of element (y, x, c) in a tile (source: measured on Vela's streams):
NHWC ``base + y*stride_y + x*stride_x + c*stride_c``;
NHCWB16 ``base + y*stride_y + c//16*stride_c + x*stride_x + c%16*size``.
Tile 0 holds x < width0, y < height0; tile 2 lies below it, tile 1 (y < height1) right of it, tile 3 below that.

A map of U85 may lie transposed or backwards, or stay in a buffer of the NPU. Readers and writers do not notice:
they have its own height, width and depth.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.npu.bounds import MAX_ELEMENTS, STEP_ELEMENTS
from deploy.npu.errors import MemoryAccessError
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import BRICK, FeatureMap


def read(memory: Memory, fm: FeatureMap) -> NDArray[np.generic]:
    """Read a feature map.

    Returns:
        Array ``(batch or 1, height, width, depth)`` of the feature map's own type. A view of the memory where
        the layout allows it, so copy before writing to the same memory.

    Raises:
        MemoryAccessError: part of it lies outside its region.
        StreamError: nothing, or a map of another shape or type, is in the NPU's buffer.
    """
    if fm.chain is not None:
        return memory.chained(fm.chain, fm.extents, fm.dtype)
    stored = fm.as_stored
    pieces = list(_pieces(memory, stored, write=False))
    if len(pieces) == 1 and pieces[0][1].ndim == 4:
        return _moved_back(pieces[0][1], fm)
    first = pieces[0][1]
    result = np.empty((first.shape[0], *stored.extents), fm.dtype)
    for (rows, columns, channels), view in pieces:
        _move(view, _part(result, rows, columns, channels, view), fm)
    return _moved_back(result, fm)


def write(memory: Memory, fm: FeatureMap, values: NDArray[np.generic]) -> None:
    """Write ``values`` of shape ``(batch, height, width, depth)`` and the feature map's type.

    Raises:
        MemoryAccessError: part of it lies outside its region.
    """
    if fm.chain is not None:
        memory.chain(fm.chain, values)
        return
    values = _moved(values, fm)
    # All pieces are checked before the first one is written.
    for (rows, columns, channels), view in list(_pieces(memory, fm.as_stored, write=True)):
        _move(_part(values, rows, columns, channels, view), view, fm)


def views(memory: Memory, fm: FeatureMap, *, write: bool = False) -> list[NDArray[np.generic]]:
    """The strided views of the memory that make up a feature map, with the batch as their first dimension.

    Raises:
        MemoryAccessError: part of it lies outside its region.
        UnsupportedError: a batch would write memory that it shares.
    """
    return [view for _, view in _pieces(memory, fm.as_stored, write=write)]


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


def pieces(fm: FeatureMap) -> Iterator[Piece]:
    """What a feature map, as it is stored, is made of."""
    for rows, columns, base in _tiles(fm):
        height, width = rows.stop - rows.start, columns.stop - columns.start
        for channels, offset, inner, strides in _runs(fm):
            extents = (height, width, *inner)
            yield Piece(rows, columns, channels, base + offset, extents, (fm.stride_y, fm.stride_x, *strides))


def _moved(values: NDArray[np.generic], fm: FeatureMap) -> NDArray[np.generic]:
    """Values ``(batch, height, width, depth)`` as they lie in memory."""
    if fm.axes != (0, 1, 2):
        values = np.ascontiguousarray(values.transpose(0, *(axis + 1 for axis in fm.axes)))
    if fm.reversed_axis is not None:
        values = np.ascontiguousarray(np.flip(values, fm.reversed_axis + 1))
    return values


def _moved_back(stored: NDArray[np.generic], fm: FeatureMap) -> NDArray[np.generic]:
    """What lies in memory as the map's own ``(batch, height, width, depth)``."""
    if fm.reversed_axis is not None:
        stored = np.flip(stored, fm.reversed_axis + 1)
    if fm.axes != (0, 1, 2):
        stored = stored.transpose(0, *(fm.axes.index(axis) + 1 for axis in range(3)))
    return stored


def _part(
    array: NDArray[np.generic], rows: slice, columns: slice, channels: slice, view: NDArray[np.generic]
) -> NDArray[np.generic]:
    """The part of a dense ``(batch, y, x, c)`` array that a piece covers, in the shape of its view."""
    part = array[:, rows, columns, channels]
    if view.ndim == part.ndim:
        return part
    return part.reshape(*part.shape[:3], -1, BRICK)  # splitting the innermost axis of a slice is a view


def _move(source: NDArray[np.generic], target: NDArray[np.generic], fm: FeatureMap) -> None:
    """Copy between views; the channels of a brick as one element, which is ten times faster (measured)."""
    if fm.bricks and source.strides[-1] == target.strides[-1] == fm.dtype.itemsize:
        run = np.dtype((np.void, source.shape[-1] * fm.dtype.itemsize))
        source, target = source.view(run), target.view(run)
    target[...] = source


def _pieces(
    memory: Memory, fm: FeatureMap, write: bool
) -> Iterator[tuple[tuple[slice, slice, slice], NDArray[np.generic]]]:
    """The strided views that make up a feature map.

    A view has four dimensions (batch, y, x, c), or five (batch, y, x, brick, c) for whole bricks.
    """
    if fm.elements > MAX_ELEMENTS or fm.nbytes > memory.size(fm.region):
        # Elements of a feature map do not share memory, so it cannot be larger than its region.
        raise MemoryAccessError(
            f"a feature map of {fm.height}x{fm.width}x{fm.depth} does not fit the region of "
            f"{memory.size(fm.region)} bytes",
            region=fm.region,
            address=fm.bases[0],
            size=fm.nbytes,
        )
    for piece in pieces(fm):
        view = memory.strided(fm.region, piece.address, piece.extents, piece.strides, fm.dtype, write=write)
        yield (piece.rows, piece.columns, piece.channels), view


def _runs(fm: FeatureMap) -> Iterator[tuple[slice, int, tuple[int, ...], tuple[int, ...]]]:
    """Channels that one view holds: which, offset of the first one, and the view's inner extents and strides."""
    size = fm.dtype.itemsize
    if not fm.bricks:
        yield slice(0, fm.depth), 0, (fm.depth,), (fm.stride_c,)
        return
    whole, rest = divmod(fm.depth, BRICK)
    if whole > 1:
        yield slice(0, whole * BRICK), 0, (whole, BRICK), (fm.stride_c, size)
    elif whole == 1:
        yield slice(0, BRICK), 0, (BRICK,), (size,)
    if rest:
        yield slice(whole * BRICK, fm.depth), whole * fm.stride_c, (rest,), (size,)


def _tiles(fm: FeatureMap) -> Iterator[tuple[slice, slice, int]]:
    """Rows, columns and base address of every tile that holds something."""
    left, right = min(fm.width0, fm.width), fm.width
    for columns, split, upper, lower in (
        (slice(0, left), fm.height0, fm.bases[0], fm.bases[2]),
        (slice(left, right), fm.height1, fm.bases[1], fm.bases[3]),
    ):
        if columns.start == columns.stop:
            continue
        middle = min(split, fm.height)
        yield slice(0, middle), columns, upper
        if middle < fm.height:
            yield slice(middle, fm.height), columns, lower


def tiles(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Parts of a ``(batch, height, width, depth)`` array: some rows of one item, or several whole items."""
    batch, height, width, depth = shape
    rows = max(1, STEP_ELEMENTS // (width * depth))
    items = max(1, rows // height)
    for item in range(0, batch, items):
        for top in range(0, height, rows):
            yield slice(item, item + items), slice(top, top + rows)

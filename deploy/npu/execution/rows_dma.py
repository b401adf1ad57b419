"""NPU_OP_DMA_START of Ethos-U85: copies rows of bytes between regions, and tables into the NPU."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from deploy.npu.bounds import MAX_ELEMENTS
from deploy.npu.errors import StreamError, UnsupportedError
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.u85_operations import RowsDmaOperation, RowsEnd


def copy_rows(operation: RowsDmaOperation, workspace: Workspace) -> None:
    """Execute a DMA.

    Raises:
        MemoryAccessError: source, destination or indices leave their region, or the destination is read-only.
        StreamError: an index above the highest one, or below 0.
        UnsupportedError: a table that differs within a batch, or a batch that writes a region which it shares.
    """
    memory, source, destination = workspace.memory, operation.source, operation.destination
    if operation.bytes > MAX_ELEMENTS:
        raise UnsupportedError("a transfer of this size", parameters={"bytes": operation.bytes})
    # A copy, because the ranges may overlap.
    content = _gathered(operation, memory) if source.indexed else _rows(operation, source, memory).copy()
    if destination.region is None and len(content) > 1:
        if (content != content[0]).any():
            raise UnsupportedError("a table that differs within a batch", parameters={"length": operation.length})
        content = content[:1]
    if destination.indexed:
        _scatter(content, operation, memory)
    else:
        _rows(operation, destination, memory, write=True)[...] = content


def _rows(
    operation: RowsDmaOperation, end: RowsEnd, memory: Memory, *, write: bool = False
) -> NDArray[np.generic]:
    """View of the rows, uint8 ``(batch or 1, planes, rows, length)``."""
    shape, strides = (operation.planes, operation.rows, operation.length), (end.plane_stride, end.stride, 1)
    return memory.strided(end.region, end.address, shape, strides, np.dtype(np.uint8), write=write)


def _gathered(operation: RowsDmaOperation, memory: Memory) -> NDArray[np.generic]:
    """The rows of the source that the indices name, uint8 ``(batch or 1, planes, rows, length)``."""
    batch = memory.batch
    result = np.empty((batch, operation.planes, operation.rows, operation.length), np.uint8)
    for item, plane, row, found in _indexed(operation, operation.source, memory, batch, write=False):
        result[item, plane, row] = found
    return result


def _scatter(content: NDArray[np.generic], operation: RowsDmaOperation, memory: Memory) -> None:
    batch = memory.batch
    for item, plane, row, found in _indexed(operation, operation.destination, memory, batch, write=True):
        found[...] = content[min(item, len(content) - 1), plane, row]


def row_numbers(operation: RowsDmaOperation, memory: Memory) -> NDArray[np.int64]:
    """The rows that the indices of a transfer name, ``(batch or 1, planes, rows)``.

    Raises:
        MemoryAccessError: the indices leave their region.
        StreamError: an index above the highest one, or below 0.
    """
    indices = operation.indices
    if indices is None:
        raise AssertionError("rows are named by indices")
    shape, strides = (operation.planes, operation.rows), (4 * operation.rows + operation.index_skip, 4)
    numbers = memory.strided(indices.region, indices.address, shape, strides, np.dtype("<i4")).astype(np.int64)
    lowest, highest = int(numbers.min()), int(numbers.max())
    if lowest < 0 or highest > operation.highest_index:
        raise StreamError("an index of no row", parameters={"lowest": lowest, "highest": highest})
    return numbers


def _indexed(
    operation: RowsDmaOperation, end: RowsEnd, memory: Memory, batch: int, *, write: bool
) -> Iterator[tuple[int, int, int, NDArray[np.uint8]]]:
    """Item of the batch, plane, row and bytes ``(length,)`` of every row that an index names."""
    numbers = row_numbers(operation, memory)
    for plane, row in np.ndindex(operation.planes, operation.rows):
        start = end.address + plane * end.plane_stride
        for item in range(batch):
            number = int(numbers[min(item, len(numbers) - 1), plane, row])
            found = memory.bytes(end.region, start + number * end.stride, operation.length, write=write)
            yield item, plane, row, found[min(item, len(found) - 1)]

"""NPU_OP_DMA_START of Ethos-U85: copies rows of bytes between regions, and tables into the NPU."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.npu.bounds import MAX_ELEMENTS
from deploy.npu.errors import StreamError, UnsupportedError
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.operations import AddressRange
from deploy.npu.stream.u85_operations import RowsDmaOperation, RowsEnd


def copy_rows(operation: RowsDmaOperation, workspace: Workspace) -> None:
    """Execute a DMA.

    Raises:
        MemoryAccessError: source, destination or indices leave their region, or the destination is read-only.
        StreamError: an index above the highest one, or below 0.
        UnsupportedError: a table that differs within a batch, or a batch that writes a region which it shares.
    """
    memory = workspace.memory
    if operation.rows * operation.length > MAX_ELEMENTS:
        raise UnsupportedError("a transfer of this size", parameters={"rows": operation.rows})
    if operation.indices is None:
        content = _rows(operation, operation.source, memory)
    else:
        content = _gathered(operation, operation.indices, memory)
    if operation.destination.region is None and len(content) > 1:
        if (content != content[0]).any():
            raise UnsupportedError("a table that differs within a batch", parameters={"length": operation.length})
        content = content[:1]
    # A copy, because the ranges may overlap.
    _rows(operation, operation.destination, memory, write=True)[...] = content.copy()


def _rows(
    operation: RowsDmaOperation, end: RowsEnd, memory: Memory, *, write: bool = False
) -> NDArray[np.generic]:
    """View of the rows, uint8 ``(batch or 1, rows, length)``."""
    shape, strides = (operation.rows, operation.length), (end.stride, 1)
    return memory.strided(end.region, end.address, shape, strides, np.dtype(np.uint8), write=write)


def _gathered(operation: RowsDmaOperation, indices: AddressRange, memory: Memory) -> NDArray[np.generic]:
    """The rows of the source that the indices name, uint8 ``(batch or 1, rows, length)``."""
    source, length = operation.source, operation.length
    numbers = memory.bytes(indices.region, indices.address, indices.length).view("<i4").astype(np.int64)
    lowest, highest = int(numbers.min()), int(numbers.max())
    if lowest < 0 or highest > operation.highest_index:
        raise StreamError("an index of no row", parameters={"lowest": lowest, "highest": highest})
    found = {
        number: memory.bytes(source.region, source.address + number * source.stride, length)
        for number in set(numbers.ravel().tolist())
    }
    batch = max(len(numbers), *(len(rows) for rows in found.values()))
    result = np.empty((batch, operation.rows, length), np.uint8)
    for item in range(batch):
        for row, number in enumerate(numbers[min(item, len(numbers) - 1)].tolist()):
            rows = found[number]
            result[item, row] = rows[min(item, len(rows) - 1)]
    return result

"""Where the bytes end up that a transfer moves: for those who look at memory after it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.npu.execution.memory import Memory
from deploy.npu.execution.rows_dma import row_numbers
from deploy.npu.stream.dma import DmaOperation, Transfer
from deploy.npu.stream.u85_operations import RowsDmaOperation


def destinations(operation: Transfer, memory: Memory) -> NDArray[np.int64]:
    """The offset in the destination's region of every byte ``(bytes,)``, in the order of the source.

    Args:
        operation: that was executed.
        memory: as it left it; indices are those of the first item of a batch.

    Raises:
        MemoryAccessError: indices outside their region.
        StreamError: an index of no row.
    """
    if isinstance(operation, RowsDmaOperation):
        end, length = operation.destination, operation.length
        rows = row_numbers(operation, memory)[0] if end.indexed else np.arange(operation.rows)[np.newaxis]
        planes = np.arange(operation.planes)[:, np.newaxis] * end.plane_stride
        starts = end.address + planes + rows * end.stride
    elif isinstance(operation, DmaOperation):
        starts, length = np.array(operation.destination), operation.length
    else:
        raise AssertionError(f"a transfer of another kind: {operation}")
    return (starts[..., np.newaxis] + np.arange(length)).reshape(-1)

"""NPU_OP_DMA_START: copies bytes between regions and into the SHRAM."""

from __future__ import annotations

from deploy.npu.memory import Memory
from deploy.npu.operations import DmaOperation


def copy(operation: DmaOperation, memory: Memory) -> None:
    """Execute a DMA.

    Raises:
        MemoryAccessError: source or destination leaves its region.
        UnsupportedError: a table for the SHRAM that differs within a batch.
    """
    destination = memory.bytes(operation.destination_region, operation.destination, operation.length)
    if operation.destination_region is None:
        destination[...] = memory.constant_bytes(operation.source_region, operation.source, operation.length)
        return
    # NumPy copies overlapping ranges as if through a buffer.
    destination[...] = memory.bytes(operation.source_region, operation.source, operation.length)

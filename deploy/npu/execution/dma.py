"""NPU_OP_DMA_START: copies bytes between regions and into the SHRAM."""

from __future__ import annotations

from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import DmaOperation


def copy(operation: DmaOperation, memory: Memory) -> None:
    """Execute a DMA.

    Raises:
        MemoryAccessError: source or destination leaves its region, or the destination is read-only.
        UnsupportedError: a table for the SHRAM that differs within a batch, or a batch that writes a region
            which it shares.
    """
    source, length = operation.source, operation.length
    if operation.destination_region is None:
        content = memory.constant_bytes(operation.source_region, source, length)
    else:
        content = memory.bytes(operation.source_region, source, length)
    target = memory.bytes(operation.destination_region, operation.destination, length, write=True)
    # NumPy copies overlapping ranges as if through a buffer.
    target[...] = content

"""NPU_OP_DMA_START: copies bytes between regions and into the SHRAM."""

from __future__ import annotations

from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.dma import DmaOperation


def copy(operation: DmaOperation, workspace: Workspace) -> None:
    """Execute a DMA.

    Raises:
        MemoryAccessError: source or destination leaves its region, or the destination is read-only.
        UnsupportedError: a table for the SHRAM that differs within a batch, or a batch that writes a region
            which it shares.
    """
    source, length, memory = operation.source, operation.length, workspace.memory
    if operation.destination_region is None:
        content = memory.constant_bytes(operation.source_region, source, length)
    else:
        content = memory.bytes(operation.source_region, source, length)
    target = memory.bytes(operation.destination_region, operation.destination, length, write=True)
    # NumPy copies overlapping ranges as if through a buffer.
    target[...] = content

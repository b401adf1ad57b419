"""NPU_OP_DMA_START as ``transfer.c`` takes it."""

from __future__ import annotations

from deploy.npu.core.records import Record, Tables
from deploy.npu.stream.dma import DmaOperation


def translate_transfer(operation: DmaOperation, tables: Tables) -> Record:
    """A transfer of Ethos-U55 or U65; see :mod:`deploy.npu.core.translation`."""
    length = operation.length
    source = tables.range("source", operation.source_region, operation.source, length)
    destination = (operation.destination_region, operation.destination, length)
    return Record(
        {
            "kind": tables.numbers["KIND_TRANSFER"],
            "work": length >> 4,
            **source,
            **tables.range("destination", *destination, write=True),
        }
    )

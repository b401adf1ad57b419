"""NPU_OP_DMA_START as ``transfer.c`` takes it."""

from __future__ import annotations

import numpy as np

from deploy.npu.bounds import MAX_ELEMENTS
from deploy.npu.core.records import NotCovered, Record, Tables, Words
from deploy.npu.execution.feature_maps import Piece
from deploy.npu.stream.dma import DmaOperation
from deploy.npu.stream.u85_operations import RowsDmaOperation, RowsEnd


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


def translate_rows_transfer(operation: RowsDmaOperation, tables: Tables) -> Record:
    """A transfer of rows that follow each other at both ends (U85)."""
    if operation.indices is not None or not 0 < operation.bytes <= MAX_ELEMENTS:
        raise NotCovered
    return Record(
        {
            "kind": tables.numbers["KIND_ROWS_TRANSFER"],
            "work": operation.bytes >> 4,
            **_end("ifm", operation.source, operation, tables),
            **_end("ofm", operation.destination, operation, tables, write=True),
        }
    )


def _end(name: str, end: RowsEnd, operation: RowsDmaOperation, tables: Tables, *, write: bool = False) -> Words:
    extents = (operation.planes, operation.rows, operation.length)
    strides = (end.plane_stride, end.stride, 1)
    tables.memory.strided(end.region, end.address, extents, strides, np.dtype(np.uint8), write=write)
    whole = [slice(0, extent) for extent in extents]
    piece = Piece(whole[0], whole[1], whole[2], end.address, extents, strides)
    return tables.array(name, end.region, extents, np.dtype(np.uint8), [piece])

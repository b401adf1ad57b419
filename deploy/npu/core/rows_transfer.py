"""NPU_OP_DMA_START of Ethos-U85, which moves rows, as ``transfer.c`` takes it."""

from __future__ import annotations

import numpy as np

from deploy.npu.bounds import MAX_ELEMENTS
from deploy.npu.core.records import NotCovered, Record, Tables, Words
from deploy.npu.execution.feature_maps import Piece
from deploy.npu.stream.u85_operations import RowsDmaOperation, RowsEnd


def translate_rows_transfer(operation: RowsDmaOperation, tables: Tables) -> Record:
    """A transfer of rows, which indices may name at one of its ends."""
    if not 0 < operation.bytes <= MAX_ELEMENTS:
        raise NotCovered
    if operation.source.indexed:
        kind, ends = "KIND_GATHER", _indexed(operation.source, operation, tables)
    elif operation.destination.indexed:
        kind, ends = "KIND_SCATTER", _indexed(operation.destination, operation, tables, write=True)
    else:
        kind, ends = "KIND_ROWS_TRANSFER", {}
    if not operation.source.indexed:
        ends |= _end("ifm", operation.source, operation, tables)
    if not operation.destination.indexed:
        ends |= _end("ofm", operation.destination, operation, tables, write=True)
    return Record({"kind": tables.numbers[kind], "work": operation.bytes >> 4, **ends})


def _indexed(end: RowsEnd, operation: RowsDmaOperation, tables: Tables, *, write: bool = False) -> Words:
    """An end whose rows are named; whether they are rows of the region is seen when the indices are."""
    indices = operation.indices
    if indices is None or (write and end.region is None and tables.memory.batch > 1):
        raise NotCovered
    tables.memory.bytes(end.region, 0, 0, write=write)
    plane_step = 4 * operation.rows + operation.index_skip
    shape, strides = (operation.planes, operation.rows), (plane_step, 4)
    tables.memory.strided(indices.region, indices.address, shape, strides, np.dtype("<i4"))
    return {
        "indexed.region": (tables.region(end.region), end.address, end.stride, end.plane_stride),
        "indices.region": (tables.region(indices.region), indices.address, 4, plane_step),
        "highest_index": operation.highest_index,
    }


def _end(name: str, end: RowsEnd, operation: RowsDmaOperation, tables: Tables, *, write: bool = False) -> Words:
    extents = (operation.planes, operation.rows, operation.length)
    strides = (end.plane_stride, end.stride, 1)
    tables.memory.strided(end.region, end.address, extents, strides, np.dtype(np.uint8), write=write)
    whole = [slice(0, extent) for extent in extents]
    piece = Piece(whole[0], whole[1], whole[2], end.address, extents, strides)
    return tables.array(name, end.region, extents, np.dtype(np.uint8), piece)

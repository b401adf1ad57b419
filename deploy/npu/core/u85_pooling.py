"""NPU_OP_POOL of Ethos-U85 as ``pooling.c`` takes it."""

from __future__ import annotations

from deploy.npu.core.pooling import pooling_record
from deploy.npu.core.records import Record, Tables
from deploy.npu.execution import u85_pooling
from deploy.npu.stream.pooling import PoolingMode
from deploy.npu.stream.u85_operations import U85PoolingOperation


def translate_u85_pooling(operation: U85PoolingOperation, tables: Tables) -> Record:
    """A pooling that may scale numbers of 64 bits, or fill accumulators."""
    if operation.mode in u85_pooling.ARGMAX:
        u85_pooling.check_argmax(operation)
        return pooling_record(operation, tables, None)
    u85_pooling.check_scale(operation)
    wide = operation.mode is PoolingMode.NONE
    bits = operation.accumulators.bits if wide and operation.ifm.dtype.itemsize == 8 else 0
    if not operation.accumulators.stored:
        words = {"kind": tables.numbers["KIND_FILL"], "work": operation.ifm.elements, "number_bits": bits}
        return Record({**words, **tables.map("ifm", operation.ifm, wide=wide), **tables.left(operation.ifm)})
    record = pooling_record(operation, tables, u85_pooling.reciprocal_of(operation), wide=wide)
    return Record({**record.words, "number_bits": bits})

"""NPU_OP_POOL as ``pooling.c`` takes it."""

from __future__ import annotations

from deploy.npu.core.records import NotCovered, Record, Tables, window
from deploy.npu.execution import u55_pooling, u85_pooling
from deploy.npu.execution.pooling import Reciprocal, check
from deploy.npu.stream.pooling import PoolingMode, PoolingOperation
from deploy.npu.stream.u85_operations import U85PoolingOperation

_MOST_STEPS = 1 << 30
"""Elements of windows that the core takes on."""


def translate_pooling(operation: PoolingOperation, tables: Tables) -> Record:
    """A pooling of Ethos-U55 or U65; see :mod:`deploy.npu.core.translation`."""
    return _translated(operation, tables, u55_pooling.reciprocal_of(operation))


def translate_u85_pooling(operation: U85PoolingOperation, tables: Tables) -> Record:
    """A pooling of Ethos-U85: it may scale numbers of 64 bits, or fill accumulators."""
    if operation.mode in u85_pooling.ARGMAX:
        u85_pooling.check_argmax(operation)
        return _translated(operation, tables, None)
    u85_pooling.check_scale(operation)
    wide = operation.mode is PoolingMode.NONE
    bits = operation.accumulators.bits if wide and operation.ifm.dtype.itemsize == 8 else 0
    if not operation.accumulators.stored:
        words = {"kind": tables.numbers["KIND_FILL"], "work": operation.ifm.elements, "number_bits": bits}
        return Record({**words, **tables.map("ifm", operation.ifm, wide=wide), **tables.left(operation.ifm)})
    record = _translated(operation, tables, u85_pooling.reciprocal_of(operation), wide=wide)
    return Record({**record.words, "number_bits": bits})


def _translated(
    operation: PoolingOperation, tables: Tables, reciprocal: Reciprocal | None, *, wide: bool = False
) -> Record:
    check(operation)
    if operation.macs > _MOST_STEPS:
        raise NotCovered
    divisor = {}
    if reciprocal is not None:
        divisor = {"divides": 1, "reciprocal_bits": reciprocal.bits, "reciprocal_up": int(reciprocal.up)}
    return Record(
        {
            "kind": tables.numbers["KIND_POOLING"],
            "work": operation.macs,
            **tables.map("ifm", operation.ifm, wide=wide),
            **tables.output(operation, wide=wide),
            **window(operation),
            "mode": int(operation.mode),
            **divisor,
        }
    )

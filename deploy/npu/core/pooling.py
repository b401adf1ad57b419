"""NPU_OP_POOL as ``pooling.c`` takes it."""

from __future__ import annotations

from deploy.npu.core.records import NotCovered, Record, Tables, window
from deploy.npu.execution import u55_pooling
from deploy.npu.execution.pooling import Reciprocal, check
from deploy.npu.stream.pooling import PoolingOperation

_MOST_STEPS = 1 << 30
"""Elements of windows that the core takes on."""


def translate_pooling(operation: PoolingOperation, tables: Tables) -> Record:
    """A pooling of Ethos-U55 or U65; see :mod:`deploy.npu.core.translation`."""
    return pooling_record(operation, tables, u55_pooling.reciprocal_of(operation))


def pooling_record(
    operation: PoolingOperation, tables: Tables, reciprocal: Reciprocal | None, *, wide: bool = False
) -> Record:
    """What the poolings of all families have in common; ``wide`` numbers have 64 bits."""
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

"""NPU_OP_POOL as ``pooling.c`` takes it."""

from __future__ import annotations

from deploy.npu.core.records import NotCovered, Record, Tables, window
from deploy.npu.execution.pooling import pointwise
from deploy.npu.stream.operations import Scale, Upscale
from deploy.npu.stream.pooling import PoolingMode, PoolingOperation
from deploy.npu.stream.u85_operations import U85PoolingOperation

_MOST_STEPS = 1 << 30
"""Elements of windows that the core takes on."""
_EXTREMES = (PoolingMode.MAX, PoolingMode.MIN)
_ARGMAX = (PoolingMode.ARGMAX_X, PoolingMode.ARGMAX_Y)


def translate_pooling(operation: PoolingOperation, tables: Tables) -> Record:
    """A pooling of Ethos-U55 or U65; see :mod:`deploy.npu.core.translation`."""
    divides = operation.mode is PoolingMode.AVERAGE and operation.padding.any
    if divides and operation.scale not in (None, Scale(1, 0)):
        raise NotCovered
    if operation.scale is None and not divides and operation.mode is not PoolingMode.MAX:
        raise NotCovered
    divisor = {"divides": 1, "reciprocal_bits": 31, "reciprocal_up": 0} if divides else {}
    return _translated(operation, tables, divisor)


def translate_u85_pooling(operation: U85PoolingOperation, tables: Tables) -> Record:
    """A pooling of Ethos-U85 that computes its OFM, and no place of a maximum."""
    mode, kernel, scale = operation.mode, operation.kernel, operation.scale
    if mode in _ARGMAX or scale is None or not operation.accumulators.stored:
        raise NotCovered
    if mode is PoolingMode.NONE and (kernel.height, kernel.width) != (1, 1):
        raise NotCovered
    average = mode is PoolingMode.AVERAGE
    if average and scale.multiplier != 1 << scale.shift:
        raise NotCovered
    divides = average and not pointwise(operation)
    divisor = {"divides": 1, "reciprocal_bits": 30, "reciprocal_up": 1} if divides else {}
    return _translated(operation, tables, divisor)


def _translated(operation: PoolingOperation, tables: Tables, divisor: dict[str, int]) -> Record:
    mode, kernel = operation.mode, operation.kernel
    if mode in _EXTREMES and operation.upscale is Upscale.TRANSPOSE:
        raise NotCovered
    if mode is PoolingMode.REDUCE_SUM and (kernel.height, kernel.width) != (1, 1):
        raise NotCovered
    if operation.macs > _MOST_STEPS:
        raise NotCovered
    return Record(
        {
            "kind": tables.numbers["KIND_POOLING"],
            "work": operation.macs,
            **tables.map("ifm", operation.ifm),
            **tables.output(operation),
            **window(operation),
            "mode": int(mode),
            **divisor,
        }
    )

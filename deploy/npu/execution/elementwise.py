"""NPU_OP_ELEMENTWISE: operands, tables and parts; what is computed is the instruction set's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.npu.execution import byte_tables
from deploy.npu.execution.activation import clamped, finish
from deploy.npu.execution.feature_maps import read, tiles, write
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.elementwise import ElementwiseOperation
from deploy.npu.stream.operations import Function

_WORTH_A_TABLE = 1 << 12
"""Elements from which a table of all pairs pays; it is kept for the next run."""

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Arithmetic:
    """Scaled results of operands less their zero points, from which they are finished.

    Attributes:
        unary: called with the operand and the operation.
        binary: called with the operands in their order, which broadcast, and the operation.
    """

    unary: Callable[[Integers, Any], Integers]
    binary: Callable[[Integers, Integers, Any], Integers]


def compute(operation: ElementwiseOperation, workspace: Workspace, arithmetic: Arithmetic) -> None:
    """Execute an elementwise operation.

    Raises:
        MemoryAccessError: a feature map lies outside its region.
        UnsupportedError: a combination that is not modelled.
    """
    ofm, ifm2, memory = operation.ofm, operation.ifm2, workspace.memory
    first = read(memory, operation.ifm)
    second = read(memory, ifm2) if ifm2 is not None else None
    batch = max(len(first), 1 if second is None else len(second))
    result = np.empty((batch, *ofm.extents), ofm.dtype)
    bytewise = operation.ifm.dtype.itemsize == 1 and (ifm2 is None or ifm2.dtype.itemsize == 1)
    if bytewise and second is None:
        table = _scaled(byte_tables.every_byte(operation.ifm.dtype), None, operation, arithmetic)
        result[...] = byte_tables.look_up(finish(table, operation, memory).ravel(), first)
        write(memory, ofm, result)
        return
    pairs = None
    if bytewise and operation.activation.function is Function.NONE and result.size >= _WORTH_A_TABLE:
        pairs = _pair_table(_unplaced(operation), arithmetic)
    for items, rows in tiles(result.shape):
        other = None if second is None else _part(second, items, rows)
        if pairs is not None and other is not None:
            result[items, rows] = byte_tables.look_up_pairs(pairs, _part(first, items, rows), other)
            continue
        values = _scaled(_part(first, items, rows), other, operation, arithmetic)
        result[items, rows] = finish(values, operation, memory)
    write(memory, ofm, result)


def _part(values: NDArray[np.generic], items: slice, rows: slice) -> NDArray[np.generic]:
    """A part of an operand; where it is broadcast it stays one row or one item."""
    part = values if len(values) == 1 else values[items]
    return part if part.shape[1] == 1 else part[:, rows]


def _unplaced(operation: ElementwiseOperation) -> ElementwiseOperation:
    """The operation without its place in stream and memory, so that equal ones share a table."""
    return replace(
        operation,
        index=0,
        offset=0,
        block=(0, 0, 0),
        ifm=byte_tables.anywhere(operation.ifm),
        ofm=byte_tables.anywhere(operation.ofm),
        ifm2=None if operation.ifm2 is None else byte_tables.anywhere(operation.ifm2),
    )


@lru_cache(maxsize=256)
def _pair_table(operation: ElementwiseOperation, arithmetic: Arithmetic) -> NDArray[np.generic]:
    """The results for all pairs of bytes (no lookup table involved)."""
    if operation.ifm2 is None:
        raise AssertionError("a table of pairs needs two operands")
    first, second = byte_tables.every_pair(operation.ifm.dtype, operation.ifm2.dtype)
    return clamped(_scaled(first, second, operation, arithmetic), operation).ravel()


def _scaled(
    first: NDArray[np.generic],
    second: NDArray[np.generic] | None,
    operation: ElementwiseOperation,
    arithmetic: Arithmetic,
) -> Integers:
    """Scaled results of elements as they are in memory; ``second`` is None for a scalar or a unary operation."""
    a = np.subtract(first, operation.ifm.zero_point, dtype=np.int64, casting="unsafe")
    if operation.mode.unary:
        return arithmetic.unary(a, operation)
    if second is None or operation.ifm2 is None:
        b = np.full((1, 1, 1, 1), operation.scalar or 0, np.int64)
    else:
        b = np.subtract(second, operation.ifm2.zero_point, dtype=np.int64, casting="unsafe")
    return (
        arithmetic.binary(b, a, operation) if operation.reversed_operands else arithmetic.binary(a, b, operation)
    )


def count_leading_zeros(values: Integers) -> Integers:
    """Leading zeros of 32-bit words (negative numbers have none)."""
    words = values.astype(np.uint32)
    return 32 - np.frexp(words.astype(np.float64))[1].astype(np.int64)

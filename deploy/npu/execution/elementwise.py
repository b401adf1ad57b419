"""NPU_OP_ELEMENTWISE.

With a = ifm - zero point and b = ifm2 - zero point (or the scalar):

- MUL: 8 and 16 bits scale the product with OFM_SCALE; of 32 bits only its shift applies.
- ADD, SUB: 32 bits add as they are. Else both operands are multiplied by 16-bit OPA and OPB scales, or one is
  scaled with the 32-bit OPA_SCALE and the other shifted left by 19 (8 bits) or 14 (16 bits). Then OFM_SCALE.
- MIN, MAX, SHL, SHR, CLZ: no scale; SHR rounds as the rounding mode says.
- LRELU: OFM_SCALE where a < 0. ABS: OFM_SCALE of the magnitude.

Source: measured against LiteRT's reference kernels.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deploy.npu.errors import UnsupportedError
from deploy.npu.execution import byte_tables
from deploy.npu.execution.activation import clamped, finish
from deploy.npu.execution.feature_maps import read, tiles, write
from deploy.npu.execution.scaling import multiply_shift, rescale, round_half_away
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.elementwise import ElementwiseMode, ElementwiseOperation, OperandScaling
from deploy.npu.stream.operations import Function, Rounding, Scale

_WORTH_A_TABLE = 1 << 12
"""Elements from which a table of all pairs pays; it is kept for the next run."""

# (left shift of the other operand, bits by which its scale was widened), by element size in bytes.
_ADVANCED = {1: (19, 20), 2: (14, 15)}


def elementwise(operation: ElementwiseOperation, workspace: Workspace) -> None:
    """Execute an elementwise operation.

    Raises:
        MemoryAccessError: a feature map lies outside its region.
        UnsupportedError: a combination that is not modelled.
    """
    ofm, ifm2, memory = operation.ofm, operation.ifm2, workspace.memory
    first = read(memory, operation.ifm)
    second = read(memory, ifm2) if ifm2 is not None else None
    batch = max(len(first), 1 if second is None else len(second))
    result = np.empty((batch, ofm.height, ofm.width, ofm.depth), ofm.dtype)
    bytewise = operation.ifm.dtype.itemsize == 1 and (ifm2 is None or ifm2.dtype.itemsize == 1)
    if bytewise and second is None:
        table = _compute(byte_tables.every_byte(operation.ifm.dtype), None, operation)
        result[...] = byte_tables.look_up(finish(table, operation, memory).ravel(), first)
        write(memory, ofm, result)
        return
    pairs = None
    if bytewise and operation.activation.function is Function.NONE and result.size >= _WORTH_A_TABLE:
        pairs = _pair_table(_unplaced(operation))
    for items, rows in tiles(result.shape):
        if pairs is not None and second is not None:
            part = byte_tables.look_up_pairs(pairs, _part(first, items, rows), _part(second, items, rows))
            result[items, rows] = part
            continue
        other = None if second is None else _part(second, items, rows)
        values = _compute(_part(first, items, rows), other, operation)
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
def _pair_table(operation: ElementwiseOperation) -> NDArray[np.generic]:
    """The results for all pairs of bytes (no lookup table involved)."""
    if operation.ifm2 is None:
        raise AssertionError("a table of pairs needs two operands")
    first, second = byte_tables.every_pair(operation.ifm.dtype, operation.ifm2.dtype)
    return clamped(_compute(first, second, operation), operation).ravel()


def _compute(
    first: NDArray[np.generic], second: NDArray[np.generic] | None, operation: ElementwiseOperation
) -> NDArray[np.int64]:
    """Scaled results of elements as they are in memory; ``second`` is None for a scalar or a unary operation."""
    a = np.subtract(first, operation.ifm.zero_point, dtype=np.int64, casting="unsafe")
    if operation.mode.unary:
        return _unary(a, operation)
    if second is None or operation.ifm2 is None:
        return _binary(a, np.full((1, 1, 1, 1), operation.scalar or 0, np.int64), operation)
    b = np.subtract(second, operation.ifm2.zero_point, dtype=np.int64, casting="unsafe")
    return _binary(a, b, operation)


def _unary(a: NDArray[np.int64], operation: ElementwiseOperation) -> NDArray[np.int64]:
    if operation.mode is ElementwiseMode.ABS:
        return _scaled(np.abs(a), operation)
    if operation.mode is ElementwiseMode.LRELU:
        return np.where(a < 0, _scaled(a, operation), a)
    return _count_leading_zeros(a)


def _binary(a: NDArray[np.int64], b: NDArray[np.int64], operation: ElementwiseOperation) -> NDArray[np.int64]:
    mode = operation.mode
    if operation.reversed_operands:
        a, b = b, a
    if mode is ElementwiseMode.MUL:
        scale = operation.scale
        if operation.ifm.dtype.itemsize == 4 and scale is not None:
            return rescale(a * b, 1, scale.shift, operation.rounding)
        return _scaled(a * b, operation)
    if mode in (ElementwiseMode.ADD, ElementwiseMode.SUB):
        a, b = _scale_operands(a, b, operation)
        return _scaled(a + b if mode is ElementwiseMode.ADD else a - b, operation)
    if mode is ElementwiseMode.MIN:
        return _scaled(np.minimum(a, b), operation)
    if mode is ElementwiseMode.MAX:
        return _scaled(np.maximum(a, b), operation)
    amount = np.clip(b, 0, 62)
    if mode is ElementwiseMode.SHL:
        return a << amount
    if operation.rounding is Rounding.TRUNCATE:
        raise UnsupportedError("rounding mode TRUNCATE")
    return rescale(a, 1, amount, operation.rounding)


def _scaled(values: NDArray[np.int64], operation: ElementwiseOperation) -> NDArray[np.int64]:
    if operation.scale is None:
        return values
    return rescale(values, operation.scale.multiplier, operation.scale.shift, operation.rounding)


def _scale_operands(
    a: NDArray[np.int64], b: NDArray[np.int64], operation: ElementwiseOperation
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    size = operation.ifm.dtype.itemsize
    if size == 4:
        return a, b
    if operation.operand_scaling is OperandScaling.BOTH_16:
        return a * operation.operand_a.multiplier, b * operation.operand_b
    left_shift, fraction = _ADVANCED[size]
    if operation.operand_scaling is OperandScaling.A_32:
        return _scale_wide(a, operation.operand_a, 31 - fraction), b << left_shift
    return a << left_shift, _scale_wide(b, operation.operand_a, 31 - fraction)


def _scale_wide(values: NDArray[np.int64], scale: Scale, first: int) -> NDArray[np.int64]:
    """Scale an operand: rounded once up to ``first`` bits of shift, beyond that as TFL does (measured)."""
    result = multiply_shift(values, scale.multiplier, np.asarray(min(scale.shift, first)))
    return round_half_away(result, max(scale.shift - first, 0))


def _count_leading_zeros(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Leading zeros of 32-bit words (negative numbers have none)."""
    words = values.astype(np.uint32)
    return 32 - np.frexp(words.astype(np.float64))[1].astype(np.int64)

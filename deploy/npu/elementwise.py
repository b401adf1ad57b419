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

import numpy as np
from numpy.typing import NDArray

from deploy.npu.activation import finish
from deploy.npu.architecture import Architecture
from deploy.npu.errors import UnsupportedError
from deploy.npu.feature_maps import read, write
from deploy.npu.memory import Memory
from deploy.npu.operations import ElementwiseMode, ElementwiseOperation, OperandScaling, Rounding, Scale
from deploy.npu.scaling import multiply_shift, rescale, round_half_away
from deploy.npu.tiling import tiles

# (left shift of the other operand, bits by which its scale was widened), by element size in bytes.
_ADVANCED = {1: (19, 20), 2: (14, 15)}


def elementwise(operation: ElementwiseOperation, memory: Memory, architecture: Architecture) -> None:
    """Execute an elementwise operation.

    Raises:
        MemoryAccessError: a feature map lies outside its region.
        UnsupportedError: a combination that is not modelled.
    """
    ofm, ifm2 = operation.ofm, operation.ifm2
    first = read(memory, operation.ifm)
    second = read(memory, ifm2) if ifm2 is not None else None
    batch = max(len(first), 1 if second is None else len(second))
    result = np.empty((batch, ofm.height, ofm.width, ofm.depth), ofm.dtype)
    for items, rows in tiles(result.shape):
        a = _operand(first, items, rows, operation.ifm.zero_point)
        if operation.mode.unary:
            values = _unary(a, operation)
        elif second is None or ifm2 is None:
            values = _binary(a, np.full((1, 1, 1, 1), operation.scalar or 0, np.int64), operation)
        else:
            values = _binary(a, _operand(second, items, rows, ifm2.zero_point), operation)
        result[items, rows] = finish(values, operation, memory, architecture)
    write(memory, ofm, result)


def _operand(values: NDArray[np.generic], items: slice, rows: slice, zero_point: int) -> NDArray[np.int64]:
    """A part of an operand without its zero point; where it is broadcast it stays one row or one item."""
    part = values if len(values) == 1 else values[items]
    part = part if part.shape[1] == 1 else part[:, rows]
    operand: NDArray[np.int64] = np.subtract(part, zero_point, dtype=np.int64, casting="unsafe")
    return operand


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

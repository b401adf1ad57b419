"""NPU_OP_ELEMENTWISE of Ethos-U55 and U65.

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

from deploy.npu.execution.elementwise import compute, count_leading_zeros
from deploy.npu.execution.scaling import Integers, rescale, round_half_away
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.elementwise import ElementwiseMode
from deploy.npu.stream.operations import Rounding, Scale
from deploy.npu.stream.u55_operations import OperandScaling, U55ElementwiseOperation

# (left shift of the other operand, bits by which its scale was widened), by element size in bytes.
_ADVANCED = {1: (19, 20), 2: (14, 15)}


def elementwise(operation: U55ElementwiseOperation, workspace: Workspace) -> None:
    """Execute an elementwise operation.

    Raises:
        MemoryAccessError: a feature map lies outside its region.
        UnsupportedError: a combination that is not modelled.
    """
    compute(operation, workspace, _unary, _binary)


def _unary(a: Integers, operation: U55ElementwiseOperation) -> Integers:
    if operation.mode is ElementwiseMode.ABS:
        return _scaled(np.abs(a), operation)
    if operation.mode is ElementwiseMode.LRELU:
        return np.where(a < 0, _scaled(a, operation), a)
    return count_leading_zeros(a)


def _binary(a: Integers, b: Integers, operation: U55ElementwiseOperation) -> Integers:
    mode = operation.mode
    if mode is ElementwiseMode.MUL:
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
    return rescale(a, 1, amount, operation.rounding)


def _scaled(values: Integers, operation: U55ElementwiseOperation) -> Integers:
    scale = operation.applied_scale
    return values if scale is None else rescale(values, scale.multiplier, scale.shift, operation.rounding)


def _scale_operands(a: Integers, b: Integers, operation: U55ElementwiseOperation) -> tuple[Integers, Integers]:
    size = operation.ifm.dtype.itemsize
    if size == 4:
        return a, b
    if operation.operand_scaling is OperandScaling.BOTH_16:
        return a * operation.operand_a.multiplier, b * operation.operand_b
    left_shift, fraction = _ADVANCED[size]
    if operation.operand_scaling is OperandScaling.A_32:
        return _scale_wide(a, operation.operand_a, 31 - fraction), b << left_shift
    return a << left_shift, _scale_wide(b, operation.operand_a, 31 - fraction)


def _scale_wide(values: Integers, scale: Scale, first: int) -> Integers:
    """Scale an operand: rounded once up to ``first`` bits of shift, beyond that as TFL does (measured)."""
    result = rescale(values, scale.multiplier, min(scale.shift, first), Rounding.NATURAL)
    return round_half_away(result, max(scale.shift - first, 0))

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
from numpy.typing import NDArray

from deploy.npu.errors import UnsupportedError
from deploy.npu.execution.elementwise import Arithmetic, compute, count_leading_zeros
from deploy.npu.execution.scaling import multiply_shift, rescale, round_half_away
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
    compute(operation, workspace, _ARITHMETIC)


def _unary(a: NDArray[np.int64], operation: U55ElementwiseOperation) -> NDArray[np.int64]:
    if operation.mode is ElementwiseMode.ABS:
        return _scaled(np.abs(a), operation)
    if operation.mode is ElementwiseMode.LRELU:
        return np.where(a < 0, _scaled(a, operation), a)
    return count_leading_zeros(a)


def _binary(a: NDArray[np.int64], b: NDArray[np.int64], operation: U55ElementwiseOperation) -> NDArray[np.int64]:
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
    if operation.rounding is Rounding.TRUNCATE:
        raise UnsupportedError("rounding mode TRUNCATE")
    return rescale(a, 1, amount, operation.rounding)


def _scaled(values: NDArray[np.int64], operation: U55ElementwiseOperation) -> NDArray[np.int64]:
    scale = operation.applied_scale
    return values if scale is None else rescale(values, scale.multiplier, scale.shift, operation.rounding)


def _scale_operands(
    a: NDArray[np.int64], b: NDArray[np.int64], operation: U55ElementwiseOperation
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


_ARITHMETIC = Arithmetic(_unary, _binary)

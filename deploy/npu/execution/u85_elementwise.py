"""NPU_OP_ELEMENTWISE of Ethos-U85.

With a = the first operand less its zero point, b = the second or the scalar:

- Of 8 and 16 bits both are scaled first, with IFM_SCALE and IFM2_SCALE, but for MUL.
- ADD, SUB, MIN, MAX, MUL: OFM_SCALE of the result; for MUL of 32 bits only its shift applies.
- LRELU: IFM_SCALE where a >= 0, IFM2_SCALE where a < 0. ABS: OFM_SCALE of the magnitude.
- CLZ, SHR (arithmetic, rounded as the rounding mode says), SHL (wraps at 32 bits).
- CMP_*: all ones for true, 0 for false. AND, OR, AND_NOT, NOT: of the bits.

Source: measured against LiteRT's reference kernels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from deploy.npu.errors import UnsupportedError
from deploy.npu.execution.elementwise import compute, count_leading_zeros
from deploy.npu.execution.scaling import Integers, half, multiply_shift, rescale
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.elementwise import ElementwiseMode
from deploy.npu.stream.operations import Rounding
from deploy.npu.stream.u85_operations import U85ElementwiseOperation
from deploy.npu.stream.u85_registers import OperandScale

_PLAIN: dict[ElementwiseMode, Callable[[Integers, Integers], Integers]] = {
    ElementwiseMode.ADD: np.add,
    ElementwiseMode.SUB: np.subtract,
    ElementwiseMode.MIN: np.minimum,
    ElementwiseMode.MAX: np.maximum,
    ElementwiseMode.AND: np.bitwise_and,
    ElementwiseMode.OR: np.bitwise_or,
    ElementwiseMode.AND_NOT: lambda a, b: a & ~b,
}
_COMPARED: dict[ElementwiseMode, Callable[[Integers, Integers], NDArray[np.bool_]]] = {
    ElementwiseMode.CMP_EQ: np.equal,
    ElementwiseMode.CMP_NE: np.not_equal,
    ElementwiseMode.CMP_GE: np.greater_equal,
    ElementwiseMode.CMP_GT: np.greater,
}
UNKNOWN = (ElementwiseMode.LSR, ElementwiseMode.DIV, ElementwiseMode.XOR)
"""What no network has asked for; how quotients are rounded, and what a division by zero gives, no source says."""


def elementwise(operation: U85ElementwiseOperation, workspace: Workspace) -> None:
    """Execute an elementwise operation.

    Raises:
        MemoryAccessError: a feature map lies outside its region.
        UnsupportedError: a combination that is not modelled.
    """
    compute(operation, workspace, _unary, _binary)


def _unary(a: Integers, operation: U85ElementwiseOperation) -> Integers:
    size, first, second = operation.ifm.dtype.itemsize, operation.ifm_scale, operation.ifm2_scale
    if operation.mode is ElementwiseMode.LRELU and second is not None:
        return _output(np.where(a < 0, _scaled(a, second, size), _scaled(a, first, size)), operation)
    if operation.mode is ElementwiseMode.ABS:
        return _output(np.abs(_scaled(a, first, size)), operation)
    if operation.mode is ElementwiseMode.NOT:
        return ~a
    return count_leading_zeros(a)


def _binary(a: Integers, b: Integers, operation: U85ElementwiseOperation) -> Integers:
    mode, size, second = operation.mode, operation.ifm.dtype.itemsize, operation.ifm2_scale
    if mode is ElementwiseMode.MUL:
        return _output(a * b, operation)
    if second is None:
        raise AssertionError("two operands have two scales")
    a, b = _scaled(a, operation.ifm_scale, size), _scaled(b, second, size)
    if mode in _PLAIN:
        return _output(_PLAIN[mode](a, b), operation)
    if mode in _COMPARED:
        return -_COMPARED[mode](a, b).astype(np.int64)
    if mode is ElementwiseMode.SHL:
        return (a << np.clip(b, 0, 31)).astype(np.int32).astype(np.int64)
    if mode is ElementwiseMode.SHR and operation.rounding is Rounding.NATURAL:
        return rescale(a, 1, np.clip(b, 0, 62), Rounding.NATURAL)
    if mode is ElementwiseMode.SHR:
        return a >> np.clip(b, 0, 62)
    raise UnsupportedError("elementwise mode", parameters={"mode": mode.name})


def _output(values: Integers, operation: U85ElementwiseOperation) -> Integers:
    scale = operation.applied_scale
    return values if scale is None else rescale(values, scale.multiplier, scale.shift, operation.rounding)


def _scaled(values: Integers, scale: OperandScale, size: int) -> Integers:
    """An operand scaled; of 32 bits there is no scale."""
    if (scale.multiplier, scale.shift) == (1, 0):
        return values
    if size == 4:
        raise UnsupportedError("an operand of 32 bits with a scale", parameters={"scale": scale})
    shift = np.asarray(scale.shift, np.int64)
    away = np.where(values >= 0, scale.first_half, -scale.first_half)
    return multiply_shift(values, scale.multiplier, shift, half(shift) + away)

"""NPU_OP_ELEMENTWISE: operands and their order; what is computed is the instruction set's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from deploy.npu.execution.activation import finish
from deploy.npu.execution.feature_maps import operand, write
from deploy.npu.execution.scaling import Integers
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.elementwise import ElementwiseOperation

AnyElementwise = TypeVar("AnyElementwise", bound=ElementwiseOperation)


def compute(
    operation: AnyElementwise,
    workspace: Workspace,
    unary: Callable[[Integers, AnyElementwise], Integers],
    binary: Callable[[Integers, Integers, AnyElementwise], Integers],
) -> None:
    """Execute an elementwise operation.

    Args:
        operation: the operation.
        workspace: what it is computed in.
        unary: makes scaled results of an operand less its zero point.
        binary: makes them of two, in their order, which broadcast.

    Raises:
        MemoryAccessError: a feature map lies outside its region.
        UnsupportedError: a combination that is not modelled.
    """
    memory, ofm, ifm2 = workspace.memory, operation.ofm, operation.ifm2
    first = operand(memory, operation.ifm)
    if operation.mode.unary:
        values = unary(first, operation)
    else:
        second = np.full((1, 1, 1, 1), operation.scalar or 0) if ifm2 is None else operand(memory, ifm2)
        a, b = (second, first) if operation.reversed_operands else (first, second)
        values = binary(a, b, operation)
    result = finish(values, operation, memory)
    write(memory, ofm, np.broadcast_to(result, (len(result), *ofm.extents)))


def count_leading_zeros(values: Integers) -> Integers:
    """Leading zeros of 32-bit words (negative numbers have none)."""
    words = values.astype(np.uint32)
    return 32 - np.frexp(words.astype(np.float64))[1].astype(np.int64)

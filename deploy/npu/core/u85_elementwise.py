"""NPU_OP_ELEMENTWISE of Ethos-U85 as ``elementwise.c`` takes it."""

from __future__ import annotations

from deploy.npu.core.elementwise import elementwise_words
from deploy.npu.core.records import NotCovered, Record, Tables, Words, scale
from deploy.npu.execution.u85_elementwise import UNKNOWN
from deploy.npu.stream.elementwise import ElementwiseMode
from deploy.npu.stream.operations import Scale
from deploy.npu.stream.u85_operations import U85ElementwiseOperation
from deploy.npu.stream.u85_registers import OperandScale


def translate_u85_elementwise(operation: U85ElementwiseOperation, tables: Tables) -> Record:
    """An elementwise operation of Ethos-U85."""
    mode, second = operation.mode, operation.ifm2_scale
    if mode in UNKNOWN or (second is None and mode is ElementwiseMode.LRELU):
        raise NotCovered
    if second is None and not mode.unary and mode is not ElementwiseMode.MUL:
        raise NotCovered
    return Record(
        {
            **elementwise_words(operation, tables),
            "kind": tables.numbers["KIND_U85_ELEMENTWISE"],
            **_operand_scale("operand_a", operation.ifm_scale, operation),
            **({} if second is None else _operand_scale("operand_b", second, operation)),
        }
    )


def _operand_scale(name: str, found: OperandScale, operation: U85ElementwiseOperation) -> Words:
    """How an operand is scaled."""
    if (found.multiplier, found.shift) == (1, 0):
        return {}
    if operation.ifm.dtype.itemsize == 4:
        raise NotCovered
    return scale(name, Scale(found.multiplier, found.shift), found.first_half)

"""NPU_OP_ELEMENTWISE as ``elementwise.c`` takes it."""

from __future__ import annotations

from deploy.npu.core.records import NotCovered, Record, Tables, Words, scale
from deploy.npu.execution.u85_elementwise import UNKNOWN
from deploy.npu.stream.elementwise import ElementwiseMode, ElementwiseOperation
from deploy.npu.stream.operations import Scale
from deploy.npu.stream.u55_operations import U55ElementwiseOperation
from deploy.npu.stream.u85_operations import U85ElementwiseOperation
from deploy.npu.stream.u85_registers import OperandScale


def translate_elementwise(operation: U55ElementwiseOperation, tables: Tables) -> Record:
    """An elementwise operation of Ethos-U55 or U65; see :mod:`deploy.npu.core.translation`."""
    return Record(
        {
            **_common(operation, tables),
            "kind": tables.numbers["KIND_U55_ELEMENTWISE"],
            "operand_scaling": int(operation.operand_scaling),
            **scale("operand_a", operation.operand_a),
            **scale("operand_b", Scale(operation.operand_b, 0)),
        }
    )


def translate_u85_elementwise(operation: U85ElementwiseOperation, tables: Tables) -> Record:
    """An elementwise operation of Ethos-U85."""
    mode, second = operation.mode, operation.ifm2_scale
    if mode in UNKNOWN or (second is None and mode is ElementwiseMode.LRELU):
        raise NotCovered
    if second is None and not mode.unary and mode is not ElementwiseMode.MUL:
        raise NotCovered
    return Record(
        {
            **_common(operation, tables),
            "kind": tables.numbers["KIND_U85_ELEMENTWISE"],
            **_operand_scale("operand_a", operation.ifm_scale, operation),
            **({} if second is None else _operand_scale("operand_b", second, operation)),
        }
    )


def _common(operation: ElementwiseOperation, tables: Tables) -> Words:
    return {
        "work": operation.ofm.elements,
        **tables.map("ifm", operation.ifm),
        **({} if operation.ifm2 is None else tables.map("ifm2", operation.ifm2)),
        **tables.output(operation),
        "mode": int(operation.mode),
        "has_ifm2": int(operation.ifm2 is not None),
        "scalar": operation.scalar or 0,
        "reversed_operands": int(operation.reversed_operands),
    }


def _operand_scale(name: str, found: OperandScale, operation: U85ElementwiseOperation) -> Words:
    """How an operand is scaled."""
    if (found.multiplier, found.shift) == (1, 0):
        return {}
    if operation.ifm.dtype.itemsize == 4:
        raise NotCovered
    return {**scale(name, Scale(found.multiplier, found.shift)), f"{name}.away": found.first_half}

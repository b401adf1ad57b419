"""NPU_OP_ELEMENTWISE as ``elementwise.c`` takes it."""

from __future__ import annotations

from deploy.npu.core.records import Record, Tables, Words, scale
from deploy.npu.stream.elementwise import ElementwiseOperation
from deploy.npu.stream.operations import Scale
from deploy.npu.stream.u55_operations import U55ElementwiseOperation


def translate_elementwise(operation: U55ElementwiseOperation, tables: Tables) -> Record:
    """An elementwise operation of Ethos-U55 or U65; see :mod:`deploy.npu.core.translation`."""
    return Record(
        {
            **elementwise_words(operation, tables),
            "kind": tables.numbers["KIND_U55_ELEMENTWISE"],
            "operand_scaling": int(operation.operand_scaling),
            **scale("operand_a", operation.operand_a),
            **scale("operand_b", Scale(operation.operand_b, 0)),
        }
    )


def elementwise_words(operation: ElementwiseOperation, tables: Tables) -> Words:
    """What elementwise operations of all families have in common."""
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

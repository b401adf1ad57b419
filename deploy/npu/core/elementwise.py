"""NPU_OP_ELEMENTWISE as ``elementwise.c`` takes it."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from deploy.npu.core.records import NotCovered, Record, Tables, Words, scale
from deploy.npu.stream.elementwise import ElementwiseMode, ElementwiseOperation
from deploy.npu.stream.operations import Rounding, Scale
from deploy.npu.stream.u55_operations import U55ElementwiseOperation
from deploy.npu.stream.u85_operations import U85ElementwiseOperation
from deploy.npu.stream.u85_registers import OperandScale

AnyElementwise = TypeVar("AnyElementwise", bound=ElementwiseOperation)

_UNKNOWN = (ElementwiseMode.LSR, ElementwiseMode.DIV, ElementwiseMode.XOR)


def translate_elementwise(operation: U55ElementwiseOperation, tables: Tables) -> Record:
    """An elementwise operation of Ethos-U55 or U65; see :mod:`deploy.npu.core.translation`."""
    return Record(
        {
            **_common(_shift_alone(operation), tables),
            "kind": tables.numbers["KIND_U55_ELEMENTWISE"],
            "operand_scaling": int(operation.operand_scaling),
            **scale("operand_a", operation.operand_a),
            **scale("operand_b", Scale(operation.operand_b, 0)),
        }
    )


def translate_u85_elementwise(operation: U85ElementwiseOperation, tables: Tables) -> Record:
    """An elementwise operation of Ethos-U85."""
    mode, second = operation.mode, operation.ifm2_scale
    if mode in _UNKNOWN or (second is None and mode is ElementwiseMode.LRELU):
        raise NotCovered
    if second is None and not mode.unary and mode is not ElementwiseMode.MUL:
        raise NotCovered
    return Record(
        {
            **_common(_shift_alone(operation), tables),
            "kind": tables.numbers["KIND_U85_ELEMENTWISE"],
            **_operand_scale("operand_a", operation.ifm_scale, operation),
            **({} if second is None else _operand_scale("operand_b", second, operation)),
        }
    )


def _shift_alone(operation: AnyElementwise) -> AnyElementwise:
    """Of products of 32 bits the scale's shift alone applies."""
    if operation.mode is ElementwiseMode.MUL and operation.ifm.dtype.itemsize == 4 and operation.scale is not None:
        return replace(operation, scale=Scale(1, operation.scale.shift))
    return operation


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
    """How an operand is scaled; TFL's first rounding is below the bits by which the multiplier was widened."""
    if (found.multiplier, found.shift) == (1, 0):
        return {}
    if operation.ifm.dtype.itemsize == 4:
        raise NotCovered
    twice = found.rounding is Rounding.TFL and found.shift > 31 - found.widened
    away = 1 << max(30 - found.widened, 0) if twice else 0
    return {**scale(name, Scale(found.multiplier, found.shift)), f"{name}.away": away}

"""NPU_OP_ELEMENTWISE: what the instruction sets have in common."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from deploy.npu.stream.operations import BlockOperation, FeatureMap, Scale


class ElementwiseMode(IntEnum):
    """Parameter of NPU_OP_ELEMENTWISE; from LSR on those of U85 alone."""

    MUL = 0
    ADD = 1
    SUB = 2
    MIN = 3
    MAX = 4
    LRELU = 5
    ABS = 6
    CLZ = 7
    SHR = 8
    SHL = 9
    LSR = 10
    DIV = 11
    CMP_EQ = 16
    CMP_NE = 17
    CMP_GE = 18
    CMP_GT = 19
    AND = 33
    OR = 34
    XOR = 35
    NOT = 36
    AND_NOT = 42

    @property
    def unary(self) -> bool:
        """Whether the operation has no second operand."""
        return self in _UNARY


_UNARY = (ElementwiseMode.LRELU, ElementwiseMode.ABS, ElementwiseMode.CLZ, ElementwiseMode.NOT)


@dataclass(frozen=True, slots=True)
class ElementwiseOperation(BlockOperation):
    """An elementwise operation.

    Attributes:
        ifm2: second input with its broadcast extents (1 where it is repeated); None for a scalar or none.
        scalar: second operand when it is a constant, zero point already subtracted; else None.
        reversed_operands: the second input (or the scalar) is the first operand.
    """

    mode: ElementwiseMode
    ifm2: FeatureMap | None
    scalar: int | None
    reversed_operands: bool

    @property
    def label(self) -> str:
        """``ELEMENTWISE.ADD`` and so on."""
        return f"ELEMENTWISE.{self.mode.name}"

    @property
    def macs(self) -> int:
        """None: the MAC units stand still."""
        return 0

    @property
    def by_channel(self) -> bool:
        """Always."""
        return True

    @property
    def applied_scale(self) -> Scale | None:
        """Of products of 32 bits the shift alone applies."""
        if self.mode is ElementwiseMode.MUL and self.ifm.dtype.itemsize == 4 and self.scale is not None:
            return Scale(1, self.scale.shift)
        return self.scale

    @property
    def inputs(self) -> tuple[FeatureMap, ...]:
        """One or two operands."""
        return (self.ifm,) if self.ifm2 is None else (self.ifm, self.ifm2)

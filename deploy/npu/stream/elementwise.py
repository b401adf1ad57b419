"""NPU_OP_ELEMENTWISE as the command stream states it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from deploy.npu.errors import StreamError, UnsupportedError
from deploy.npu.stream.commands import Command
from deploy.npu.stream.operations import NO_PADDING, POINT, BlockOperation, FeatureMap, Scale, Upscale
from deploy.npu.stream.u55_commands import Cmd0, Cmd1
from deploy.npu.stream.u55_registers import RegisterValues


class ElementwiseMode(IntEnum):
    """Parameter of NPU_OP_ELEMENTWISE."""

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

    @property
    def unary(self) -> bool:
        """Whether the operation has no second operand."""
        return self in (ElementwiseMode.LRELU, ElementwiseMode.ABS, ElementwiseMode.CLZ)


class OperandScaling(IntEnum):
    """IFM_PRECISION bits 9:8: which operand of an addition is scaled with 32 bits."""

    BOTH_16 = 0
    A_32 = 1
    B_32 = 2


@dataclass(frozen=True, slots=True)
class ElementwiseOperation(BlockOperation):
    """An elementwise operation.

    Attributes:
        ifm2: second input with its broadcast extents (1 where it is repeated); None for a scalar or none.
        scalar: second operand when it is a constant, zero point already subtracted; else None.
        reversed_operands: the second input is the first operand.
        operand_a: OPA_SCALE.
        operand_b: OPB_SCALE (multiplier only).
    """

    mode: ElementwiseMode
    ifm2: FeatureMap | None
    scalar: int | None
    reversed_operands: bool
    operand_scaling: OperandScaling
    operand_a: Scale
    operand_b: int

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
    def inputs(self) -> tuple[FeatureMap, ...]:
        """One or two operands."""
        return (self.ifm,) if self.ifm2 is None else (self.ifm, self.ifm2)


def read_elementwise(values: RegisterValues, command: Command, index: int) -> ElementwiseOperation:
    """The elementwise operation that a command starts.

    Raises:
        StreamError: registers that make no sense.
        UnsupportedError: a combination that is not modelled.
    """
    if command.parameter > ElementwiseMode.SHL:
        raise UnsupportedError("elementwise mode", parameters={"parameter": command.parameter})
    mode = ElementwiseMode(command.parameter)
    if values.upscale() is not Upscale.NONE:
        raise UnsupportedError("an elementwise operation with upscaling")
    ofm = values.ofm()
    depth = values.u16(Cmd0.NPU_SET_IFM_DEPTH_M1) + 1
    if depth != ofm.depth:
        raise StreamError("an elementwise operation keeps the depth", parameters={"ifm": depth, "ofm": ofm.depth})
    ifm = values.input_map("IFM", ofm.height, ofm.width, ofm.depth)
    ifm2: FeatureMap | None = None
    scalar: int | None = None
    broadcast = 0
    if not mode.unary:
        broadcast = values.u16(Cmd0.NPU_SET_IFM2_BROADCAST)
        if broadcast & 0x80:
            scalar = values.s16(Cmd0.NPU_SET_IFM2_SCALAR) - values.s16(Cmd0.NPU_SET_IFM2_ZERO_POINT)
        else:
            ifm2 = values.input_map(
                "IFM2",
                1 if broadcast & 1 else ofm.height,
                1 if broadcast & 2 else ofm.width,
                1 if broadcast & 4 else ofm.depth,
            )
    operand_scaling, operand_a, operand_b = OperandScaling.BOTH_16, Scale(1, 0), 1
    if mode in (ElementwiseMode.ADD, ElementwiseMode.SUB) and ifm.dtype.itemsize < 4:
        operand_scaling = OperandScaling(values.scaled_operand())
        operand_a = values.scale(Cmd1.NPU_SET_OPA_SCALE)
        if operand_scaling is OperandScaling.BOTH_16:
            operand_b = values.scale(Cmd1.NPU_SET_OPB_SCALE).multiplier
    return ElementwiseOperation(
        **values.common(command, index, ofm),
        ifm=ifm,
        kernel=POINT,
        padding=NO_PADDING,
        upscale=Upscale.NONE,
        mode=mode,
        ifm2=ifm2,
        scalar=scalar,
        reversed_operands=bool(broadcast & 0x40),
        operand_scaling=operand_scaling,
        operand_a=operand_a,
        operand_b=operand_b,
    )

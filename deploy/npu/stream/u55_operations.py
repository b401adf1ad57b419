"""The operations that a command stream for Ethos-U55 or U65 starts, made from the registers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from deploy.npu.errors import StreamError, UnsupportedError
from deploy.npu.stream.commands import Command
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.dma import DmaOperation
from deploy.npu.stream.elementwise import ElementwiseMode, ElementwiseOperation
from deploy.npu.stream.operations import NO_PADDING, POINT, FeatureMap, Scale, Upscale
from deploy.npu.stream.pooling import PoolingMode, PoolingOperation
from deploy.npu.stream.register_values import address_of, group
from deploy.npu.stream.u55_commands import Cmd0, Cmd1
from deploy.npu.stream.u55_registers import U55RegisterValues

# Named once: an attribute of an enumeration takes long (Python 3.11), and a stream has hundreds of operations.
_DEPTHWISE = Cmd0.NPU_OP_DEPTHWISE
_WEIGHTS, _SCALES = (
    tuple(group(f"{what}_REGION", f"{what}{core}_BASE", f"{what}{core}_LENGTH") for core in ("", 1))
    for what in ("WEIGHT", "SCALE")
)
_DMA = group("DMA0_SRC_REGION", "DMA0_DST_REGION", "DMA0_SRC", "DMA0_DST", "DMA0_LEN")


class OperandScaling(IntEnum):
    """IFM_PRECISION bits 9:8: which operand of an addition is scaled with 32 bits."""

    BOTH_16 = 0
    A_32 = 1
    B_32 = 2


@dataclass(frozen=True, slots=True)
class U55ElementwiseOperation(ElementwiseOperation):
    """An elementwise operation of U55 or U65.

    Attributes:
        operand_a: OPA_SCALE.
        operand_b: OPB_SCALE (multiplier only).
    """

    operand_scaling: OperandScaling
    operand_a: Scale
    operand_b: int


def read_convolution(values: U55RegisterValues, command: Command, index: int) -> ConvolutionOperation:
    """The convolution that a command starts.

    Raises:
        StreamError: registers that make no sense.
        UnsupportedError: a combination that is not modelled.
    """
    ofm, kernel, padding, upscale = values.ofm(), values.kernel(), values.padding(), values.upscale()
    ifm = values.ifm_of_kernel(ofm, kernel, padding, upscale)
    depthwise = command.code is _DEPTHWISE
    if depthwise and ifm.depth != ofm.depth:
        raise StreamError(
            "a depthwise convolution keeps the depth", parameters={"ifm": ifm.depth, "ofm": ofm.depth}
        )
    if values.ofm_scale() is not None:
        raise UnsupportedError("a convolution with the global OFM scale")
    # A core without a channel to compute has no streams (measured: Vela leaves its registers alone).
    working = min(values.cores(), ofm.depth)
    return ConvolutionOperation(
        **values.common(command, index, ofm),
        ifm=ifm,
        kernel=kernel,
        padding=padding,
        upscale=upscale,
        depthwise=depthwise,
        cores=values.cores(),
        weights=values.core_ranges(_WEIGHTS, working),
        scales=values.core_ranges(_SCALES, working),
    )


def read_pooling(values: U55RegisterValues, command: Command, index: int) -> PoolingOperation:
    """The pooling that a command starts.

    Raises:
        StreamError: registers that make no sense.
        UnsupportedError: a combination that is not modelled.
    """
    if command.parameter > PoolingMode.REDUCE_SUM:
        raise UnsupportedError("pooling mode", parameters={"parameter": command.parameter})
    mode = PoolingMode(command.parameter)
    ofm, kernel, padding, upscale = values.ofm(), values.kernel(), values.padding(), values.upscale()
    ifm = values.ifm_of_kernel(ofm, kernel, padding, upscale)
    depth = 1 if mode is PoolingMode.REDUCE_SUM else ifm.depth
    if ofm.depth != depth:
        raise StreamError(
            f"{mode.name} pooling gives {depth} channels", parameters={"ifm": ifm.depth, "ofm": ofm.depth}
        )
    common = values.common(command, index, ofm)
    if mode is PoolingMode.MAX:
        # A maximum is not scaled, whatever OFM_SCALE says. (Source: inferred. Vela 5.0.0 puts the average's
        # 1 / elements of the kernel there for every MAX_POOL_2D, 5.1.0 puts 1; its notes call neither a defect.)
        common["scale"] = None
    return PoolingOperation(**common, ifm=ifm, kernel=kernel, padding=padding, upscale=upscale, mode=mode)


def read_elementwise(values: U55RegisterValues, command: Command, index: int) -> U55ElementwiseOperation:
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
    return U55ElementwiseOperation(
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


def read_dma(values: U55RegisterValues, command: Command, index: int) -> DmaOperation:
    """The transfer that a command starts.

    Raises:
        StreamError: a register that was never set.
        UnsupportedError: a channel or a mode that is not modelled.
    """
    if command.parameter:
        raise UnsupportedError("DMA channel or mode", parameters={"parameter": command.parameter})
    (source_region, _), (destination_region, _), source, destination, length = values.group(_DMA)
    if (source_region | destination_region) & ~0x107:
        raise UnsupportedError(
            "DMA region or stride mode",
            parameters={
                "NPU_SET_DMA0_SRC_REGION": hex(source_region),
                "NPU_SET_DMA0_DST_REGION": hex(destination_region),
            },
        )
    return DmaOperation(
        index=index,
        command=command.code._name_,
        offset=command.offset,
        source_region=None if source_region & 0x100 else source_region,
        source=address_of(source),
        destination_region=None if destination_region & 0x100 else destination_region,
        destination=address_of(destination),
        length=address_of(length),
    )

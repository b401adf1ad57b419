"""Turns a command stream into operations: keeps the registers and reads them when an operation starts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deploy.npu.architecture import Architecture
from deploy.npu.errors import NpuError, StreamError, UnsupportedError
from deploy.npu.stream.commands import Cmd0, Cmd1, Command, split
from deploy.npu.stream.operations import (
    ConvolutionOperation,
    DmaOperation,
    ElementwiseMode,
    ElementwiseOperation,
    FeatureMap,
    OperandScaling,
    Operation,
    PoolingMode,
    PoolingOperation,
    Scale,
    Upscale,
)
from deploy.npu.stream.register_values import RegisterValues
from deploy.npu.timing.statistics import OperationRecord, record

_IGNORED = frozenset(
    # Program order is execution order here, so nothing has to be waited for.
    [Cmd0.NPU_OP_DMA_WAIT, Cmd0.NPU_OP_KERNEL_WAIT, Cmd0.NPU_OP_PMU_MASK, Cmd0.NPU_OP_IRQ]
)
_KERNEL_OPERATIONS = frozenset(
    [Cmd0.NPU_OP_CONV, Cmd0.NPU_OP_DEPTHWISE, Cmd0.NPU_OP_POOL, Cmd0.NPU_OP_ELEMENTWISE]
)


@dataclass(frozen=True)
class Program:
    """A decoded command stream.

    Attributes:
        operations: in execution order.
        stopped: whether the stream ended with NPU_OP_STOP.
        words: how many words were consumed.
    """

    operations: tuple[Operation, ...]
    stopped: bool
    words: int
    _records: dict[tuple[int, int], OperationRecord] = field(default_factory=dict, repr=False, compare=False)

    def described(self, operation: Operation, architecture: Architecture, region_config: int) -> OperationRecord:
        """The record of one of the operations; made once, since every run of the program asks for it again."""
        key = (operation.index, region_config)
        if key not in self._records:
            self._records[key] = record(operation, architecture, region_config)
        return self._records[key]


def decode(stream: NDArray[np.uint32], architecture: Architecture) -> Program:
    """Decode a command stream up to NPU_OP_STOP or its end.

    Args:
        stream: uint32 words.
        architecture: the NPU that executes it.

    Raises:
        StreamError: malformed, or a register has a value that makes no sense.
        UnsupportedError: something that the model does not compute.
    """
    values = RegisterValues(architecture)
    operations: list[Operation] = []
    for command in split(stream):
        code = command.code
        if isinstance(code, Cmd1) or code >= Cmd0.NPU_SET_IFM_PAD_TOP:
            values.set(command)
        elif code is Cmd0.NPU_OP_STOP:
            return Program(tuple(operations), True, command.offset // 4 + 1)
        elif code not in _IGNORED:
            try:
                operations.append(_operation(values, command, len(operations)))
            except NpuError as error:
                error.locate(command=code.name, offset=command.offset, operation=len(operations))
                raise
    return Program(tuple(operations), False, int(stream.size))


def _operation(values: RegisterValues, command: Command, index: int) -> Operation:
    code = command.code
    if code is Cmd0.NPU_OP_DMA_START:
        return _dma(values, command, index)
    if code is Cmd0.NPU_OP_ELEMENTWISE:
        return _elementwise(values, command, index)
    if code is Cmd0.NPU_OP_POOL:
        return _pooling(values, command, index)
    if code in _KERNEL_OPERATIONS:
        return _convolution(values, command, index)
    raise UnsupportedError("no such operation", parameters={"parameter": command.parameter})


def _dma(values: RegisterValues, command: Command, index: int) -> DmaOperation:
    if command.parameter:
        raise UnsupportedError("DMA channel or mode", parameters={"parameter": command.parameter})
    regions: list[int | None] = []
    for code in (Cmd0.NPU_SET_DMA0_SRC_REGION, Cmd0.NPU_SET_DMA0_DST_REGION):
        bits = values.u16(code)
        if bits & ~0x107:
            raise UnsupportedError("DMA region or stride mode", parameters={code.name: hex(bits)})
        regions.append(None if bits & 0x100 else bits)
    return DmaOperation(
        index=index,
        command=command.code.name,
        offset=command.offset,
        source_region=regions[0],
        source=values.address(Cmd1.NPU_SET_DMA0_SRC),
        destination_region=regions[1],
        destination=values.address(Cmd1.NPU_SET_DMA0_DST),
        length=values.address(Cmd1.NPU_SET_DMA0_LEN),
    )


def _convolution(values: RegisterValues, command: Command, index: int) -> ConvolutionOperation:
    ofm, kernel, padding, upscale = values.ofm(), values.kernel(), values.padding(), values.upscale()
    ifm = values.ifm_of_kernel(ofm, kernel, padding, upscale)
    depthwise = command.code is Cmd0.NPU_OP_DEPTHWISE
    if depthwise and ifm.depth != ofm.depth:
        raise StreamError(
            "a depthwise convolution keeps the depth", parameters={"ifm": ifm.depth, "ofm": ofm.depth}
        )
    scale = values.ofm_scale()
    if scale is not None:
        raise UnsupportedError("a convolution with the global OFM scale")
    # A core without a channel to compute has no streams (measured: Vela leaves its registers alone).
    working = min(values.cores(), ofm.depth)
    return ConvolutionOperation(
        index=index,
        command=command.code.name,
        offset=command.offset,
        ifm=ifm,
        ofm=ofm,
        activation=values.activation(ofm),
        rounding=values.rounding(),
        scale=None,
        block=values.block(),
        depthwise=depthwise,
        kernel=kernel,
        padding=padding,
        upscale=upscale,
        cores=values.cores(),
        weights=values.core_ranges(
            Cmd0.NPU_SET_WEIGHT_REGION,
            [
                (Cmd1.NPU_SET_WEIGHT_BASE, Cmd1.NPU_SET_WEIGHT_LENGTH),
                (Cmd1.NPU_SET_WEIGHT1_BASE, Cmd1.NPU_SET_WEIGHT1_LENGTH),
            ],
            working,
        ),
        scales=values.core_ranges(
            Cmd0.NPU_SET_SCALE_REGION,
            [
                (Cmd1.NPU_SET_SCALE_BASE, Cmd1.NPU_SET_SCALE_LENGTH),
                (Cmd1.NPU_SET_SCALE1_BASE, Cmd1.NPU_SET_SCALE1_LENGTH),
            ],
            working,
        ),
    )


def _pooling(values: RegisterValues, command: Command, index: int) -> PoolingOperation:
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
    return PoolingOperation(
        index=index,
        command=command.code.name,
        offset=command.offset,
        ifm=ifm,
        ofm=ofm,
        activation=values.activation(ofm),
        rounding=values.rounding(),
        scale=values.ofm_scale(),
        block=values.block(),
        mode=mode,
        kernel=kernel,
        padding=padding,
        upscale=upscale,
    )


def _elementwise(values: RegisterValues, command: Command, index: int) -> ElementwiseOperation:
    if command.parameter > ElementwiseMode.SHL:
        raise UnsupportedError("elementwise mode", parameters={"parameter": command.parameter})
    mode = ElementwiseMode(command.parameter)
    if values.upscale() is not Upscale.NONE:
        raise UnsupportedError("an elementwise operation with upscaling")
    ofm = values.ofm()
    depth = values.u16(Cmd0.NPU_SET_IFM_DEPTH_M1) + 1
    if depth != ofm.depth:
        raise StreamError("an elementwise operation keeps the depth", parameters={"ifm": depth, "ofm": ofm.depth})
    ifm = values.feature_map("IFM", ofm.height, ofm.width, ofm.depth)
    ifm2: FeatureMap | None = None
    scalar: int | None = None
    broadcast = 0
    if not mode.unary:
        broadcast = values.u16(Cmd0.NPU_SET_IFM2_BROADCAST)
        if broadcast & 0x80:
            scalar = values.s16(Cmd0.NPU_SET_IFM2_SCALAR) - values.s16(Cmd0.NPU_SET_IFM2_ZERO_POINT)
        else:
            ifm2 = values.feature_map(
                "IFM2",
                1 if broadcast & 1 else ofm.height,
                1 if broadcast & 2 else ofm.width,
                1 if broadcast & 4 else ofm.depth,
            )
    operand_scaling, operand_a, operand_b = OperandScaling.BOTH_16, Scale(1, 0), 1
    if mode in (ElementwiseMode.ADD, ElementwiseMode.SUB) and ifm.dtype.itemsize < 4:
        operand_scaling = values.operand_scaling()
        operand_a = values.scale(Cmd1.NPU_SET_OPA_SCALE)
        if operand_scaling is OperandScaling.BOTH_16:
            operand_b = values.scale(Cmd1.NPU_SET_OPB_SCALE).multiplier
    return ElementwiseOperation(
        index=index,
        command=command.code.name,
        offset=command.offset,
        ifm=ifm,
        ofm=ofm,
        activation=values.activation(ofm),
        rounding=values.rounding(),
        scale=values.ofm_scale(),
        block=values.block(),
        mode=mode,
        ifm2=ifm2,
        scalar=scalar,
        reversed_operands=bool(broadcast & 0x40),
        operand_scaling=operand_scaling,
        operand_a=operand_a,
        operand_b=operand_b,
    )

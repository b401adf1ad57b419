"""The operations that a command stream for Ethos-U85 starts, made from the registers."""

from __future__ import annotations

from deploy.npu.errors import StreamError, UnsupportedError
from deploy.npu.stream.commands import Command
from deploy.npu.stream.elementwise import ElementwiseMode
from deploy.npu.stream.operations import NO_PADDING, POINT, AddressRange, FeatureMap, Three, Upscale
from deploy.npu.stream.pooling import PoolingMode
from deploy.npu.stream.register_values import extents_read, group
from deploy.npu.stream.u85_commands import Cmd0, Cmd1
from deploy.npu.stream.u85_operations import (
    AxisSampling,
    ResizeMode,
    ResizeOperation,
    RowsDmaOperation,
    RowsEnd,
    U85ConvolutionOperation,
    U85ElementwiseOperation,
    U85PoolingOperation,
)
from deploy.npu.stream.u85_registers import Start, U85RegisterValues


def read_convolution(values: U85RegisterValues, command: Command, index: int) -> U85ConvolutionOperation:
    """The convolution that a command starts.

    Raises:
        StreamError: registers that make no sense.
        UnsupportedError: a combination that is not modelled.
    """
    values.refuse_upscaling()
    ofm, kernel, padding = values.ofm(), values.kernel(), values.padding()
    depthwise, from_ifm2 = command.code is Cmd0.NPU_OP_DEPTHWISE, bool(command.parameter & 1)
    depth = ofm.depth if depthwise else values.ifm_depth()
    ifm = values.input_map("IFM", (*extents_read(ofm, kernel, padding, Upscale.NONE), depth))
    accumulators, common = values.accumulators(), values.common(command, index, ofm)
    if accumulators.start is Start.IFM2:
        raise UnsupportedError("accumulators of a convolution", parameters={"accumulators": accumulators})
    if from_ifm2 is not (common["scale"] is not None):
        raise UnsupportedError("a convolution with the global OFM scale", parameters={"IFM2": from_ifm2})
    fast, sparse, weights, scales = False, False, tuple[AddressRange, ...](), tuple[AddressRange, ...]()
    if not from_ifm2:
        form = values.u16(Cmd0.NPU_SET_WEIGHT_FORMAT)
        fast, sparse = bool(form & 1), bool(form & 0x10)
        weights = _weights(values, 1 if fast else values.design.cores)
        scales = (values.range(_SCALES),)
    if depthwise and (fast or sparse):
        raise UnsupportedError("weights of a depthwise convolution", parameters={"fast": fast, "sparse": sparse})
    return U85ConvolutionOperation(
        **common,
        ifm=ifm,
        kernel=kernel,
        padding=padding,
        upscale=Upscale.NONE,
        depthwise=depthwise,
        cores=values.design.cores,
        weights=weights,
        scales=scales,
        accumulators=accumulators,
        ifm2=values.input_map("IFM2", (1, ofm.depth, ifm.depth)) if from_ifm2 else None,
        fast=fast,
        sparse=sparse,
    )


_SCALES = group("SCALE_REGION", "SCALE_BASE", "SCALE_LENGTH")
_WEIGHTS = tuple(group("WEIGHT_REGION", f"WEIGHT{core}_BASE", f"WEIGHT{core}_LENGTH") for core in ("", 1, 2, 3))
_WEIGHT_LENGTHS = tuple(f"NPU_SET_WEIGHT{core}_LENGTH" for core in ("", 1, 2, 3))


def _weights(values: U85RegisterValues, streams: int) -> tuple[AddressRange, ...]:
    """The weight streams, one a core; those of cores without a channel to compute are empty and nowhere."""
    found = []
    for wanted, length in zip(_WEIGHTS[:streams], _WEIGHT_LENGTHS, strict=False):
        if any(values.named(length)):
            found.append(values.range(wanted))
        else:
            found.append(AddressRange(values.u16(Cmd0.NPU_SET_WEIGHT_REGION), 0, 0))
    return tuple(found)


def read_pooling(values: U85RegisterValues, command: Command, index: int) -> U85PoolingOperation:
    """The pooling that a command starts.

    Raises:
        StreamError: registers that make no sense.
        UnsupportedError: a combination that is not modelled.
    """
    mode = PoolingMode(command.parameter)
    if mode in (PoolingMode.ARGMAX_Y,):
        raise UnsupportedError("pooling mode", parameters={"mode": mode.name})
    filling = mode is PoolingMode.NONE
    values.refuse_upscaling()
    ofm, kernel, padding = values.ofm(wide=filling), values.kernel(), values.padding()
    accumulators = values.accumulators()
    if accumulators.start is not (Start.IFM2 if filling else Start.ZERO) or not (filling or accumulators.stored):
        raise UnsupportedError("accumulators of a pooling", parameters={"accumulators": accumulators})
    depth = values.ifm_depth() if mode is PoolingMode.REDUCE_SUM else ofm.depth
    if mode is PoolingMode.REDUCE_SUM and ofm.depth != 1:
        raise StreamError("REDUCE_SUM pooling gives 1 channel", parameters={"ofm": ofm.depth})
    # With NONE the IFM is not looked at: the accumulators are filled from the second one.
    which = "IFM2" if filling else "IFM"
    ifm = values.input_map(which, (*extents_read(ofm, kernel, padding, Upscale.NONE), depth), wide=filling)
    return U85PoolingOperation(
        **values.common(command, index, ofm),
        ifm=ifm,
        kernel=kernel,
        padding=padding,
        upscale=Upscale.NONE,
        mode=mode,
        accumulators=accumulators,
    )


_UNSEEN = (ElementwiseMode.LSR, ElementwiseMode.XOR)
"""Elementwise modes that no network has asked for yet."""


def read_elementwise(values: U85RegisterValues, command: Command, index: int) -> U85ElementwiseOperation:
    """The elementwise operation that a command starts.

    Raises:
        StreamError: registers that make no sense.
        UnsupportedError: a combination that is not modelled.
    """
    if command.parameter not in set(ElementwiseMode):
        raise UnsupportedError("elementwise mode", parameters={"parameter": command.parameter})
    mode = ElementwiseMode(command.parameter)
    if mode in _UNSEEN:
        raise UnsupportedError("elementwise mode", parameters={"mode": mode.name})
    values.refuse_upscaling()
    accumulators = values.accumulators()
    if accumulators.start is not Start.ZERO or not accumulators.stored:
        raise UnsupportedError("accumulators of an elementwise operation", parameters={"format": accumulators})
    ofm = values.ofm()
    scaled_twice = not mode.unary or mode is ElementwiseMode.LRELU
    first, second = _operand(values, "IFM", ofm), None if mode.unary else _operand(values, "IFM2", ofm)
    map1, map2 = (one if isinstance(one, FeatureMap) else None for one in (first, second))
    scalar = next((one for one in (first, second) if isinstance(one, int)), None)
    if (ifm := map1 or map2) is None:
        raise StreamError("an elementwise operation without a feature map")
    return U85ElementwiseOperation(
        **values.common(command, index, ofm),
        ifm=ifm,
        kernel=POINT,
        padding=NO_PADDING,
        upscale=Upscale.NONE,
        mode=mode,
        ifm2=map2 if map1 is not None else None,
        scalar=scalar,
        reversed_operands=map1 is None,
        ifm_scale=values.operand_scale("IFM"),
        ifm2_scale=values.operand_scale("IFM2") if scaled_twice else None,
    )


def _operand(values: U85RegisterValues, which: str, ofm: FeatureMap) -> FeatureMap | int:
    """An operand: a feature map with its broadcast extents, or a constant without its zero point."""
    if values.is_scalar(which):
        return values.scalar() - values.zero_point(which)
    broadcast = values.u16(Cmd0[f"NPU_SET_{which}_BROADCAST"])
    height, width, depth = (1 if broadcast >> axis & 1 else ofm.extents[axis] for axis in range(3))
    return values.input_map(which, (height, width, depth))


def read_resize(values: U85RegisterValues, command: Command, index: int) -> ResizeOperation:
    """The resizing that a command starts.

    Raises:
        StreamError: registers that make no sense.
        UnsupportedError: a combination that is not modelled.
    """
    if command.parameter not in (ResizeMode.BILINEAR, ResizeMode.NEAREST):
        raise UnsupportedError("resize mode", parameters={"parameter": command.parameter})
    values.refuse_upscaling()
    ofm = values.ofm()
    extents: Three = (
        values.u16(Cmd0.NPU_SET_KERNEL_HEIGHT_M1) + 1,
        values.u16(Cmd0.NPU_SET_KERNEL_WIDTH_M1) + 1,
        ofm.depth,
    )
    common = values.common(command, index, ofm)
    if common["scale"] is None:
        raise UnsupportedError("a resizing with one scale per channel")
    return ResizeOperation(
        **common,
        ifm=values.input_map("IFM", extents),
        kernel=POINT,
        padding=NO_PADDING,
        upscale=Upscale.NONE,
        mode=ResizeMode(command.parameter),
        vertical=_sampling(values, "Y"),
        horizontal=_sampling(values, "X"),
    )


def _sampling(values: U85RegisterValues, axis: str) -> AxisSampling:
    parts = values.u16(Cmd0[f"NPU_SET_RESIZE_{axis}_SCALE_N_M1"]) + 1
    whole, rest = values.raw(Cmd1[f"NPU_SET_RESIZE_{axis}_STEP"])
    offset = values.u16(Cmd0[f"NPU_SET_RESIZE_{axis}_OFFSET"])
    return AxisSampling(
        parts, (whole & 0xF) * parts + (rest & 0x7FF), offset - 0x1000 if offset & 0x800 else offset
    )


def read_dma(values: U85RegisterValues, command: Command, index: int) -> RowsDmaOperation:
    """The transfer that a command starts.

    Raises:
        StreamError: a register that was never set, both ends with indices, or nothing to transfer.
        UnsupportedError: a mode that does not exist.
    """
    source, destination = values.u16(Cmd0.NPU_SET_DMA0_SRC_REGION), values.u16(Cmd0.NPU_SET_DMA0_DST_REGION)
    mode, from_index, to_index = source >> 9 & 3, bool(source & 0x800), bool(destination & 0x800)
    bits = {"NPU_SET_DMA0_SRC_REGION": hex(source), "NPU_SET_DMA0_DST_REGION": hex(destination)}
    if mode > 2:
        raise UnsupportedError("DMA stride mode", parameters=bits)
    if from_index and to_index:
        raise StreamError("a transfer with indices of both ends", parameters=bits)
    rows = values.u16(Cmd0.NPU_SET_DMA0_SIZE0) if mode else 1
    planes = values.u16(Cmd0.NPU_SET_DMA0_SIZE1) if mode > 1 else 1
    length = values.address(Cmd1.NPU_SET_DMA0_LEN)
    if not (rows and planes and length):
        raise StreamError(
            "a transfer of nothing", parameters={"planes": planes, "rows": rows, "bytes of a row": length}
        )
    indices, highest, skip = None, 0, 0
    if from_index or to_index:
        address = values.address(Cmd1.NPU_SET_DMA0_IDX)
        indices = AddressRange(values.u16(Cmd0.NPU_SET_DMA0_IDX_REGION), address, 4 * rows * planes)
        highest = values.raw(Cmd1.NPU_SET_DMA0_IDX_MAX)[1]
        skip = values.address(Cmd1.NPU_SET_DMA0_IDX_SKIP1) if mode > 1 else 0

    def end(bits: int, which: str, *, indexed: bool) -> RowsEnd:
        return RowsEnd(
            region=None if bits & 0x100 else bits & 7,
            address=values.address(Cmd1[f"NPU_SET_DMA0_{which}"]),
            stride=values.stride(Cmd1[f"NPU_SET_DMA0_{which}_STRIDE0"]) if mode or indexed else 0,
            plane_stride=values.stride(Cmd1[f"NPU_SET_DMA0_{which}_STRIDE1"]) if mode > 1 else 0,
            indexed=indexed,
        )

    return RowsDmaOperation(
        index=index,
        command=command.code.name,
        offset=command.offset,
        source=end(source, "SRC", indexed=from_index),
        destination=end(destination, "DST", indexed=to_index),
        length=length,
        rows=rows,
        planes=planes,
        indices=indices,
        highest_index=highest,
        index_skip=skip,
    )

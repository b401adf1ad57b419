"""One line of text for an NPU operation: what somebody who hunts a difference wants to know about it."""

from __future__ import annotations

from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.elementwise import ElementwiseOperation
from deploy.npu.stream.operations import BlockOperation, FeatureMap, Function, Scale, Upscale
from deploy.npu.stream.pooling import PoolingOperation
from deploy.npu.stream.u55_operations import U55ElementwiseOperation
from deploy.npu.stream.u85_operations import ResizeOperation, U85ConvolutionOperation, U85ElementwiseOperation
from deploy.npu.stream.u85_registers import OperandScale


def describe(operation: BlockOperation) -> str:
    """``NPU_OP_CONV at 0x148: ifm 50x10x1 int8 zp -128 ...``."""
    parts = [f"ifm {_feature_map(operation.ifm)}"]
    if isinstance(operation, ElementwiseOperation):
        parts[0] = f"{operation.mode.name} {parts[0]}"
        if operation.ifm2 is not None:
            parts.append(f"ifm2 {_feature_map(operation.ifm2)}")
        if operation.scalar is not None:
            parts.append(f"scalar {operation.scalar}")
    if isinstance(operation, U55ElementwiseOperation):
        parts.append(f"opa {_scale(operation.operand_a)} opb x{operation.operand_b}")
        parts.append(f"operands {operation.operand_scaling.name}")
    if isinstance(operation, U85ElementwiseOperation):
        parts.append(f"ifm scale {_operand_scale(operation.ifm_scale)}")
        if operation.ifm2_scale is not None:
            parts.append(f"ifm2 scale {_operand_scale(operation.ifm2_scale)}")
    parts.append(f"ofm {_feature_map(operation.ofm)}")
    if isinstance(operation, ConvolutionOperation | PoolingOperation):
        kernel, padding = operation.kernel, operation.padding
        parts.append(
            f"kernel {kernel.height}x{kernel.width} stride {kernel.stride_y}x{kernel.stride_x} "
            f"dilation {kernel.dilation_y}x{kernel.dilation_x} "
            f"padding {padding.top},{padding.left},{padding.bottom},{padding.right}"
        )
        if operation.upscale is not Upscale.NONE:
            parts.append(f"upscale {operation.upscale.name}")
    if isinstance(operation, PoolingOperation):
        parts.append(f"mode {operation.mode.name}")
    if isinstance(operation, U85ConvolutionOperation):
        if operation.ifm2 is not None:
            parts.append(f"weights {_feature_map(operation.ifm2)}")
        accumulators = operation.accumulators
        kept = "" if accumulators.stored else ", kept"
        parts.append(f"accumulators of {accumulators.bits} bits from {accumulators.start.name}{kept}")
    if isinstance(operation, ResizeOperation):
        parts[0] = f"{operation.mode.name} {parts[0]}"
        for way, axis in (("vertical", operation.vertical), ("horizontal", operation.horizontal)):
            parts.append(f"{way} step {axis.step}/{axis.parts} from {axis.offset}/{axis.parts}")
    if operation.scale is not None:
        parts.append(f"scale {_scale(operation.scale)}")
    activation = operation.activation
    if activation.function is Function.LUT:
        parts.append(f"table {activation.slot}")
    elif activation.function is not Function.NONE:
        parts.append(activation.function.name)
    parts.append(f"clamp {activation.minimum}..{activation.maximum}")
    parts.append(f"rounding {operation.rounding.name}")
    return f"{operation.command} at {operation.offset:#x}: {', '.join(parts)}"


def _feature_map(fm: FeatureMap) -> str:
    layout = "NHCWB16" if fm.bricks else "NHWC"
    place = f"region {fm.region}+{fm.bases[0]:#x}" if fm.chain is None else f"buffer {fm.chain}"
    if fm.axes != (0, 1, 2):
        place += f" transposed to {''.join('HWC'[axis] for axis in fm.axes)}"
    if fm.reversed_axis is not None:
        place += f" reversed along {'HWC'[fm.reversed_axis]}"
    return f"{fm.height}x{fm.width}x{fm.depth} {fm.dtype} zp {fm.zero_point} {layout} {place}"


def _operand_scale(scale: OperandScale) -> str:
    widened = f" widened by {scale.widened}" if scale.widened else ""
    return f"x{scale.multiplier}>>{scale.shift}{widened}"


def _scale(scale: Scale) -> str:
    return f"x{scale.multiplier}>>{scale.shift}"

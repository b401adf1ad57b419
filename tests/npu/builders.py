"""Shorthand for operations and feature maps."""

from __future__ import annotations

from typing import Any

import numpy as np

from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.elementwise import ElementwiseMode
from deploy.npu.stream.operations import (
    NO_PADDING,
    POINT,
    Activation,
    AddressRange,
    FeatureMap,
    Function,
    Kernel,
    Rounding,
    Scale,
    Upscale,
)
from deploy.npu.stream.pooling import PoolingMode, PoolingOperation
from deploy.npu.stream.u55_operations import OperandScaling, U55ElementwiseOperation


def feature_map(
    shape: tuple[int, int, int],
    dtype: str = "i1",
    address: int = 0,
    zero_point: int = 0,
    bricks: bool = False,
    **changes: Any,
) -> FeatureMap:
    """Dense, one tile, region 1."""
    height, width, depth = shape
    size = np.dtype(dtype).itemsize
    if bricks:
        rounded = -(-depth // 16) * 16
        strides = (width * rounded * size, 16 * size, width * 16 * size)
    else:
        strides = (width * depth * size, depth * size, size)
    values: dict[str, Any] = {
        "region": 1,
        "bases": (address, 0, 0, 0),
        "height0": height,
        "height1": height,
        "width0": width,
        "height": height,
        "width": width,
        "depth": depth,
        "stride_y": strides[0],
        "stride_x": strides[1],
        "stride_c": strides[2],
        "zero_point": zero_point,
        "dtype": np.dtype(dtype).newbyteorder("<"),
        "bricks": bricks,
    }
    return FeatureMap(**(values | changes))


def activation(dtype: str = "i1", **changes: Any) -> Activation:
    """None, clamped to the type (or to 16 bits)."""
    limits = np.iinfo(np.dtype(dtype if np.dtype(dtype).itemsize < 4 else "i2"))
    values: dict[str, Any] = {
        "function": Function.NONE,
        "slot": 0,
        "minimum": int(limits.min),
        "maximum": int(limits.max),
        "index_dtype": np.dtype(dtype),
    }
    return Activation(**(values | changes))


def kernel(height: int = 1, width: int = 1, stride: int = 1, dilation: int = 1, part: bool = False) -> Kernel:
    return Kernel(height, width, stride, stride, dilation, dilation, part)


def common(ifm: FeatureMap, ofm: FeatureMap, command: str) -> dict[str, Any]:
    return {
        "index": 0,
        "command": command,
        "offset": 0,
        "ifm": ifm,
        "ofm": ofm,
        "activation": activation(ofm.dtype.str),
        "rounding": Rounding.TFL,
        "scale": None,
        "block": (8, 8, 16),
        "kernel": POINT,
        "padding": NO_PADDING,
        "upscale": Upscale.NONE,
    }


def convolution(ifm: FeatureMap, ofm: FeatureMap, **changes: Any) -> ConvolutionOperation:
    values = common(ifm, ofm, "NPU_OP_CONV") | {
        "depthwise": False,
        "cores": 1,
        "weights": (AddressRange(0, 0, 0),),
        "scales": (AddressRange(0, 0, 0),),
    }
    return ConvolutionOperation(**(values | changes))


def pooling(mode: PoolingMode, ifm: FeatureMap, ofm: FeatureMap, **changes: Any) -> PoolingOperation:
    values = common(ifm, ofm, "NPU_OP_POOL") | {"mode": mode, "scale": Scale(1, 0)}
    return PoolingOperation(**(values | changes))


def elementwise(
    mode: ElementwiseMode, ifm: FeatureMap, ofm: FeatureMap, ifm2: FeatureMap | None = None, **changes: Any
) -> U55ElementwiseOperation:
    values = common(ifm, ofm, "NPU_OP_ELEMENTWISE") | {
        "mode": mode,
        "ifm2": ifm2,
        "scalar": None,
        "reversed_operands": False,
        "operand_scaling": OperandScaling.BOTH_16,
        "operand_a": Scale(1, 0),
        "operand_b": 1,
    }
    return U55ElementwiseOperation(**(values | changes))

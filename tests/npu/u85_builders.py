"""Shorthand for operations of Ethos-U85."""

from __future__ import annotations

from typing import Any

from deploy.npu.stream.elementwise import ElementwiseMode
from deploy.npu.stream.operations import AddressRange, FeatureMap, Rounding, Scale
from deploy.npu.stream.pooling import PoolingMode
from deploy.npu.stream.u85_operations import (
    AxisSampling,
    ResizeMode,
    ResizeOperation,
    U85ConvolutionOperation,
    U85ElementwiseOperation,
    U85PoolingOperation,
)
from deploy.npu.stream.u85_registers import Accumulators, OperandScale, Start

from .builders import common

ACCUMULATORS = Accumulators(32, Start.ZERO, stored=True, ublock=(1, 2, 16))
UNIT = OperandScale(1, 0, Rounding.TFL, 0)


def _common(ifm: FeatureMap, ofm: FeatureMap, command: str) -> dict[str, Any]:
    return common(ifm, ofm, command) | {"scale": Scale(1, 0)}


def convolution(ifm: FeatureMap, ofm: FeatureMap, **changes: Any) -> U85ConvolutionOperation:
    values = _common(ifm, ofm, "NPU_OP_CONV") | {
        "scale": None,
        "depthwise": False,
        "cores": 1,
        "weights": (AddressRange(0, 0, 0),),
        "scales": (AddressRange(0, 0, 0),),
        "accumulators": ACCUMULATORS,
        "ifm2": None,
        "fast": False,
        "sparse": False,
    }
    return U85ConvolutionOperation(**(values | changes))


def pooling(mode: PoolingMode, ifm: FeatureMap, ofm: FeatureMap, **changes: Any) -> U85PoolingOperation:
    values = _common(ifm, ofm, "NPU_OP_POOL") | {"mode": mode, "accumulators": ACCUMULATORS}
    return U85PoolingOperation(**(values | changes))


def elementwise(
    mode: ElementwiseMode, ifm: FeatureMap, ofm: FeatureMap, ifm2: FeatureMap | None = None, **changes: Any
) -> U85ElementwiseOperation:
    values = _common(ifm, ofm, "NPU_OP_ELEMENTWISE") | {
        "mode": mode,
        "ifm2": ifm2,
        "scalar": None,
        "reversed_operands": False,
        "ifm_scale": UNIT,
        "ifm2_scale": UNIT,
    }
    return U85ElementwiseOperation(**(values | changes))


def resize(
    mode: ResizeMode, ifm: FeatureMap, ofm: FeatureMap, vertical: AxisSampling, horizontal: AxisSampling
) -> ResizeOperation:
    parts = vertical.parts * horizontal.parts if mode is ResizeMode.BILINEAR else 1
    values = _common(ifm, ofm, "NPU_OP_RESIZE") | {
        "rounding": Rounding.SYMMETRIC,
        "scale": Scale(1, 16 + parts.bit_length() - 1),
        "mode": mode,
        "vertical": vertical,
        "horizontal": horizontal,
    }
    return ResizeOperation(**values)

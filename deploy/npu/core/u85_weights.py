"""The order of weights of Ethos-U85, for ``weights.c``."""

from __future__ import annotations

from deploy.hardware.designs import U85Design
from deploy.npu.core.weights import Order, common_order
from deploy.npu.stream.u85_operations import U85ConvolutionOperation
from deploy.npu.weights import u85_layout


def u85_order(operation: U85ConvolutionOperation, design: U85Design) -> Order:
    """The order of Ethos-U85."""
    layout, bias_bytes = u85_layout.layout_of(operation, design), operation.accumulators.bits // 8
    return {
        **common_order(operation),
        "own_blocks": 0,
        "ofm_ublock": layout.ofm_ublock,
        "group": u85_layout.GROUP,
        "ifm_block": layout.ifm_block,
        "serpentine": 1,
        "ifm_ublock": layout.ifm_ublock,
        "ifm_step": layout.ifm_step,
        "downwards": 1,
        "stride_y": layout.stride_y,
        "stride_x": layout.stride_x,
        "multiple": layout.multiple,
        "gap": layout.gap,
        "fast": int(operation.fast),
        "strict": 1,
        "bias_bytes": bias_bytes,
        "multiplier_bytes": 8 - bias_bytes,
        "multiplier_bits": 63 - operation.accumulators.bits,
    }

"""The order of weights of Ethos-U55 and U65, for ``weights.c``."""

from __future__ import annotations

from deploy.hardware.designs import U55Design
from deploy.npu.core.weights import Order, common_order
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.weights import u55_layout


def u55_order(operation: ConvolutionOperation, design: U55Design) -> Order:
    """The order of Ethos-U55 and U65."""
    layout = u55_layout.layout_of(operation, design, 0)
    # Depth-first, an IFM block is what comes between OFM ublocks.
    whole = -(-layout.ifm_block // layout.ifm_step) * layout.ifm_step
    return {
        **common_order(operation),
        "own_blocks": 1,
        "ofm_ublock": layout.ofm_ublock,
        "group": 1,
        "ifm_block": layout.ifm_block,
        "serpentine": 0,
        "ifm_ublock": layout.ifm_step if layout.part_kernel_first else whole,
        "ifm_step": layout.ifm_step,
        "downwards": 0,
        "stride_y": 1,
        "stride_x": 1,
        "multiple": layout.multiple,
        "gap": 0,
        "fast": 0,
        "strict": 0,
        "bias_bytes": 5,
        "multiplier_bytes": 4,
        "multiplier_bits": 32,
    }

"""Weights as ``convolution.c`` takes them: ``weights.c`` makes them of their streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from deploy.hardware.designs import U55Design
from deploy.npu.core.library import native
from deploy.npu.execution.workspace import Packed
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.operations import SUB_KERNEL
from deploy.npu.weights import u55_layout
from deploy.npu.weights.unpacked import SPANS, Streams

Order = dict[str, int]
"""Members of ``struct weight_order`` by their names."""


def pack(
    order_of: Callable[[Any, Any], Order],
    operation: ConvolutionOperation,
    design: Any,
    streams: Streams,
    records: Streams,
) -> Packed | None:
    """Pack the weights of a family's convolution.

    Args:
        order_of: called with the operation and the NPU's design; all that depends on the family.
        operation: whose weights they are.
        design: of the NPU.
        streams: of weights.
        records: of scales.

    Returns:
        The packed weights; None where a stream is damaged: NumPy says in which way.
    """
    core = native()
    if core is None:
        raise AssertionError("weights are packed for the compiled core alone")
    order = order_of(operation, design)
    for size in (1, 2):
        order["size"] = size
        words = np.array([order[name] for name in core.ORDER], np.int64)
        packed = np.zeros(core.packed_bytes(words, len(streams) + len(records)), np.uint8)
        found = core.pack(words, streams, records, packed)
        if found != core.NUMBERS["TOO_WIDE"]:
            return Packed(packed, (*streams, *records)) if found == core.NUMBERS["PACKED"] else None
    raise AssertionError("weights have 9 bits and an offset of 5")


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


def common_order(operation: ConvolutionOperation) -> Order:
    """What the orders of all families have in common."""
    kernel = operation.kernel
    return {
        "ofm_depth": operation.ofm.depth,
        "ifm_depth": 1 if operation.depthwise else operation.ifm.depth,
        "kernel_height": kernel.height,
        "kernel_width": kernel.width,
        "cores": operation.cores,
        "block_depth": operation.block[2],
        "part_height": SUB_KERNEL // kernel.dilation_y,
        "part_width": SUB_KERNEL // kernel.dilation_x,
        "apart": int(kernel.dilation_x > 1 and not operation.depthwise),
        "span": SPANS[operation.ifm.dtype.itemsize],
    }

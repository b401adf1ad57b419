"""Weights as ``convolution.c`` takes them: ``weights.c`` makes them of their streams."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.npu.core.library import native
from deploy.npu.execution.workspace import Packed
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.operations import SUB_KERNEL
from deploy.npu.weights.unpacked import SPANS, Streams

Order = dict[str, int]
"""Members of ``struct weight_order`` by their names."""


class Packing:
    """Packs the weights of a family's convolutions.

    Args:
        order_of: called with an operation and the NPU's design; all that depends on the family.
    """

    def __init__(self, order_of: Callable[[Any, Any], Order]) -> None:
        self._order_of = order_of

    def __call__(
        self, operation: ConvolutionOperation, design: Any, streams: Streams, records: Streams
    ) -> Packed | None:
        """Pack weights.

        Args:
            operation: whose weights they are.
            design: of the NPU.
            streams: of weights.
            records: of scales.

        Returns:
            The packed weights; None where a stream is damaged: NumPy says in which way.

        Raises:
            MemoryError: the host has no room for it.
        """
        core = native()
        if core is None:
            raise AssertionError("weights are packed for the compiled core alone")
        for size in (1, 2):
            words = self.words(core, operation, design, size)
            room = np.zeros(core.packed_bytes(words, len(streams) + len(records)), np.uint8)
            [found] = core.pack([(words, streams, records, room)], b"\0")
            if found == core.NUMBERS["NO_ROOM"]:
                raise MemoryError
            if found != core.NUMBERS["TOO_WIDE"]:
                return Packed(room, (*streams, *records)) if found == core.NUMBERS["PACKED"] else None
        raise AssertionError("weights have 9 bits and an offset of 5")

    def words(
        self, core: ModuleType, operation: ConvolutionOperation, design: Any, size: int = 1
    ) -> NDArray[np.int64]:
        """Words of ``struct weight_order`` for weights of that many bytes each."""
        order = self._order_of(operation, design)
        order["size"] = size
        return np.array([order[name] for name in core.ORDER], np.int64)


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

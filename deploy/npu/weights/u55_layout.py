"""Decodes the weight and scale streams of Ethos-U55 and U65.

A weight stream is MLW-compressed (see :mod:`deploy.npu.weights.mlw`). Its values come in the order in which the
MAC units take them; :func:`arrange` puts them back into a tensor. The order was worked out
from Vela's encoder and is checked against it by the tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.hardware.designs import U55Design
from deploy.npu.errors import UnsupportedError, WeightStreamError
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.operations import SUB_KERNEL
from deploy.npu.weights.unpacked import ChannelScales, Unpacked

SCALE_RECORD_BYTES = 10


class WeightLayout(NamedTuple):
    """What decides the order of a weight stream.

    Attributes:
        ofm_depth: output channels of this core.
        ifm_depth: input channels (1 for a depthwise convolution).
        block_depth: OFM_BLK_DEPTH of this core.
        ofm_ublock: output channels that a core works on at once.
        ifm_ublock: input channels that it works on at once.
        ifm_bits: 8 or 16.
    """

    ofm_depth: int
    ifm_depth: int
    height: int
    width: int
    dilation_y: int
    dilation_x: int
    block_depth: int
    ofm_ublock: int
    ifm_ublock: int
    ifm_bits: int
    depthwise: bool
    part_kernel_first: bool

    @property
    def ifm_block(self) -> int:
        """Input channels per pass."""
        if self.depthwise:
            return max(self.ifm_depth, 1)
        return 16 if self.part_kernel_first or self.ifm_bits == 16 else 32

    @property
    def ifm_step(self) -> int:
        """Input channels that one value of the OFM takes at a time."""
        return 1 if self.depthwise else self.ifm_ublock

    @property
    def multiple(self) -> int:
        """To which kernel elements are filled up."""
        if self.depthwise:
            return 4
        if not self.part_kernel_first:
            return 1
        return 2 if self.ifm_bits == 16 else 4


class _Segment(NamedTuple):
    """A run of the stream that is one dense block of weights."""

    ofm: int
    ifm: int
    y: int
    x: int
    ofm_depth: int
    ifm_depth: int
    height: int
    width: int
    ofm_ublocks: int
    ifm_ublocks: int
    elements: int


def _segments(layout: WeightLayout) -> Iterator[_Segment]:
    sub_height, sub_width = SUB_KERNEL // layout.dilation_y, SUB_KERNEL // layout.dilation_x
    for ofm in range(0, layout.ofm_depth, layout.block_depth):
        ofm_depth = min(layout.block_depth, layout.ofm_depth - ofm)
        for ifm in range(0, layout.ifm_depth, layout.ifm_block):
            ifm_depth = min(layout.ifm_block, layout.ifm_depth - ifm)
            # Depth-first order always runs through whole IFM blocks.
            filled = ifm_depth if layout.part_kernel_first else layout.ifm_block
            for y in range(0, layout.height, sub_height):
                height = min(sub_height, layout.height - y)
                for x in range(0, layout.width, sub_width):
                    width = min(sub_width, layout.width - x)
                    yield _Segment(
                        ofm,
                        ifm,
                        y,
                        x,
                        ofm_depth,
                        ifm_depth,
                        height,
                        width,
                        ofm_ublocks=-(-ofm_depth // layout.ofm_ublock),
                        ifm_ublocks=1 if layout.depthwise else -(-filled // layout.ifm_ublock),
                        elements=-(-height * width // layout.multiple) * layout.multiple,
                    )


def stream_length(layout: WeightLayout) -> int:
    """How many values the decompressed stream must have."""
    return sum(
        segment.ofm_ublocks * layout.ofm_ublock * segment.ifm_ublocks * layout.ifm_step * segment.elements
        for segment in _segments(layout)
    )


def arrange(values: NDArray[np.int16], layout: WeightLayout) -> NDArray[np.int16]:
    """Put decompressed values, int16 and :func:`stream_length` of them, into a tensor.

    Order, outer to inner: OFM block, IFM block, sub-kernel (8x8 elements, less with dilation), IFM ublock
    (part-kernel-first only), OFM ublock, kernel element, IFM ublock (depth-first only), OFM channel, IFM channel.

    Returns:
        int16 ``(ofm_depth, height, width, ifm_depth)``.

    Raises:
        WeightStreamError: the number of values is not the one expected.
    """
    expected = stream_length(layout)
    if values.size != expected:
        raise WeightStreamError(
            f"the weight stream decodes to {values.size} values, the operation needs {expected}"
        )
    result = np.zeros((layout.ofm_depth, layout.height, layout.width, layout.ifm_depth), np.int16)
    ofm_ublock, ifm_ublock = layout.ofm_ublock, layout.ifm_step
    position = 0
    for s in _segments(layout):
        size = s.ofm_ublocks * ofm_ublock * s.ifm_ublocks * ifm_ublock * s.elements
        run = values[position : position + size]
        position += size
        if layout.part_kernel_first:
            shaped = run.reshape(s.ifm_ublocks, s.ofm_ublocks, s.elements, ofm_ublock, ifm_ublock)
            ordered = shaped.transpose(1, 3, 2, 0, 4)
        else:
            shaped = run.reshape(s.ofm_ublocks, s.elements, s.ifm_ublocks, ofm_ublock, ifm_ublock)
            ordered = shaped.transpose(0, 3, 1, 2, 4)
        dense = ordered.reshape(s.ofm_ublocks * ofm_ublock, s.elements, s.ifm_ublocks * ifm_ublock)
        dense = dense[: s.ofm_depth, : s.height * s.width, : s.ifm_depth]
        result[
            s.ofm : s.ofm + s.ofm_depth, s.y : s.y + s.height, s.x : s.x + s.width, s.ifm : s.ifm + s.ifm_depth
        ] = dense.reshape(s.ofm_depth, s.height, s.width, s.ifm_depth)
    return result


def decode_weights(stream: bytes, layout: WeightLayout) -> NDArray[np.int16]:
    """Decompress and arrange a weight stream.

    Returns:
        int16 ``(ofm_depth, height, width, ifm_depth)``.

    Raises:
        WeightStreamError: it does not decode to the expected number of values.
    """
    from deploy.npu.weights.mlw import decompress  # takes 2 ms, and the compiled core decompresses by itself

    return arrange(decompress(stream, stream_length(layout)), layout)


def decode_scales(records: NDArray[np.uint8], channels: int) -> ChannelScales:
    """Decode scale records, uint8: bias s40, multiplier u32, shift u6 (10 bytes a channel).

    Raises:
        WeightStreamError: there are not enough records.
    """
    if records.size < SCALE_RECORD_BYTES * channels:
        raise WeightStreamError(
            f"{records.size} bytes of scales, {channels} channels need {SCALE_RECORD_BYTES * channels}"
        )
    rows = records[: SCALE_RECORD_BYTES * channels].reshape(channels, SCALE_RECORD_BYTES).astype(np.int64)
    low = rows[:, :5] @ (np.int64(1) << np.arange(0, 40, 8, dtype=np.int64))
    bias = np.where(low >> 39 & 1, low - (np.int64(1) << 40), low)
    multiplier = rows[:, 5:9] @ (np.int64(1) << np.arange(0, 32, 8, dtype=np.int64))
    return ChannelScales(bias, multiplier, rows[:, 9] & 0x3F)


def unpack_scales(operation: ConvolutionOperation, records: Sequence[NDArray[np.uint8]]) -> ChannelScales:
    """Unpack the scale records of each core, which has channels k::n.

    Raises:
        WeightStreamError: there are not enough records.
    """
    cores, depth = operation.cores, operation.ofm.depth
    scales = np.zeros((3, depth), np.int64)
    for core, own_records in enumerate(records):
        own = decode_scales(own_records, (depth + cores - 1 - core) // cores)
        scales[:, core::cores] = own.bias, own.multiplier, own.shift
    return ChannelScales(scales[0], scales[1], scales[2])


def unpack(
    operation: ConvolutionOperation,
    design: U55Design,
    streams: Sequence[NDArray[np.uint8]],
    records: Sequence[NDArray[np.uint8]],
) -> Unpacked:
    """Unpack the weight stream and the scale records of each core.

    Raises:
        WeightStreamError: they do not decode to what the operation needs.
        UnsupportedError: a core has no share of a block.
    """
    cores, depth, kernel = operation.cores, operation.ofm.depth, operation.kernel
    ifm_depth = 1 if operation.depthwise else operation.ifm.depth
    weights = np.zeros((depth, kernel.height, kernel.width, ifm_depth), np.int16)
    layouts = [layout_of(operation, design, core) for core in range(len(streams))]
    for core, (layout, stream) in enumerate(zip(layouts, streams, strict=True)):
        weights[core::cores] = decode_weights(stream.tobytes(), layout)
    return Unpacked(weights, unpack_scales(operation, records))


def layout_of(operation: ConvolutionOperation, design: U55Design, core: int) -> WeightLayout:
    """Core k of n works on channels k::n, in blocks of its share of the block depth (measured on U65-512).

    Raises:
        UnsupportedError: it has no share of a block.
    """
    kernel, cores = operation.kernel, operation.cores
    if operation.block[2] + cores - 1 - core < cores:
        raise UnsupportedError("an OFM block of fewer channels than cores", parameters={"block": operation.block})
    return WeightLayout(
        ofm_depth=(operation.ofm.depth + cores - 1 - core) // cores,
        ifm_depth=1 if operation.depthwise else operation.ifm.depth,
        height=kernel.height,
        width=kernel.width,
        dilation_y=kernel.dilation_y,
        dilation_x=kernel.dilation_x,
        block_depth=(operation.block[2] + cores - 1 - core) // cores,
        ofm_ublock=design.ofm_ublock[2],
        ifm_ublock=design.ifm_ublock[2],
        ifm_bits=operation.ifm.dtype.itemsize * 8,
        depthwise=operation.depthwise,
        part_kernel_first=kernel.part_kernel_first and not operation.depthwise,
    )

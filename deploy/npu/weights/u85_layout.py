"""Decodes the weight and scale streams of Ethos-U85.

Weights are coded as on U55 (:mod:`deploy.npu.weights.mlw`), in a stream for each core, or for fast decoding
(:mod:`deploy.npu.weights.fast`), in one. Their values come in the order in which the MAC units take them. Source:
Vela 5.2.0's source package, ``regor/architecture/ethosu85/ethos_u85_weight_encoder.cpp`` and ``ethos_u85.cpp``
(block depths), checked on what Vela writes.

Order of the values of one core, outer to inner: OFM block; IFM block, forwards in every other OFM block and
backwards in those between; sub-kernel, downwards first; IFM ublock; OFM ublock; kernel element; eight input
channels (16 if sparse); the core's four channels of every 4 x cores output channels; each of those; each of the
eight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.hardware.designs import U85Design
from deploy.npu.errors import WeightStreamError
from deploy.npu.stream.operations import SUB_KERNEL, Kernel
from deploy.npu.stream.u85_operations import U85ConvolutionOperation, ifm_block_depth
from deploy.npu.weights.fast import decompress_fast
from deploy.npu.weights.unpacked import ChannelScales, Unpacked

SCALE_RECORD_BYTES = 10
GROUP = 4
"""Output channels that a core takes at a time."""


@dataclass(frozen=True)
class U85WeightLayout:
    """What decides the order of the weights.

    Attributes:
        ofm_depth: output channels.
        ifm_depth: input channels (1 for a depthwise convolution).
        kernel: geometry.
        block_depth: OFM_BLK_DEPTH.
        ofm_ublock: output channels that all cores work on at once.
        cores: that share them.
        macs: of the NPU.
        ifm_bits: 8 or 16.
        sparse: two of four weights are zero.
    """

    ofm_depth: int
    ifm_depth: int
    kernel: Kernel
    block_depth: int
    ofm_ublock: int
    cores: int
    macs: int
    ifm_bits: int
    depthwise: bool
    sparse: bool

    @property
    def part_kernel_first(self) -> bool:
        """Whether kernel elements come before input channels."""
        return self.kernel.part_kernel_first and not self.depthwise

    @property
    def ifm_block(self) -> int:
        """Input channels per pass."""
        return ifm_block_depth(
            self.macs,
            self.ofm_ublock,
            part_kernel_first=self.part_kernel_first,
            sparse=self.sparse,
            ifm_bits=self.ifm_bits,
        )

    @property
    def ifm_ublock(self) -> int:
        """Input channels between which nothing else comes."""
        if self.depthwise:
            return 1
        return 8 if self.part_kernel_first and self.ifm_bits == 16 and not self.sparse else self.ifm_block

    @property
    def ifm_step(self) -> int:
        """Input channels of one output channel in a row."""
        return 1 if self.depthwise else 16 if self.sparse else 8

    @property
    def multiple(self) -> int:
        """To which kernel elements are filled up."""
        if self.depthwise:
            return 10
        if not self.part_kernel_first:
            return 1
        return 10 if self.sparse or self.ifm_bits == 16 else 5

    @property
    def gap(self) -> int:
        """Kernel elements of zeros behind every :attr:`multiple` ones of a depthwise convolution."""
        if not self.depthwise or (self.ifm_bits == 8 and self.macs <= 256):
            return 0
        return 2 if self.macs <= 512 else 6

    @property
    def stride_y(self) -> int:
        """Rows of a sub-kernel that come one after the other are so far apart."""
        return self.kernel.stride_y if self.part_kernel_first or self.depthwise else 1

    @property
    def stride_x(self) -> int:
        """As :attr:`stride_y`, of columns."""
        return self.kernel.stride_x if self.part_kernel_first or self.depthwise else 1

    @property
    def core_ublock(self) -> int:
        """Output channels that one core works on at once."""
        return self.ofm_ublock // self.cores


@dataclass(frozen=True)
class _Segment:
    """A run of a core's values that is one dense block of weights.

    Attributes:
        elements: places in the kernel, ``(row, column)`` each, in their order.
        filled: kernel elements that there are values for.
    """

    ofm: int
    ofm_depth: int
    ifm: int
    ifm_depth: int
    elements: tuple[tuple[int, int], ...]
    filled: int
    ofm_ublocks: int
    ifm_ublocks: int

    def values(self, layout: U85WeightLayout) -> int:
        """How many there are."""
        return self.ofm_ublocks * self.ifm_ublocks * self.filled * layout.core_ublock * layout.ifm_ublock


def _segments(layout: U85WeightLayout) -> Iterator[_Segment]:
    kernel = layout.kernel
    rows, columns = SUB_KERNEL // kernel.dilation_y, SUB_KERNEL // kernel.dilation_x
    starts = range(0, layout.ifm_depth, layout.ifm_block)
    for number, ofm in enumerate(range(0, layout.ofm_depth, layout.block_depth)):
        ofm_depth = min(layout.block_depth, layout.ofm_depth - ofm)
        for ifm in reversed(starts) if number % 2 else starts:
            ifm_depth = min(layout.ifm_block, layout.ifm_depth - ifm)
            for x in range(0, kernel.width, columns):
                for y in range(0, kernel.height, rows):
                    size = min(rows, kernel.height - y), min(columns, kernel.width - x)
                    places = tuple((y + dy, x + dx) for dy, dx in _snake(*size, layout))
                    groups = -(-len(places) // layout.multiple)
                    yield _Segment(
                        ofm,
                        ofm_depth,
                        ifm,
                        ifm_depth,
                        elements=places,
                        filled=groups * (layout.multiple + layout.gap),
                        ofm_ublocks=-(-ofm_depth // layout.ofm_ublock),
                        ifm_ublocks=-(-ifm_depth // layout.ifm_ublock),
                    )


def _snake(height: int, width: int, layout: U85WeightLayout) -> Iterator[tuple[int, int]]:
    """Places of a sub-kernel: those that fall together with a stride; in every other row from right to left."""
    for first_y in range(layout.stride_y):
        for first_x in range(layout.stride_x):
            across = range(first_x, width, layout.stride_x)
            for row, y in enumerate(range(first_y, height, layout.stride_y)):
                yield from ((y, x) for x in (reversed(across) if row % 2 else across))


def stream_length(layout: U85WeightLayout) -> int:
    """How many values each core must have."""
    return sum(segment.values(layout) for segment in _segments(layout))


def arrange(values: Sequence[NDArray[np.int16]], layout: U85WeightLayout) -> NDArray[np.int16]:
    """Put the values of all cores, int16 and :func:`stream_length` of them each, into a tensor.

    Returns:
        int16 ``(ofm_depth, height, width, ifm_depth)``.

    Raises:
        WeightStreamError: the number of values is not the one expected, or there are weights between the weights.
    """
    expected = stream_length(layout)
    if any(own.size != expected for own in values):
        raise WeightStreamError(
            f"the weight streams decode to {[own.size for own in values]} values, the operation needs {expected}"
        )
    result = placed(values, layout)
    if sum(np.count_nonzero(own) for own in values) != np.count_nonzero(result):
        raise WeightStreamError("the weight streams have weights where there is nothing to weigh")
    return result


def placed(values: Sequence[NDArray[np.int16]], layout: U85WeightLayout) -> NDArray[np.int16]:
    """What :func:`arrange` gives, whatever there is between the weights."""
    result = np.zeros((layout.ofm_depth, layout.kernel.height, layout.kernel.width, layout.ifm_depth), np.int16)
    position = 0
    for segment in _segments(layout):
        size = segment.values(layout)
        parts = [_dense(own[position : position + size], segment, layout) for own in values]
        position += size
        # Of every 4 x cores channels the first four are the first core's.
        whole = np.stack([part.reshape(-1, GROUP, *part.shape[1:]) for part in parts], axis=1)
        whole = whole.reshape(-1, *whole.shape[3:])
        rows, columns = np.array(segment.elements).T
        target = result[segment.ofm : segment.ofm + segment.ofm_depth]
        channels = slice(segment.ifm, segment.ifm + segment.ifm_depth)
        target[:, rows, columns, channels] = whole[: segment.ofm_depth, :, : segment.ifm_depth]
    return result


def _dense(run: NDArray[np.int16], segment: _Segment, layout: U85WeightLayout) -> NDArray[np.int16]:
    """One core's values of a segment: ``(its output channels, kernel elements, input channels)``."""
    step = layout.ifm_step
    shaped = run.reshape(
        segment.ifm_ublocks,
        segment.ofm_ublocks,
        segment.filled,
        layout.ifm_ublock // step,
        layout.core_ublock,
        step,
    )
    dense = shaped.transpose(1, 4, 2, 0, 3, 5).reshape(
        segment.ofm_ublocks * layout.core_ublock, segment.filled, segment.ifm_ublocks * layout.ifm_ublock
    )
    groups = dense.reshape(dense.shape[0], -1, layout.multiple + layout.gap, dense.shape[2])
    without_gaps = groups[:, :, : layout.multiple].reshape(dense.shape[0], -1, dense.shape[2])
    return without_gaps[:, : len(segment.elements)]


def decode_weights(streams: Sequence[bytes], layout: U85WeightLayout, *, fast: bool) -> NDArray[np.int16]:
    """Decompress and arrange weight streams: one of each core, or with ``fast`` one of all.

    Returns:
        int16 ``(ofm_depth, height, width, ifm_depth)``.

    Raises:
        WeightStreamError: they do not decode to what the layout says.
    """
    length = stream_length(layout)
    if not fast:
        from deploy.npu.weights.mlw import decompress  # takes 2 ms, and the compiled core decompresses by itself

        # A core without a channel of its own has no stream.
        return arrange([decompress(own, length) if own else np.zeros(length, np.int16) for own in streams], layout)
    values = decompress_fast(streams[0], length * layout.cores)
    block = layout.core_ublock * layout.ifm_ublock * layout.multiple
    interleaved = values.reshape(-1, layout.cores, block)
    return arrange([interleaved[:, core].ravel() for core in range(layout.cores)], layout)


def decode_scales(records: NDArray[np.uint8], channels: int, bits: int) -> ChannelScales:
    """Decode scale records, uint8, 10 bytes a channel.

    For accumulators of 32 bits: bias s32, multiplier u31, shift u6; of 48: bias s48, multiplier u15, shift u6.

    Raises:
        WeightStreamError: there are not enough records.
    """
    if records.size < SCALE_RECORD_BYTES * channels:
        raise WeightStreamError(
            f"{records.size} bytes of scales, {channels} channels need {SCALE_RECORD_BYTES * channels}"
        )
    rows = records[: SCALE_RECORD_BYTES * channels].reshape(channels, SCALE_RECORD_BYTES).astype(np.int64)
    size = bits // 8
    low = _number(rows[:, :size])
    bias = np.where(low >> (bits - 1) & 1, low - (np.int64(1) << bits), low)
    multiplier = _number(rows[:, size:8])
    if (multiplier >> (63 - bits)).any():
        raise WeightStreamError(f"a multiplier of more than {63 - bits} bits")
    return ChannelScales(bias, multiplier, rows[:, 8] & 0x3F)


def _number(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    number: NDArray[np.int64] = rows @ (np.int64(1) << np.arange(0, 8 * rows.shape[1], 8, dtype=np.int64))
    return number


def unpack_scales(operation: U85ConvolutionOperation, records: Sequence[NDArray[np.uint8]]) -> ChannelScales:
    """Unpack the scale records, which are in one stream for all cores.

    Raises:
        WeightStreamError: there are not enough records.
    """
    return decode_scales(records[0], operation.ofm.depth, operation.accumulators.bits)


def unpack(
    operation: U85ConvolutionOperation,
    design: U85Design,
    streams: Sequence[NDArray[np.uint8]],
    records: Sequence[NDArray[np.uint8]],
) -> Unpacked:
    """Unpack the weight streams and the scale records.

    Raises:
        WeightStreamError: they do not decode to what the operation needs.
    """
    layout = layout_of(operation, design)
    weights = decode_weights([stream.tobytes() for stream in streams], layout, fast=operation.fast)
    return Unpacked(weights, unpack_scales(operation, records))


def layout_of(operation: U85ConvolutionOperation, design: U85Design) -> U85WeightLayout:
    """What decides the order of a convolution's weights."""
    return U85WeightLayout(
        ofm_depth=operation.ofm.depth,
        ifm_depth=1 if operation.depthwise else operation.ifm.depth,
        kernel=operation.kernel,
        block_depth=operation.block[2],
        ofm_ublock=operation.accumulators.ublock[2],
        cores=design.cores,
        macs=design.macs,
        ifm_bits=operation.ifm.dtype.itemsize * 8,
        depthwise=operation.depthwise,
        sparse=operation.sparse,
    )

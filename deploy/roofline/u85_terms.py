"""What each kind of operator costs on the units of an Ethos-U85, in place of :class:`deploy.roofline.terms.Terms`.

The units of work, rates and channels are Vela 5.2.0's, which :class:`deploy.hardware.designs.U85Design` holds; how
Vela cuts an output into blocks is approached by :mod:`deploy.roofline.u85_blocks`. What is called fitted below was
fitted to its cycles per layer over the networks that ``docs/roofline.md`` lists for U85.
"""

from __future__ import annotations

from dataclasses import dataclass

from deploy.hardware.designs import Channel, MemorySystem, MemoryTiming, Three, U85Design
from deploy.npu.stream.operations import BRICK
from deploy.npu.timing.transfers import ceil_divide
from deploy.npu.timing.u85_transfers import channel_rate
from deploy.roofline.layer import Layer
from deploy.roofline.terms import (
    CONVOLUTIONS,
    ELEMENTWISE,
    POOLS,
    REQUANTIZING,
    TABLES,
    Surroundings,
)
from deploy.roofline.u85_blocks import Blocks, Cut, blocks_of

_PLACES = 16
"""Accumulators of 32 bits by MAC unit (source: their memory in Vela's table)."""
_BIAS_BYTES = 10
_RESIZING = frozenset(["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"])
_NARROW_RUN = 16
"""Bytes of a burst that are used when a feature map of few channels is read (source: Vela's IFM blocks)."""
_HALO = 1.3
"""How often a window larger than its stride reads its input (fitted)."""
_SOFTMAX_PASSES = 5.0
"""Times that a softmax takes the output unit through its elements (fitted)."""
_SOFTMAX_START = 650
"""Cycles of the softmax of one row (fitted)."""


def _part_kernel_first(depth: int, taps: int) -> bool:
    """Whether Vela takes kernel elements before input channels: where that keeps more MAC units busy."""
    in_fives = taps // 5 * 5 + max(taps % 5, 2)
    kernel_first = depth / (ceil_divide(depth, 16) * 16) * taps / in_fives
    return kernel_first >= depth / (ceil_divide(depth, 64) * 64)


@dataclass(frozen=True)
class U85Terms:
    """The terms of one NPU."""

    design: U85Design

    def rate(self, memory: MemoryTiming, channel: Channel) -> float:
        """Bytes a cycle from or to a memory."""
        return channel_rate(memory, channel, self.design)

    def mac_cycles(self, layer: Layer, *, spilled: bool) -> float:
        """Cycles of the MAC units: the unit of work that suits the layer best, eight input channels a cycle."""
        taps = layer.window.height * layer.window.width
        if layer.operator in CONVOLUTIONS or layer.operator == "BATCH_MATMUL":
            depth = layer.inputs[0][2] if layer.inputs else 1
            if _part_kernel_first(depth, taps):
                passes = 4 * ceil_divide(taps, 4) * ceil_divide(depth, 8)
            else:
                passes = taps * (max(depth // 8, 1) if depth <= 64 else 8 * ceil_divide(depth, 64))
            return self._units(layer.output, self._ublock(layer)) * passes
        units, weights = self._units(layer.output, self._ublock(layer)), 4 * BRICK / self.design.cores
        if layer.operator == "DEPTHWISE_CONV_2D":
            return 4 * units * ceil_divide(taps, 4)
        if layer.operator == "MEAN":
            # A depthwise convolution over the whole plane: its weights arrive one after the other.
            steps = ceil_divide(layer.inputs[0][0] * layer.inputs[0][1], 4)
            return max(4, weights) * ceil_divide(layer.output[2], BRICK) * steps
        if layer.operator in POOLS:
            return max(taps, 4) * units * 4
        if layer.operator in REQUANTIZING | TABLES:
            return 16 * units
        return 0.0

    @staticmethod
    def _units(shape: Three, ublock: Three) -> int:
        return (
            ceil_divide(shape[0], ublock[0]) * ceil_divide(shape[1], ublock[1]) * ceil_divide(shape[2], ublock[2])
        )

    def output_cycles(self, layer: Layer, around: Surroundings, *, spilled: bool) -> float:
        """Cycles of the output unit."""
        rates = self.design.output
        rate = rates.bits8 if layer.element_bytes == 1 else rates.bits16
        if layer.operator == "SOFTMAX":
            rate *= _SOFTMAX_PASSES
        if layer.operator in _RESIZING:
            rate = rates.resize[layer.element_bytes > 1]
        rows, columns, channels = layer.output
        if layer.operator in ELEMENTWISE and not around.linear:
            channels = ceil_divide(channels, BRICK) * BRICK
        return rows * columns * channels * rate * (1 + around.chained)

    def _block(self, layer: Layer) -> Blocks:
        depth = None
        if layer.operator in CONVOLUTIONS:
            depth = layer.inputs[0][2] if layer.inputs else 1
        window = layer.window
        kernel = (window.height, window.width, window.stride_y, window.stride_x)
        # Convolutions have two blocks in the memories at a time, all others one.
        share = 1 if depth is None else 2
        places, ifm_bytes = _PLACES * self.design.macs // share, self.design.ifm_kb * 1024 // share
        return blocks_of(
            Cut(layer.output, depth, layer.element_bytes, kernel, self._ublock(layer), places, ifm_bytes)
        )

    def _ublock(self, layer: Layer) -> Three:
        """The unit of work that suits a layer best."""
        if layer.operator in CONVOLUTIONS:
            return min(self.design.ofm_ublocks, key=lambda one: self._units(layer.output, one))
        return max((one for one in self.design.ofm_ublocks if one[2] == BRICK), key=lambda one: one[0] * one[1])

    def bias_cycles(self, layer: Layer, places: MemorySystem) -> float:
        """Cycles of the channel through which biases and scales come, the slowest of all."""
        if layer.operator not in CONVOLUTIONS | {"DEPTHWISE_CONV_2D"} or not layer.weight_bytes:
            return 0.0
        size = _BIAS_BYTES * ceil_divide(layer.output[2], BRICK) * BRICK
        return size * self._block(layer).across / self.rate(places.constants, Channel.SCALES)

    def roofs(
        self, layer: Layer, around: Surroundings, places: MemorySystem, source: MemoryTiming, spare: float
    ) -> dict[str, float]:
        """Cycles by what limits a layer; see :meth:`deploy.roofline.terms.Terms.roofs`."""
        spilled = 0 < places.fast_bytes < layer.activation_bytes
        working = self.mac_cycles(layer, spilled=spilled)
        writing = self.output_cycles(layer, around, spilled=spilled)
        block = self._block(layer)
        share = 1 / (block.across * block.deep)
        start = self._start_cycles(layer, source, places, share) + min(working, writing) * share
        roofs = {"MAC units": working + start, "output unit": writing + start}
        # Weights are copied to the SRAM while the layer before computes, or read where they are, block by block.
        copied = layer.packed_bytes / self.rate(places.constants, Channel.COPY)
        fetching = 0.0
        if copied > spare:
            late = copied - spare + places.constants.read_latency + max(working, writing)
            fetching = min(late, layer.packed_bytes * block.across / self.rate(places.constants, Channel.WEIGHTS))
        reading = self._read_bytes(layer, source) / self.rate(
            source, Channel.STREAM if layer.operator in ELEMENTWISE else Channel.IFM
        )
        target = source if around.linear else places.fast
        sending = layer.output_bytes / self.rate(target, Channel.WRITE)
        for port, cycles in ((source, reading), (target, sending)):
            roofs[port.name] = max(roofs.get(port.name, 0.0), cycles)
        waiting = max(fetching, self.bias_cycles(layer, places))
        roofs[places.constants.name] = max(roofs.get(places.constants.name, 0.0), waiting)
        return roofs

    def _read_bytes(self, layer: Layer, source: MemoryTiming) -> float:
        """Bytes of feature maps read, those that short bursts waste included."""
        if layer.operator in ELEMENTWISE:
            return layer.input_bytes
        size = layer.input_bytes * (_HALO if layer.window.height > layer.window.stride_y else 1.0)
        if layer.operator in CONVOLUTIONS:
            size *= self._block(layer).deep
            if layer.inputs and layer.inputs[0][2] < _NARROW_RUN:
                size *= max(1.0, source.burst / _NARROW_RUN)
        return size

    def _start_cycles(self, layer: Layer, source: MemoryTiming, places: MemorySystem, share: float) -> float:
        """Cycles before the first result and behind the last one."""
        if layer.operator == "SOFTMAX":
            return _SOFTMAX_START
        if layer.operator in ELEMENTWISE:
            return 8.0
        start: float = source.read_latency + places.fast.write_latency
        start += share * layer.input_bytes / source.bytes_per_cycle
        return start + share * layer.output_bytes / places.fast.bytes_per_cycle

"""What each kind of operator costs on the units of an Ethos-U55 or U65, and where these numbers come from.

Taken from Vela 5.2.0 as published: the units of work and the rates of the output unit, which
:class:`deploy.hardware.designs.U55Design` holds for each NPU. Fitted to Vela's cycles per layer over the networks
that ``docs/roofline.md`` lists: :class:`deploy.hardware.designs.RooflineFit` and the constants marked so below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from deploy.hardware.designs import MemorySystem, MemoryTiming, U55Design
from deploy.npu.stream.operations import BRICK
from deploy.npu.timing.transfers import ceil_divide
from deploy.roofline.layer import Layer

FREE: Final = frozenset(
    [
        "RESHAPE",
        "SQUEEZE",
        "EXPAND_DIMS",
        "CONCATENATION",
        "PACK",
        "UNPACK",
        "SPLIT",
        "SPLIT_V",
        "SLICE",
        "STRIDED_SLICE",
        "SHAPE",
        "PAD",
    ]
)
"""Operators that only rename memory: Vela lets the neighbours read or write in place, or pads as it convolves."""

REDUCING: Final = frozenset(["MEAN", "AVERAGE_POOL_2D", "MAX_POOL_2D", "REDUCE_MAX", "SUM", "SOFTMAX"])
"""Operators behind which Vela fetches no weights in advance (observed)."""

_ADDING = frozenset(["ADD", "SUB"])
ELEMENTWISE: Final = frozenset([*_ADDING, "MUL", "MAXIMUM", "MINIMUM", "SOFTMAX"])
TABLES: Final = frozenset(["LOGISTIC", "TANH", "HARD_SWISH", "GELU", "EXP", "LEAKY_RELU", "RSQRT", "LOG"])
CONVOLUTIONS: Final = frozenset(["CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"])
POOLS: Final = frozenset(["AVERAGE_POOL_2D", "MAX_POOL_2D"])
REQUANTIZING: Final = frozenset(["QUANTIZE", "RELU", "RELU6"])
_CARRYING = CONVOLUTIONS | _ADDING | POOLS | {"DEPTHWISE_CONV_2D", "MUL"}

_CHAINED = _ADDING | {"MUL", "MAXIMUM", "MINIMUM"}

_HALO = 1.4
"""How often a window larger than its stride reads its input (fitted)."""
_NARROW_HALO = 1.25
"""The same for the few channels of an image, whose blocks are larger (fitted)."""
_BLOCK_POSITIONS = 48
"""Positions of a block of the output of a layer with many channels (fitted)."""
_SPILLED_MATMUL, _SPILLED_SOFTMAX = 1.25, 2.2
"""Factors where feature maps do not fit a dedicated SRAM (fitted)."""
_LINEAR_RUN = 48
"""Bytes of a burst that are used when element-wise operators read what is not stored in bricks (fitted)."""
_BIAS_BLOCK = 128
"""Channels whose biases are read before the first result (fitted)."""
_NARROW_RUN = 8
"""Bytes of a burst that are used when a feature map of few channels is read (source: Vela's IFM blocks)."""


@dataclass(frozen=True)
class Riding:
    """Operators that cost nothing of their own.

    Attributes:
        riders: all of them.
        carriers: operators that apply the lookup table of another one to their output.
        chained: operators whose output others work on while it is in the NPU: how many.
    """

    riders: frozenset[int]
    carriers: frozenset[int]
    chained: Mapping[int, int]


def riding(layers: Sequence[Layer], *, chains: bool) -> Riding:
    """Find the operators that cost nothing of their own.

    Those are tables that alone consume what another operator makes and, where the NPU ``chains`` operators,
    elementwise ones that alone consume what was made just before.
    """
    by_index = {layer.index: layer for layer in layers}
    riders, carriers, chained = set[int](), set[int](), Counter[int]()
    for layer in layers:
        producer = by_index.get(max(layer.producers, default=-1))
        if producer is None or producer.consumers != 1 or producer.operator not in _CARRYING:
            continue
        if layer.operator in TABLES and len(layer.producers) == 1:
            riders.add(layer.index)
            carriers.add(producer.index)
        elif chains and layer.operator in _CHAINED and producer.index not in riders:
            riders.add(layer.index)
            chained[producer.index] += 1
    return Riding(frozenset(riders), frozenset(carriers), chained)


@dataclass(frozen=True)
class Surroundings:
    """What a layer's neighbours make of it.

    Attributes:
        table: it applies a lookup table as well.
        linear: its input comes through a reshape, slice or concatenation: stored row by row, not in bricks.
        chained: operators that work on its output while it is in the NPU.
    """

    table: bool
    linear: bool
    chained: int = 0


@dataclass(frozen=True)
class Terms:
    """The terms of one NPU."""

    design: U55Design

    def mac_cycles(self, layer: Layer, *, spilled: bool) -> float:
        """Cycles of the MAC units: four by unit of work and step, a step being 32 input channels or 4 taps.

        Args:
            layer: the layer.
            spilled: its feature maps do not fit the dedicated SRAM.
        """
        height, width, depth = self.design.ofm_ublock
        rows, columns, channels = layer.output
        units = ceil_divide(rows, height) * ceil_divide(columns, width)
        # Weights arrive one unit's depth at a time: fewer units than that in a plane leave the others waiting.
        across = max(units, depth)
        deep = ceil_divide(channels, depth)
        taps = layer.window.height * layer.window.width
        cores = self.design.cores
        if layer.operator in CONVOLUTIONS:
            depth_in = layer.inputs[0][2] if layer.inputs else 1
            steps = min(taps * ceil_divide(depth_in, 32), ceil_divide(taps, 4) * ceil_divide(depth_in, 8))
            return 4 * across * deep * steps / cores
        if layer.operator == "DEPTHWISE_CONV_2D":
            return 4 * across * deep * ceil_divide(taps, 4) / cores
        if layer.operator == "MEAN":
            # A depthwise convolution over the whole plane; one unit of work has to wait for itself.
            steps = ceil_divide(layer.inputs[0][0] * layer.inputs[0][1], 4)
            return (4 * depth + 2) * deep * steps / cores
        if layer.operator in POOLS or layer.operator == "RESIZE_NEAREST_NEIGHBOR":
            return max(taps, 4) * units * deep * self.design.mac_units.pooling[0] / cores
        if layer.operator == "BATCH_MATMUL":
            return layer.macs * self.design.roofline.matmul * (_SPILLED_MATMUL if spilled else 1.0)
        return 0.0

    def output_cycles(self, layer: Layer, around: Surroundings, *, spilled: bool) -> float:
        """Cycles of the output unit."""
        rate = self.design.output.other
        if layer.operator in _ADDING:
            rate = self.design.output.add
        elif layer.operator == "MUL":
            rate = self.design.output.multiply
        elif layer.operator == "SOFTMAX":
            rate = self.design.roofline.softmax * (_SPILLED_SOFTMAX if spilled else 1.0)
        elif layer.operator in REQUANTIZING:
            rate = self.design.roofline.requantize
        elif layer.operator == "MAX_POOL_2D":
            rate = self.design.output.maximum
        if around.table or layer.operator in TABLES:
            rate = max(rate, self.design.output.table)
        rows, columns, channels = layer.output
        if layer.operator in ELEMENTWISE and not around.linear:
            # Element-wise operators work through whole bricks of 16 channels.
            channels = ceil_divide(channels, BRICK) * BRICK
        return rows * columns * channels * rate

    def read_bytes(self, layer: Layer, port: MemoryTiming, around: Surroundings) -> float:
        """Bytes of feature maps read: windows of neighbouring blocks share some, narrow ones waste the bursts."""
        narrow = layer.operator in CONVOLUTIONS and bool(layer.inputs) and layer.inputs[0][2] < _NARROW_RUN
        if narrow or (around.linear and layer.operator == "DEPTHWISE_CONV_2D"):
            return layer.input_bytes * _NARROW_HALO * port.burst / _NARROW_RUN
        if layer.operator in ELEMENTWISE:
            # A broadcast operand is read as often as it is used.
            return len(layer.inputs) * self.written_bytes(layer, port, around)
        return layer.input_bytes * (_HALO if layer.window.height > layer.window.stride_y else 1.0)

    def written_bytes(self, layer: Layer, port: MemoryTiming, around: Surroundings) -> float:
        """Bytes of feature maps written, those that short bursts waste included."""
        short = around.linear and layer.operator in ELEMENTWISE
        return layer.output_bytes * (max(1.0, port.burst / _LINEAR_RUN) if short else 1.0)

    def weight_reads(self, layer: Layer) -> int:
        """How often weights are read that cannot be kept in the dedicated SRAM: once by block of the output."""
        rows, columns, _ = layer.output
        return max(1, rows * columns // _BLOCK_POSITIONS)

    def start_cycles(
        self, layer: Layer, around: Surroundings, source: MemoryTiming, places: MemorySystem
    ) -> float:
        """Cycles before the first result: latency, the first block of the input, the first biases."""
        if layer.operator == "SOFTMAX":
            return self.design.roofline.softmax_start
        if layer.operator in ELEMENTWISE:
            return 16.0
        room = self.design.shram_kb * 512
        start = source.read_latency + source.write_latency + min(layer.input_bytes, room) / source.bytes_per_cycle
        if layer.operator in CONVOLUTIONS or layer.operator == "DEPTHWISE_CONV_2D":
            start += 10 * min(layer.output[2], _BIAS_BLOCK) * places.constants.read_latency / 256
        # Vela's figures count blocks of narrow feature maps with the arena's bursts, wherever they lie.
        waste = places.arena.burst / _NARROW_RUN / places.arena.bytes_per_cycle
        if layer.operator == "DEPTHWISE_CONV_2D" and around.linear:
            start += layer.input_bytes * waste / 8
        if layer.operator in CONVOLUTIONS and layer.inputs:
            for size, depth in ((layer.input_bytes, layer.inputs[0][2]), (layer.output_bytes, layer.output[2])):
                if depth < _NARROW_RUN:
                    start += min(size, room * depth // _NARROW_RUN) * waste
        return start

    def roofs(
        self, layer: Layer, around: Surroundings, places: MemorySystem, source: MemoryTiming, spare: float
    ) -> dict[str, float]:
        """Cycles by what limits a layer.

        Args:
            layer: the layer.
            around: what its neighbours make of it.
            places: which memory holds what.
            source: the memory that it reads.
            spare: cycles of the layer before in which its weights can be fetched.
        """
        start = self.start_cycles(layer, around, source, places)
        spilled = 0 < places.fast_bytes < layer.activation_bytes
        roofs = {
            "MAC units": self.mac_cycles(layer, spilled=spilled) + start,
            "output unit": self.output_cycles(layer, around, spilled=spilled) + start,
        }
        fetching = layer.packed_bytes / places.constants.bytes_per_cycle
        if 0 < places.fast_bytes < layer.packed_bytes + layer.activation_bytes:
            fetching *= self.weight_reads(layer)
        elif fetching <= spare:
            fetching = 0.0
        reading = self.read_bytes(layer, source, around) / source.bytes_per_cycle
        target = source if around.linear else places.fast
        writing = self.written_bytes(layer, target, around) / target.bytes_per_cycle
        for port, cycles in ((source, reading), (target, writing), (places.constants, fetching)):
            roofs[port.name] = roofs.get(port.name, 0.0) + cycles
        return roofs

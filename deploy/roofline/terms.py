"""What each kind of operator costs on the units of an Ethos-U55 or U65."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from deploy.npu.architecture import Architecture
from deploy.npu.block_geometry import BRICK
from deploy.npu_config import NpuConfig
from deploy.roofline.layers import Layer
from deploy.roofline.memories import Port

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
    ]
)
"""Operators that only rename memory: Vela lets the neighbours read or write in place."""

REDUCING: Final = frozenset(["MEAN", "AVERAGE_POOL_2D", "REDUCE_MAX", "SUM", "SOFTMAX"])
"""Operators behind which no weights are fetched in advance (observed)."""

_ELEMENTWISE = frozenset(["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "SOFTMAX"])
_TABLES = frozenset(["LOGISTIC", "TANH", "HARD_SWISH", "GELU", "EXP", "LEAKY_RELU", "RSQRT", "LOG"])
_CONVOLUTIONS = frozenset(["CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"])
_CARRYING = _CONVOLUTIONS | {"DEPTHWISE_CONV_2D", "ADD", "SUB", "MUL", "AVERAGE_POOL_2D", "MAX_POOL_2D"}


@dataclass(frozen=True)
class Rates:
    """Cycles of the output unit by element (source: Vela 5.2.0, the performance tables of its architecture)."""

    plain: float
    table: float
    add: float
    multiply: float
    maximum: float


_RATES: Final[Mapping[str, Rates]] = MappingProxyType(
    {
        "U55-32": Rates(2.0, 1.0, 6.0, 3.0, 1.0),
        "U55-64": Rates(1.0, 1.0, 3.0, 1.5, 0.5),
        "U55-128": Rates(0.5, 1.0, 1.5, 0.75, 0.25),
        "U55-256": Rates(0.25, 1.0, 0.75, 0.375, 0.125),
        "U65-256": Rates(0.25, 1.0, 0.75, 0.375, 0.125),
        "U65-512": Rates(0.125, 0.5, 0.375, 0.1875, 0.0625),
    }
)


@dataclass(frozen=True)
class Riding:
    """Lookup tables that another operator applies to its output.

    Attributes:
        riders: indices of the table operators.
        carriers: indices of the operators that apply them.
    """

    riders: frozenset[int]
    carriers: frozenset[int]


def tables_riding(layers: Sequence[Layer]) -> Riding:
    """Find the table operators that cost nothing of their own: the only consumer of an operator that can apply one."""
    by_index = {layer.index: layer for layer in layers}
    riders, carriers = set(), set()
    for layer in layers:
        producer = by_index.get(layer.producers[0]) if len(layer.producers) == 1 else None
        if layer.operator in _TABLES and producer is not None:
            if producer.consumers == 1 and producer.operator in _CARRYING:
                riders.add(layer.index)
                carriers.add(producer.index)
    return Riding(frozenset(riders), frozenset(carriers))


@dataclass(frozen=True)
class Terms:
    """The terms of one NPU."""

    architecture: Architecture
    rates: Rates

    def mac_cycles(self, layer: Layer) -> float:
        """Cycles of the MAC units."""
        height, width, depth = self.architecture.ofm_ublock
        rows, columns, channels = layer.output
        across = _ceil(rows, height) * _ceil(columns, width)
        deep = _ceil(channels, depth)
        taps = layer.window.height * layer.window.width
        cores = self.architecture.cores
        if layer.operator in _CONVOLUTIONS:
            depth_in = layer.inputs[0][2] if layer.inputs else 1
            steps = min(taps * _ceil(depth_in, 32), _ceil(taps, 4) * _ceil(depth_in, 8))
            return 4 * max(across, 8) * deep * steps / cores
        if layer.operator in ("DEPTHWISE_CONV_2D", "MEAN"):
            if layer.operator == "MEAN":
                taps = layer.inputs[0][0] * layer.inputs[0][1]
            return 4 * max(across, 8) * deep * _ceil(taps, 4) / cores
        if layer.operator in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
            return max(taps, 4) * across * deep * 4 / cores
        if layer.operator == "BATCH_MATMUL":
            return layer.macs * self.rates.multiply * 1.1
        return 0.0

    def output_cycles(self, layer: Layer, *, table: bool) -> float:
        """Cycles of the output unit.

        Args:
            layer: the layer.
            table: it applies a lookup table as well.
        """
        rate = self.rates.plain
        if layer.operator in ("ADD", "SUB"):
            rate = self.rates.add
        elif layer.operator == "MUL":
            rate = self.rates.multiply
        elif layer.operator == "SOFTMAX":
            rate = 15.0
        elif layer.operator == "MAX_POOL_2D":
            rate = self.rates.maximum
        if table or layer.operator in _TABLES or layer.operator == "QUANTIZE":
            rate = max(rate, self.rates.table)
        rows, columns, channels = layer.output
        if layer.operator in _ELEMENTWISE:
            # Element-wise operators work through whole bricks of 16 channels.
            channels = _ceil(channels, BRICK) * BRICK
        return rows * columns * channels * rate

    def moved_bytes(self, layer: Layer) -> float:
        """Bytes of feature maps read and written; what windows of neighbouring blocks share is read again."""
        again = 1.4 if layer.window.height > layer.window.stride_y else 1.0
        return layer.input_bytes * again + layer.output_bytes

    def start_cycles(self, layer: Layer, feature_maps: Port) -> float:
        """Cycles before the first result: latency and the first block of the input."""
        if layer.operator == "SOFTMAX":
            return 800.0
        if layer.operator in _ELEMENTWISE:
            return 16.0
        block = min(layer.input_bytes, self.architecture.shram_kb * 512)
        return 100.0 + block / feature_maps.bytes_per_cycle


def terms_of(npu: NpuConfig) -> Terms:
    """The terms of an NPU."""
    return Terms(Architecture(npu.family, npu.macs), _RATES[npu.name])


def _ceil(value: int, by: int) -> int:
    return -(-value // by)

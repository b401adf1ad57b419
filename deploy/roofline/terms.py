"""What each kind of operator costs on the units of an Ethos-U55 or U65."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from deploy.npu.architecture import Architecture
from deploy.npu_config import NpuConfig
from deploy.roofline.layers import Layer

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

_TABLES = frozenset(["LOGISTIC", "TANH", "HARD_SWISH", "GELU", "EXP", "LEAKY_RELU", "RSQRT", "LOG"])
_CONVOLUTIONS = frozenset(["CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"])
_PRODUCING = _CONVOLUTIONS | {"DEPTHWISE_CONV_2D", "ADD", "SUB", "MUL", "AVERAGE_POOL_2D", "MAX_POOL_2D"}


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
class Terms:
    """The terms of one NPU."""

    architecture: Architecture
    rates: Rates

    def fused(self, layer: Layer, by_index: Mapping[int, Layer]) -> bool:
        """Whether a lookup table rides on the operator that makes its input."""
        if layer.operator not in _TABLES or len(layer.producers) != 1:
            return False
        producer = by_index.get(layer.producers[0])
        return producer is not None and producer.consumers == 1 and producer.operator in _PRODUCING

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
        if layer.operator == "DEPTHWISE_CONV_2D":
            return 4 * across * deep * _ceil(taps, 4) / cores
        if layer.operator in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
            return max(taps, 4) * across * deep * 4 / cores
        if layer.operator == "BATCH_MATMUL":
            return layer.macs * self.rates.multiply * 1.1
        return 0.0

    def output_cycles(self, layer: Layer) -> float:
        """Cycles of the output unit."""
        rows, columns, channels = layer.output
        elements = rows * columns * channels
        if layer.operator in ("ADD", "SUB"):
            return elements * self.rates.add
        if layer.operator == "MUL":
            return elements * self.rates.multiply
        if layer.operator in _TABLES or layer.operator == "QUANTIZE":
            return elements * self.rates.table
        if layer.operator == "SOFTMAX":
            return elements * self.rates.add * 10
        if layer.operator == "MAX_POOL_2D":
            return elements * self.rates.maximum
        return elements * self.rates.plain

    def feature_map_bytes(self, layer: Layer) -> float:
        """Bytes of feature maps read and written."""
        return layer.activation_bytes

    def overhead(self, layer: Layer) -> float:
        """Factor for what has no term."""
        return 1.0


def terms_of(npu: NpuConfig) -> Terms:
    """The terms of an NPU."""
    return Terms(Architecture(npu.family, npu.macs), _RATES[npu.name])


def _ceil(value: int, by: int) -> int:
    return -(-value // by)

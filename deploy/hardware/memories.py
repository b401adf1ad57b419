"""The memories behind an NPU's ports, as it sees them: what they deliver, and which of them holds what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MemoryTiming:
    """One memory as the NPU sees it; two of equal timing and name are taken for one and the same.

    Attributes:
        name: ``SRAM``, ``DRAM`` or ``flash``.
        bytes_per_cycle: bandwidth, in NPU cycles: the port's width times the memory's clock scale.
        burst: bytes of the longest burst.
    """

    name: str
    bytes_per_cycle: float
    burst: int
    read_latency: int
    write_latency: int


@dataclass(frozen=True, slots=True)
class MemorySystem:
    """Which memory holds what.

    Attributes:
        constants: weights, scales and tables (region 0).
        arena: inputs and outputs of the network, and feature maps where no SRAM is dedicated to them (region 1).
        fast: feature maps (region 2); the same as ``arena`` without a dedicated SRAM.
        fast_bytes: size of the dedicated SRAM, 0 without one.
    """

    constants: MemoryTiming
    arena: MemoryTiming
    fast: MemoryTiming
    fast_bytes: int = 0

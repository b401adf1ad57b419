"""What an execution did: operations, MACs, bytes through the AXI ports, counters, and an estimate of its time.

The estimate itself is :mod:`deploy.npu.timing.cycles`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from math import ceil
from operator import add

from deploy.hardware.npu_events import NpuEvent
from deploy.npu.regions import port_of, region_config
from deploy.npu.stream.dma import DMA
from deploy.npu.stream.operations import Access, Operation


@dataclass(frozen=True, slots=True)
class PortTraffic:
    """Bytes that move through each of the two AXI ports, 0 and 1."""

    read: tuple[int, int] = (0, 0)
    written: tuple[int, int] = (0, 0)

    def __add__(self, other: PortTraffic) -> PortTraffic:
        return PortTraffic(
            (self.read[0] + other.read[0], self.read[1] + other.read[1]),
            (self.written[0] + other.written[0], self.written[1] + other.written[1]),
        )


def traffic(operation: Operation, config: int | None = None) -> PortTraffic:
    """What an operation reads and writes, each byte once, by the port that its region is reached through.

    What stays inside the NPU (its SHRAM) passes no port.
    """
    config = region_config() if config is None else config
    return PortTraffic(_by_port(operation.reads, config), _by_port(operation.writes, config))


def event_counts(port_bytes: int, cycles: int, moved: PortTraffic) -> dict[int, int]:
    """The amount that each counter grows by in one run, by event; events that are not listed do not grow."""
    return {
        NpuEvent.CYCLE: cycles,
        NpuEvent.NPU_ACTIVE: cycles,
        NpuEvent.MAC_ACTIVE: cycles,
        NpuEvent.AXI0_RD_DATA_BEAT_RECEIVED: ceil(moved.read[0] / port_bytes),
        NpuEvent.AXI0_WR_DATA_BEAT_WRITTEN: ceil(moved.written[0] / port_bytes),
        NpuEvent.AXI1_RD_DATA_BEAT_RECEIVED: ceil(moved.read[1] / port_bytes),
        NpuEvent.AXI1_WR_DATA_BEAT_WRITTEN: ceil(moved.written[1] / port_bytes),
    }


def _by_port(accesses: Iterable[Access], config: int) -> tuple[int, int]:
    ports = [0, 0]
    for region, size in accesses:
        if region is not None:
            ports[port_of(region, config)] += size
    return ports[0], ports[1]


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """One executed operation.

    Attributes:
        kind: ``CONV``, ``DEPTHWISE``, ``POOL.MAX``, ``ELEMENTWISE.ADD``, ``DMA`` and so on.
        offset: byte offset of its command in the stream.
        macs: multiply-accumulates of the nominal kernel (0 for elementwise and DMA).
        moved: feature map, weight, scale and DMA bytes through each AXI port, each counted once.
        cycles: an estimate of what it takes alone; chained to others (on U85) what it adds to theirs.
        chained: to the operation before it.
    """

    kind: str
    offset: int
    macs: int
    moved: PortTraffic
    cycles: int
    chained: bool = False


@dataclass
class Statistics:
    """Counters of one execution; counts are exact, ``cycles`` is an estimate."""

    records: list[OperationRecord] = field(default_factory=list)
    stopped: bool = False

    @property
    def operations(self) -> int:
        """Kernels executed (NPU_OP_CONV, DEPTHWISE, POOL, ELEMENTWISE); DMA is counted apart."""
        return sum(record.kind != DMA for record in self.records)

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return sum(record.macs for record in self.records)

    @property
    def moved(self) -> PortTraffic:
        """Bytes through each AXI port."""
        return reduce(add, (record.moved for record in self.records), PortTraffic())

    @property
    def cycles(self) -> int:
        """Estimated NPU cycles: the sum of :attr:`visible_cycles`."""
        return sum(self.visible_cycles)

    @property
    def visible_cycles(self) -> list[int]:
        """Estimated NPU cycles that each record adds to the whole.

        DMA runs while the operation before it computes (Vela issues it that early); only what goes beyond that
        operation counts.
        """
        found, slack = [], 0
        for record in self.records:
            if record.kind == DMA:
                found.append(max(record.cycles - slack, 0))
                slack = max(slack - record.cycles, 0)
            else:
                found.append(record.cycles)
                slack = record.cycles + (slack if record.chained else 0)
        return found

"""What an execution did: operations, MACs, bytes moved, and an estimate of the time it would take.

The estimate itself is :mod:`deploy.npu.timing.cycles`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import add

from deploy.npu.stream.dma import DMA
from deploy.npu.timing.counters import PortTraffic


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """One executed operation.

    Attributes:
        kind: ``CONV``, ``DEPTHWISE``, ``POOL.MAX``, ``ELEMENTWISE.ADD``, ``DMA`` and so on.
        offset: byte offset of its command in the stream.
        macs: multiply-accumulates of the nominal kernel (0 for elementwise and DMA).
        moved: feature map, weight, scale and DMA bytes through each AXI port, each counted once.
    """

    kind: str
    offset: int
    macs: int
    moved: PortTraffic
    cycles: int

    @property
    def bytes_read(self) -> int:
        """Bytes read through both ports."""
        return sum(self.moved.read)

    @property
    def bytes_written(self) -> int:
        """Bytes written through both ports."""
        return sum(self.moved.written)


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
    def dma_operations(self) -> int:
        """DMA transfers executed."""
        return sum(record.kind == DMA for record in self.records)

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return sum(record.macs for record in self.records)

    @property
    def moved(self) -> PortTraffic:
        """Bytes through each AXI port."""
        return reduce(add, (record.moved for record in self.records), PortTraffic())

    @property
    def bytes_read(self) -> int:
        """Bytes read through both ports."""
        return sum(self.moved.read)

    @property
    def bytes_written(self) -> int:
        """Bytes written through both ports."""
        return sum(self.moved.written)

    @property
    def cycles(self) -> int:
        """Estimated NPU cycles.

        DMA runs while the operation before it computes (Vela issues it that early); only what goes beyond that
        operation counts. Everything else is the sum over the operations.
        """
        total = slack = 0
        for record in self.records:
            if record.kind == DMA:
                total += max(record.cycles - slack, 0)
                slack = max(slack - record.cycles, 0)
            else:
                total += record.cycles
                slack = record.cycles
        return total

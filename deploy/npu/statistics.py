"""What an execution did: operations, MACs, bytes moved, and an estimate of the time it would take.

The estimate itself is :mod:`deploy.npu.cycles`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from deploy.npu.architecture import Architecture
from deploy.npu.cycles import estimate
from deploy.npu.operations import (
    BlockOperation,
    ConvolutionOperation,
    DmaOperation,
    ElementwiseOperation,
    Operation,
    PoolingMode,
    PoolingOperation,
)


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """One executed operation.

    Attributes:
        kind: ``CONV``, ``DEPTHWISE``, ``POOL.MAX``, ``ELEMENTWISE.ADD``, ``DMA`` and so on.
        offset: byte offset of its command in the stream.
        macs: multiply-accumulates of the nominal kernel (0 for elementwise and DMA).
        bytes_read: feature map, weight, scale and DMA source bytes, each counted once.
        bytes_written: OFM or DMA destination bytes.
        cycles: an ESTIMATE for the operation alone, see :func:`deploy.npu.cycles.estimate`.
    """

    kind: str
    offset: int
    macs: int
    bytes_read: int
    bytes_written: int
    cycles: int


@dataclass
class Statistics:
    """Counters of one execution; counts are exact, ``cycles`` is an estimate.

    Attributes:
        records: one per operation, in order.
        stopped: whether the stream ended with NPU_OP_STOP.
    """

    records: list[OperationRecord] = field(default_factory=list)
    stopped: bool = False

    @property
    def operations(self) -> int:
        """Kernels executed (NPU_OP_CONV, DEPTHWISE, POOL, ELEMENTWISE); DMA is counted apart."""
        return sum(record.kind != "DMA" for record in self.records)

    @property
    def dma_operations(self) -> int:
        """DMA transfers executed."""
        return sum(record.kind == "DMA" for record in self.records)

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return sum(record.macs for record in self.records)

    @property
    def bytes_read(self) -> int:
        """Bytes read."""
        return sum(record.bytes_read for record in self.records)

    @property
    def bytes_written(self) -> int:
        """Bytes written."""
        return sum(record.bytes_written for record in self.records)

    @property
    def cycles(self) -> int:
        """Estimated NPU cycles.

        DMA runs while the operation before it computes (Vela issues it that early); only what goes beyond that
        operation counts. Everything else is the sum over the operations.
        """
        total = slack = 0
        for record in self.records:
            if record.kind == "DMA":
                total += max(record.cycles - slack, 0)
                slack = max(slack - record.cycles, 0)
            else:
                total += record.cycles
                slack = record.cycles
        return total


def record(operation: Operation, architecture: Architecture) -> OperationRecord:
    """Describe an operation that was executed; its cycles are an estimate."""
    cycles = estimate(operation, architecture).cycles
    if isinstance(operation, DmaOperation):
        return OperationRecord("DMA", operation.offset, 0, operation.length, operation.length, cycles)
    assert isinstance(operation, BlockOperation)  # noqa: S101 - narrows the type, there is no other kind
    kind, macs = operation.command.removeprefix("NPU_OP_"), 0
    read, written = operation.ifm.nbytes, operation.ofm.nbytes
    if isinstance(operation, ConvolutionOperation):
        depth = 1 if operation.depthwise else operation.ifm.depth
        macs = operation.ofm.elements * operation.kernel.height * operation.kernel.width * depth
        read += sum(part.length for part in (*operation.weights, *operation.scales))
    elif isinstance(operation, PoolingOperation):
        kind = f"POOL.{operation.mode.name}"
        macs = operation.ofm.elements * operation.kernel.height * operation.kernel.width
        if operation.mode is PoolingMode.REDUCE_SUM:
            macs = operation.ifm.elements
    elif isinstance(operation, ElementwiseOperation):
        kind = f"ELEMENTWISE.{operation.mode.name}"
        read += operation.ifm2.nbytes if operation.ifm2 is not None else 0
    return OperationRecord(kind, operation.offset, macs, read, written, cycles)

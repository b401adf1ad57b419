"""What the NPU's performance counters show for a run: estimates, from what the run moved and computed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil

from deploy.npu.decoder import Program
from deploy.npu.operations import (
    BlockOperation,
    ConvolutionOperation,
    DmaOperation,
    ElementwiseOperation,
    Operation,
)

# Numbers of the events, as in Vela's ethos_u55_regs (pmu_event_type).
CYCLE = 0x11
NPU_IDLE = 0x20
NPU_ACTIVE = 0x23
MAC_ACTIVE = 0x30
AXI0_READ_BEATS = 0x82
AXI0_WRITE_BEATS = 0x87
AXI1_READ_BEATS = 0x182
AXI1_WRITE_BEATS = 0x187

# Vela 5.2.0, axi_port_bytes_per_cycle.
_BEAT_BYTES = {"U55": 8, "U65": 16}


@dataclass(frozen=True)
class Traffic:
    """Bytes that a run moves through each of the two AXI ports.

    Attributes:
        read: bytes read through port 0 and 1.
        written: bytes written through port 0 and 1.
    """

    read: tuple[int, int]
    written: tuple[int, int]


def traffic(program: Program, region_config: int) -> Traffic:
    """Add up what each operation reads and writes once, by the port that REGIONCFG gives its region.

    Args:
        program: the decoded command stream.
        region_config: the register: two bits a region, 0 and 1 are port 0, 2 and 3 are port 1.
    """
    read: Counter[int] = Counter()
    written: Counter[int] = Counter()
    for operation in program.operations:
        for region, size in _reads(operation):
            read[_port(region, region_config)] += size
        for region, size in _writes(operation):
            written[_port(region, region_config)] += size
    return Traffic((read[0], read[1]), (written[0], written[1]))


def event_counts(product: str, cycles: int, moved: Traffic) -> dict[int, int]:
    """The amount that each event counter grows by in one run; events that are not listed do not grow.

    Args:
        product: ``U55`` or ``U65``.
        cycles: the run's estimated cycles.
        moved: the run's traffic.
    """
    beat = _BEAT_BYTES[product]
    return {
        CYCLE: cycles,
        NPU_ACTIVE: cycles,
        MAC_ACTIVE: cycles,
        AXI0_READ_BEATS: ceil(moved.read[0] / beat),
        AXI0_WRITE_BEATS: ceil(moved.written[0] / beat),
        AXI1_READ_BEATS: ceil(moved.read[1] / beat),
        AXI1_WRITE_BEATS: ceil(moved.written[1] / beat),
    }


def _port(region: int, region_config: int) -> int:
    return region_config >> (2 * region) >> 1 & 1


def _reads(operation: Operation) -> list[tuple[int, int]]:
    if isinstance(operation, DmaOperation):
        return _outside([(operation.source_region, operation.length)])
    assert isinstance(operation, BlockOperation)  # noqa: S101 - narrows the type, there is no other kind
    reads: list[tuple[int | None, int]] = [(operation.ifm.region, operation.ifm.nbytes)]
    if isinstance(operation, ConvolutionOperation):
        reads += [(part.region, part.length) for part in (*operation.weights, *operation.scales)]
    elif isinstance(operation, ElementwiseOperation) and operation.ifm2 is not None:
        reads.append((operation.ifm2.region, operation.ifm2.nbytes))
    return _outside(reads)


def _writes(operation: Operation) -> list[tuple[int, int]]:
    if isinstance(operation, DmaOperation):
        return _outside([(operation.destination_region, operation.length)])
    assert isinstance(operation, BlockOperation)  # noqa: S101 - narrows the type, there is no other kind
    return _outside([(operation.ofm.region, operation.ofm.nbytes)])


def _outside(moves: list[tuple[int | None, int]]) -> list[tuple[int, int]]:
    """Without what stays inside the NPU (its SHRAM is region None)."""
    return [(region, size) for region, size in moves if region is not None]

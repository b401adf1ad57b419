"""What operations move through the AXI ports, and what the NPU's performance counters make of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from deploy.npu.stream.operations import (
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

DEFAULT_REGION_CONFIG = 0x5553
"""REGIONCFG as the firmware's driver sets it: region 0 (constants) at port 1, the others at port 0."""

# Vela 5.2.0, axi_port_bytes_per_cycle.
_BEAT_BYTES = {"U55": 8, "U65": 16}


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes that move through each of the two AXI ports.

    Attributes:
        read: bytes read through port 0 and 1.
        written: bytes written through port 0 and 1.
    """

    read: tuple[int, int] = (0, 0)
    written: tuple[int, int] = (0, 0)

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(
            (self.read[0] + other.read[0], self.read[1] + other.read[1]),
            (self.written[0] + other.written[0], self.written[1] + other.written[1]),
        )


def traffic(operation: Operation, region_config: int = DEFAULT_REGION_CONFIG) -> Traffic:
    """What an operation reads and writes, each byte once, by the port that REGIONCFG gives its region.

    What stays inside the NPU (its SHRAM) passes no port.

    Args:
        operation: a decoded operation.
        region_config: the register: two bits a region, 0 and 1 are port 0, 2 and 3 are port 1.
    """
    return Traffic(_by_port(_reads(operation), region_config), _by_port(_writes(operation), region_config))


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


def _by_port(moves: list[tuple[int | None, int]], region_config: int) -> tuple[int, int]:
    ports = [0, 0]
    for region, size in moves:
        if region is not None:
            ports[region_config >> (2 * region) >> 1 & 1] += size
    return ports[0], ports[1]


def _reads(operation: Operation) -> list[tuple[int | None, int]]:
    if isinstance(operation, DmaOperation):
        return [(operation.source_region, operation.length)]
    assert isinstance(operation, BlockOperation)  # noqa: S101 - narrows the type, there is no other kind
    reads: list[tuple[int | None, int]] = [(operation.ifm.region, operation.ifm.nbytes)]
    if isinstance(operation, ConvolutionOperation):
        reads += [(part.region, part.length) for part in (*operation.weights, *operation.scales)]
    elif isinstance(operation, ElementwiseOperation) and operation.ifm2 is not None:
        reads.append((operation.ifm2.region, operation.ifm2.nbytes))
    return reads


def _writes(operation: Operation) -> list[tuple[int | None, int]]:
    if isinstance(operation, DmaOperation):
        return [(operation.destination_region, operation.length)]
    assert isinstance(operation, BlockOperation)  # noqa: S101 - narrows the type, there is no other kind
    return [(operation.ofm.region, operation.ofm.nbytes)]

"""What operations move through the AXI ports, and what the NPU's performance counters make of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from deploy.hardware.npu_events import NpuEvent
from deploy.npu.regions import port_of, region_config
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

    Args:
        operation: a decoded operation.
        config: REGIONCFG; default :func:`deploy.npu.regions.region_config`.
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

"""The events that an NPU's performance counters count, by the numbers and names of Vela's register description."""

from __future__ import annotations

from enum import IntEnum


class NpuEvent(IntEnum):
    """Numbers for PMEVTYPER (source: Vela 5.2.0, ``ethos_u55_regs``, ``pmu_event_type``).

    U85 has the same numbers, and calls port 0 SRAM and port 1 EXT (``ethos_u85_interface.hpp``).
    """

    CYCLE = 0x11
    NPU_IDLE = 0x20
    NPU_ACTIVE = 0x23
    MAC_ACTIVE = 0x30
    AXI0_RD_DATA_BEAT_RECEIVED = 0x82
    AXI0_WR_DATA_BEAT_WRITTEN = 0x87
    AXI1_RD_DATA_BEAT_RECEIVED = 0x182
    AXI1_WR_DATA_BEAT_WRITTEN = 0x187


def event_title(number: int) -> str:
    """The name of an event in reports: ``NPU ACTIVE``; of an unknown one its number."""
    try:
        name = NpuEvent(number).name
    except ValueError:
        return f"NPU EVENT {number:#x}"
    return "NPU CYCLE" if name == "CYCLE" else name.replace("_", " ")

"""The events that an NPU's performance counters count, by the numbers and names of Vela's register description."""

from __future__ import annotations

from enum import IntEnum


class NpuEvent(IntEnum):
    """Numbers for PMEVTYPER (source: Vela 5.2.0, ``ethos_u55_regs``, ``pmu_event``)."""

    CYCLE = 0x11
    NPU_IDLE = 0x20
    NPU_ACTIVE = 0x23
    MAC_ACTIVE = 0x30
    AXI0_RD_DATA_BEAT_RECEIVED = 0x82
    AXI0_WR_DATA_BEAT_WRITTEN = 0x87
    AXI1_RD_DATA_BEAT_RECEIVED = 0x182
    AXI1_WR_DATA_BEAT_WRITTEN = 0x187

    @property
    def title(self) -> str:
        """The name in reports: ``NPU ACTIVE``."""
        return "NPU CYCLE" if self is NpuEvent.CYCLE else self.name.replace("_", " ")

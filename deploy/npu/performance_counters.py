"""The performance monitoring unit of an NPU: a cycle counter and counters of events that a driver chooses.

Its registers lie alike in all families, one behind the other from PMCR on; where PMCR is, and how many counters
there are, is the family's (:class:`deploy.hardware.designs.RegisterLayout`). Source: Vela's ``ethos_u55_regs`` and
``ethos_u85_interface.hpp`` (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Mapping

_MASK = 0xFFFFFFFF

# Offsets from PMCR.
PMCR = 0x000
PMCNTENSET = 0x004
PMCNTENCLR = 0x008
PMCCNTR_LO = 0x020
PMCCNTR_HI = 0x024
PMCCNTR_CFG = 0x028
PMCAXI_CHAN = 0x02C
PMEVCNTR0 = 0x180
PMEVTYPER0 = 0x200
END = 0x280

_CYCLE_COUNTER = 1 << 31
_ENABLE = 1 << 0
_RESET_EVENTS = 1 << 1
_RESET_CYCLES = 1 << 2
_KEPT = 0b1001
_EVENT_BITS = 0x3FF
# Written and read back, without an effect on a functional model.
_STORAGE = (PMCCNTR_CFG, PMCAXI_CHAN)


class PerformanceCounters:
    """The registers of the unit; offsets count from PMCR, are multiples of 4 and lie below ``END``."""

    def __init__(self, counters: int) -> None:
        self._control = 0
        self._enabled = 0
        self._cycles = 0
        self._events = [0] * counters
        self._chosen = [0] * counters
        self._stored: dict[int, int] = {}

    def read(self, offset: int) -> int:
        """Read a register; reserved ones read 0."""
        if offset == PMCR:
            return self._control | len(self._events) << 11
        if offset in (PMCNTENSET, PMCNTENCLR):
            return self._enabled
        if offset == PMCCNTR_LO:
            return self._cycles & _MASK
        if offset == PMCCNTR_HI:
            return self._cycles >> 32 & 0xFFFF
        if (counter := self._counter(offset, PMEVCNTR0)) is not None:
            return self._events[counter] & _MASK
        if (counter := self._counter(offset, PMEVTYPER0)) is not None:
            return self._chosen[counter]
        return self._stored.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Write 32 bits to a register; writes to reserved ones have no effect."""
        if offset == PMCR:
            self._control = value & _KEPT
            if value & _RESET_EVENTS:
                self._events = [0] * len(self._events)
            if value & _RESET_CYCLES:
                self._cycles = 0
        elif offset == PMCNTENSET:
            self._enabled |= value
        elif offset == PMCNTENCLR:
            self._enabled &= ~value
        elif offset == PMCCNTR_LO:
            self._cycles = (self._cycles & ~_MASK) | value
        elif offset == PMCCNTR_HI:
            self._cycles = (self._cycles & _MASK) | (value & 0xFFFF) << 32
        elif (counter := self._counter(offset, PMEVCNTR0)) is not None:
            self._events[counter] = value
        elif (counter := self._counter(offset, PMEVTYPER0)) is not None:
            self._chosen[counter] = value & _EVENT_BITS
        elif offset in _STORAGE:
            self._stored[offset] = value

    def count(self, cycles: int, events: Mapping[int, int]) -> None:
        """Add a run's cycles, and what happened in it by event, to the counters that are enabled."""
        if not self._control & _ENABLE:
            return
        if self._enabled & _CYCLE_COUNTER:
            self._cycles += cycles
        for counter, chosen in enumerate(self._chosen):
            if self._enabled >> counter & 1:
                self._events[counter] += events.get(chosen, 0)

    def _counter(self, offset: int, first: int) -> int | None:
        counter = (offset - first) // 4
        return counter if 0 <= counter < len(self._events) else None

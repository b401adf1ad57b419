"""The CPU's own counters, which QEMU has not: CYCCNT of the DWT, and the PMU of Armv8.1-M.

Registers: Armv8-M Architecture Reference Manual (DDI 0553), chapters on the DWT and the PMU. All counts come from
one clock: cycles and instructions are counted, events of caches and pipelines never occur. Nothing interrupts when
a counter overflows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from deploy.corstone.core_clock import CoreClock
from deploy.corstone.stand_in import DWT, PMU

_MASK = 0xFFFFFFFF

_DWT_CTRL, _DWT_CYCCNT, _DWT_DEVARCH = 0x000, 0x004, 0xFBC
# Eight comparators; no trace packets, external triggers and profiling counters.
_DWT_CTRL_FIXED = 8 << 28 | 0b1101 << 24
_DWT_DEVARCH_VALUE = 0x4770_1A02

_EVENTS = 8
_CCNTR, _EVTYPER, _CCFILTR = 0x07C, 0x400, 0x47C
_CNTENSET, _CNTENCLR, _INTENSET, _INTENCLR = 0xC00, 0xC20, 0xC40, 0xC60
_OVSCLR, _SWINC, _OVSSET, _TYPE, _CTRL = 0xC80, 0xCA0, 0xCC0, 0xE00, 0xE04
_CYCLES_BIT = 31
# 16-bit event counters, a 32-bit cycle counter, trace and freezing not there; eight event counters.
_TYPE_VALUE = 1 << 14 | 0x1F << 8 | _EVENTS
_CTRL_ENABLE, _CTRL_RESET_EVENTS, _CTRL_RESET_CYCLES = 1 << 0, 1 << 1, 1 << 2
_SW_INCR, _INST_RETIRED, _CPU_CYCLES, _CHAIN = 0x000, 0x008, 0x011, 0x01E


@dataclass
class _Counter:
    """One that counts what something else shows while it runs; it never loses its upper bits."""

    source: Callable[[], int]
    total: int = 0
    since: int | None = None
    seen: int = field(default=0)

    def value(self) -> int:
        return self.total + (0 if self.since is None else self.source() - self.since)

    def run(self, running: bool) -> None:
        if running != (self.since is not None):
            self.total = self.value()
            self.since = self.source() if running else None

    def set(self, value: int) -> None:
        self.total, self.seen = value, 0
        if self.since is not None:
            self.since = self.source()

    def overflows(self, bits: int) -> bool:
        """Whether it has passed its end since this was asked last."""
        passed = self.value() >> bits
        before, self.seen = self.seen, passed
        return passed > before


class CoreCounters:
    """DWT and PMU, which share one counter of cycles."""

    def __init__(self, clock: CoreClock) -> None:
        self._clock = clock
        self._words: dict[int, int] = {}
        self._types = [0] * _EVENTS
        self._enabled = 0
        self._interrupts = 0
        self._control = 0
        self._overflown = 0
        self._increments = [0] * _EVENTS
        self._dwt = False
        self._cycles = _Counter(clock.poll)
        self._events = [_Counter(self._source(number)) for number in range(_EVENTS)]

    def read_dwt(self, offset: int) -> int:
        """Read a register of the DWT."""
        if offset == _DWT_CTRL:
            return _DWT_CTRL_FIXED | int(self._dwt)
        if offset == _DWT_CYCCNT:
            return self._cycles.value() & _MASK
        if offset == _DWT_DEVARCH:
            return _DWT_DEVARCH_VALUE
        return self._words.get(DWT + offset, 0)

    def write_dwt(self, offset: int, value: int) -> None:
        """Write a register of the DWT."""
        if offset == _DWT_CTRL:
            self._dwt = bool(value & 1)
            self._run()
        elif offset == _DWT_CYCCNT:
            self._cycles.set(value)
        else:
            self._words[DWT + offset] = value

    def read_pmu(self, offset: int) -> int:
        """Read a register of the PMU."""
        if offset < 4 * _EVENTS:
            return self._events[offset // 4].value() & 0xFFFF
        if offset == _CCNTR:
            return self._cycles.value() & _MASK
        if _EVTYPER <= offset < _EVTYPER + 4 * _EVENTS:
            return self._types[(offset - _EVTYPER) // 4]
        if offset in (_OVSSET, _OVSCLR):
            return self._overflows()
        fixed = {_TYPE: _TYPE_VALUE, _CTRL: self._control}
        fixed |= {_CNTENSET: self._enabled, _CNTENCLR: self._enabled}
        fixed |= {_INTENSET: self._interrupts, _INTENCLR: self._interrupts}
        return fixed[offset] if offset in fixed else self._words.get(PMU + offset, 0)

    def write_pmu(self, offset: int, value: int) -> None:
        """Write a register of the PMU."""
        if offset < 4 * _EVENTS:
            self._events[offset // 4].set(value & 0xFFFF)
        elif offset == _CCNTR:
            self._cycles.set(value)
        elif _EVTYPER <= offset < _EVTYPER + 4 * _EVENTS:
            self._choose((offset - _EVTYPER) // 4, value & 0xFFFF)
        elif offset in (_CNTENSET, _CNTENCLR):
            self._enabled = self._enabled | value if offset == _CNTENSET else self._enabled & ~value
            self._run()
        elif offset in (_INTENSET, _INTENCLR):
            self._interrupts = self._interrupts | value if offset == _INTENSET else self._interrupts & ~value
        elif offset in (_OVSSET, _OVSCLR):
            overflown = self._overflows()
            self._overflown = overflown | value if offset == _OVSSET else overflown & ~value
        elif offset == _SWINC:
            self._increment(value)
        elif offset == _CTRL:
            self._control = value & _CTRL_ENABLE
            if value & _CTRL_RESET_EVENTS:
                for each in self._events:
                    each.set(0)
            if value & _CTRL_RESET_CYCLES:
                self._cycles.set(0)
            self._run()
        elif offset != _TYPE:
            self._words[PMU + offset] = value

    def _choose(self, number: int, event: int) -> None:
        counter = self._events[number]
        counter.run(False)
        self._types[number] = event
        counter.source = self._source(number)
        self._run()

    def _source(self, number: int) -> Callable[[], int]:
        """What an event counter counts."""
        event = self._types[number]
        if event == _CPU_CYCLES:
            return self._clock.cycles
        if event == _INST_RETIRED:
            return self._clock.instructions
        if event == _SW_INCR:
            return lambda: self._increments[number]
        if event == _CHAIN and number & 1:
            return lambda: self._events[number - 1].value() >> 16
        return lambda: 0

    def _increment(self, counters: int) -> None:
        for number in range(_EVENTS):
            self._increments[number] += counters >> number & 1

    def _run(self) -> None:
        """Start and stop the counters as they are enabled now."""
        enabled = self._enabled if self._control & _CTRL_ENABLE else 0
        self._cycles.run(self._dwt or bool(enabled >> _CYCLES_BIT & 1))
        for number, counter in enumerate(self._events):
            counter.run(bool(enabled >> number & 1))

    def _overflows(self) -> int:
        found = self._cycles.overflows(32) << _CYCLES_BIT
        for number, counter in enumerate(self._events):
            found |= counter.overflows(16) << number
        self._overflown |= found
        return self._overflown


class Dwt:
    """The DWT's registers as a device."""

    def __init__(self, counters: CoreCounters) -> None:
        self.read, self.write = counters.read_dwt, counters.write_dwt


class Pmu:
    """The PMU's registers as a device."""

    def __init__(self, counters: CoreCounters) -> None:
        self.read, self.write = counters.read_pmu, counters.write_pmu

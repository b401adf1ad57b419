"""The timing adapters between the NPU's AXI ports and the memories: registers, and what they do to the estimate.

A system may slow its memories down to those of another one by them. Names, fields and their meaning: the settings
that Arm's ML evaluation kit documents for each. Here nothing is slowed down; what is set counts in the estimated
cycles, as bandwidth and latency of the port.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy.hardware.designs import MemorySystem, MemoryTiming
from deploy.npu.regions import CONSTANTS, FAST, port_of

_MAXR, _RLATENCY, _WLATENCY, _PULSE_ON, _PULSE_OFF, _BWCAP, _MODE = 0x00, 0x0C, 0x10, 0x14, 0x18, 0x1C, 0x28
_MAXPENDING, _VERSION = 0x2C, 0x38
_FIXED = {_MAXPENDING: 64, _VERSION: 0x1117}
_MASKS = {_MAXR: 0x3F, 0x04: 0x3F, 0x08: 0x3F, _RLATENCY: 0xFFF, _WLATENCY: 0xFFF, _PULSE_ON: 0xFFFF}
_MASKS |= {_PULSE_OFF: 0xFFFF, _BWCAP: 0xFFFF, 0x20: 0x3F, _MODE: 0xFFF, 0x30: 0xF}
_BINS, _HISTBIN, _HISTCNT = 16, 0x30, 0x34
_LIMITS = (_MAXR, _RLATENCY, _WLATENCY, _PULSE_OFF, _BWCAP)
_WORD = 8
_ARENA = 1


class TimingAdapter:
    """The registers of one, as a device."""

    def __init__(self) -> None:
        self._words: dict[int, int] = {}
        self._bins = [0] * _BINS

    def read(self, offset: int) -> int:
        """What a register holds."""
        if offset == _HISTCNT:
            return self._bins[self._words.get(_HISTBIN, 0)]
        return _FIXED.get(offset, self._words.get(offset, 0))

    def write(self, offset: int, value: int) -> None:
        """Write a register; those that are read only keep what they have."""
        if offset == _HISTCNT:
            self._bins[self._words.get(_HISTBIN, 0)] = value
        elif offset not in _FIXED:
            self._words[offset] = value & _MASKS.get(offset, 0xFFFFFFFF)

    @property
    def set(self) -> bool:
        """Whether it limits anything."""
        return any(self._words.get(offset) for offset in _LIMITS)

    def limited(self, memory: MemoryTiming, port: int, port_bytes: int) -> MemoryTiming:
        """The memory as it looks through this adapter.

        Args:
            memory: behind it, whose bursts count.
            port: number of the AXI port.
            port_bytes: that the port moves in a cycle.
        """
        words = self._words.get
        slower = 1 + (words(_MODE, 0) >> 4)
        window = words(_PULSE_ON, 0) + words(_PULSE_OFF, 0)
        rates = [float(port_bytes)]
        if window:
            rates.append(port_bytes * words(_PULSE_ON, 0) / window)
            if words(_BWCAP):
                rates.append(words(_BWCAP, 0) * _WORD / window)
        latency = words(_RLATENCY, 0)
        if words(_MAXR) and latency:
            rates.append(words(_MAXR, 0) * memory.burst / latency)
        return MemoryTiming(
            f"AXI{port}",
            max(min(rates), 1e-3) / slower,
            memory.burst,
            latency * slower,
            words(_WLATENCY, 0) * slower,
        )


def adapted(
    adapters: Sequence[TimingAdapter], memories: MemorySystem, port_bytes: int, config: int
) -> MemorySystem | None:
    """The memories behind adapters; None where none is set.

    Args:
        adapters: of AXI port 0 and 1.
        memories: without them.
        port_bytes: that a port moves in a cycle.
        config: REGIONCFG, which says through which port each region is reached.
    """
    if not any(adapter.set for adapter in adapters):
        return None

    def through(region: int, memory: MemoryTiming) -> MemoryTiming:
        port = port_of(region, config)
        return adapters[port].limited(memory, port, port_bytes) if adapters[port].set else memory

    return MemorySystem(
        constants=through(CONSTANTS, memories.constants),
        arena=through(_ARENA, memories.arena),
        fast=through(FAST, memories.fast),
        fast_bytes=memories.fast_bytes,
    )

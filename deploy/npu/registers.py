"""The NPU's register file as a driver sees it: identification, control, queue, base pointers, event counters.

Offsets and fields: Vela's ``ethos_u55_regs`` (Apache-2.0) names them all. Values that identify the hardware were
checked against Arm's unmodified driver. A run is complete when the write that starts it returns: the functional
model has no time of its own, so cycle counters are estimates and are reported as such.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deploy.npu.architecture import Architecture
from deploy.npu.errors import MemoryAccessError, NpuError
from deploy.npu.execution.workspace import WeightCache
from deploy.npu.program import Program, decode, run
from deploy.npu.timing.statistics import Statistics, event_counts

_MASK = 0xFFFFFFFF

ID = 0x000
STATUS = 0x004
CMD = 0x008
RESET = 0x00C
QBASE0 = 0x010
QBASE1 = 0x014
QREAD = 0x018
QCONFIG = 0x01C
QSIZE = 0x020
PROT = 0x024
CONFIG = 0x028
LOCK = 0x02C
REGIONCFG = 0x03C
BASEP0 = 0x080
BASEP15 = 0x0BC
PMCR = 0x180
PMCNTENSET = 0x184
PMCNTENCLR = 0x188
PMCCNTR_LO = 0x1A0
PMCCNTR_HI = 0x1A4
PMCCNTR_CFG = 0x1A8
PMEVCNTR0 = 0x300
PMEVTYPER0 = 0x380

STATUS_IRQ = 1 << 1
STATUS_BUS_ERROR = 1 << 2
STATUS_PARSE_ERROR = 1 << 4
STATUS_END = 1 << 5

CMD_RUN = 1 << 0
CMD_CLEAR_IRQ = 1 << 1

_REGIONS = 8
_COUNTERS = 4
_CYCLE_COUNTER = 1 << 31
_PMCR_ENABLE = 1 << 0
_PMCR_RESET_EVENTS = 1 << 1
_PMCR_RESET_CYCLES = 1 << 2
_MAX_STREAM = 64 * 1024 * 1024

# Peripheral and component identification, the part of the window that debuggers read.
_IDENTIFICATION = {0xFF0: 0x0D, 0xFF4: 0xF0, 0xFF8: 0x05, 0xFFC: 0xB1}
# Plain storage: written and read back, without an effect on a functional model.
_STORAGE = {QBASE0, QBASE1, QCONFIG, QSIZE, LOCK, REGIONCFG, PMCCNTR_CFG, 0x1AC, 0x140, 0x144, 0x148}
_STORAGE |= {0x040, 0x044, 0x048, 0x04C}


class SystemMemory(Protocol):
    """What the NPU's AXI ports reach."""

    def window(self, address: int) -> NDArray[np.uint8] | None:
        """Flat writable bytes from an absolute address to the end of its memory; None where there is none."""

    def commit(self) -> None:
        """A run has ended: make what it wrote visible to the CPU."""


class BusError(Exception):
    """The command stream or a base pointer lies where the NPU's AXI ports do not reach."""


@dataclass(frozen=True)
class FinishedRun:
    """One run of a command stream.

    Attributes:
        statistics: operation counts (exact) and cycles (an estimate); None if the run failed.
        error: why it failed, in one line; None if it succeeded.
    """

    statistics: Statistics | None
    error: str | None


# Firmware runs the same stream again and again; decoding takes a quarter of the time of a small network's run.
@functools.lru_cache(maxsize=4)
def _decoded(stream: bytes, architecture: Architecture) -> Program:
    return decode(np.frombuffer(stream, dtype="<u4"), architecture)


class RegisterFile:
    """The 4 KB register window; ``report`` is called with one line for each run that failed."""

    def __init__(
        self,
        architecture: Architecture,
        memory: SystemMemory,
        *,
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.architecture = architecture
        self._memory = memory
        self._report = report
        self._cache = WeightCache()
        self._protection = 1
        self.runs: list[FinishedRun] = []
        self._reset()

    @property
    def irq(self) -> bool:
        """Level of the interrupt line."""
        return bool(self._status & STATUS_IRQ)

    def read(self, offset: int) -> int:
        """Read the 32-bit register at an offset (a multiple of 4 below 0x1000); reserved ones read 0."""
        if offset == STATUS:
            return self._status
        if offset in self._fixed:
            return self._fixed[offset]
        if offset == PROT:
            return self._protection
        if offset == QREAD:
            return self._queue_read
        if offset == PMCR:
            return self._pmcr | _COUNTERS << 11
        if offset in (PMCNTENSET, PMCNTENCLR):
            return self._counters_enabled
        if offset == PMCCNTR_LO:
            return self._cycles & _MASK
        if offset == PMCCNTR_HI:
            return self._cycles >> 32 & 0xFFFF
        if PMEVCNTR0 <= offset < PMEVCNTR0 + 4 * _COUNTERS:
            return self._events[(offset - PMEVCNTR0) // 4] & _MASK
        return self._stored.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Write the 32-bit register at an offset; writes to read-only and reserved ones have no effect.

        Writing CMD starts a run, which has ended when this returns: look at ``irq``.
        """
        value &= _MASK
        if offset == CMD:
            if value & CMD_CLEAR_IRQ:
                self._status &= ~STATUS_IRQ
            if value & CMD_RUN:
                self._run()
        elif offset == RESET:
            self._protection = value & 3
            self._reset()
        elif offset in _STORAGE or BASEP0 <= offset <= BASEP15:
            self._stored[offset] = value
        elif offset == PMCR:
            self._pmcr = value & 0b1001
            if value & _PMCR_RESET_EVENTS:
                self._events = [0] * _COUNTERS
            if value & _PMCR_RESET_CYCLES:
                self._cycles = 0
        elif offset == PMCNTENSET:
            self._counters_enabled |= value
        elif offset == PMCNTENCLR:
            self._counters_enabled &= ~value
        elif offset == PMCCNTR_LO:
            self._cycles = (self._cycles & ~_MASK) | value
        elif offset == PMCCNTR_HI:
            self._cycles = (self._cycles & _MASK) | (value & 0xFFFF) << 32
        elif PMEVCNTR0 <= offset < PMEVCNTR0 + 4 * _COUNTERS:
            self._events[(offset - PMEVCNTR0) // 4] = value
        elif PMEVTYPER0 <= offset < PMEVTYPER0 + 4 * _COUNTERS:
            self._stored[offset] = value & 0x3FF

    def _reset(self) -> None:
        self._status = 0
        self._queue_read = 0
        self._stored: dict[int, int] = {}
        self._pmcr = 0
        self._counters_enabled = 0
        self._cycles = 0
        self._events = [0] * _COUNTERS
        self._fixed = {
            ID: self.architecture.design.id_word,
            CONFIG: self.architecture.config_word,
            **_IDENTIFICATION,
        }

    def _run(self) -> None:
        self._status &= ~(STATUS_BUS_ERROR | STATUS_PARSE_ERROR | STATUS_END)
        self._queue_read = 0
        try:
            stream = self._stream()
            program = _decoded(stream, self.architecture)
            run(program, self._regions(), self._cache)
            statistics = program.statistics(self._stored.get(REGIONCFG, 0))
        except (BusError, MemoryAccessError) as error:
            self._failed(STATUS_BUS_ERROR, str(error))
        except NpuError as error:
            self._failed(STATUS_PARSE_ERROR, str(error))
        else:
            self._status |= STATUS_END
            self._queue_read = self._stored.get(QSIZE, 0)
            cycles = statistics.cycles or 0
            port_bytes = self.architecture.design.port_bytes
            self._count(cycles, event_counts(port_bytes, cycles, statistics.moved))
            self.runs.append(FinishedRun(statistics, None))
        finally:
            self._memory.commit()
        self._status |= STATUS_IRQ

    def _failed(self, bit: int, reason: str) -> None:
        self._status |= bit
        self.runs.append(FinishedRun(None, reason))
        self._report(reason)

    def _stream(self) -> bytes:
        address = self._address(QBASE0)
        size = self._stored.get(QSIZE, 0)
        view = self._memory.window(address)
        if view is None:
            raise BusError(f"the NPU does not reach its command stream at 0x{address:08x}")
        if not 4 <= size <= min(view.size, _MAX_STREAM) or size % 4:
            raise BusError(f"a command stream of {size} bytes at 0x{address:08x} does not fit in its memory")
        # A copy: what the stream writes must not change the stream.
        return view[:size].tobytes()

    def _regions(self) -> dict[int, NDArray[np.uint8]]:
        """The regions whose base pointers were set and point to memory; the others fail when they are used."""
        regions = {}
        for number in range(_REGIONS):
            low = BASEP0 + 8 * number
            if low in self._stored:
                view = self._memory.window(self._address(low))
                if view is not None:
                    regions[number] = view
        return regions

    def _address(self, low: int) -> int:
        # The driver of an NPU with 32 address bits does not even write the high words.
        mask = (1 << self.architecture.design.address_bits) - 1
        return (self._stored.get(low, 0) | self._stored.get(low + 4, 0) << 32) & mask

    def _count(self, cycles: int, events: dict[int, int]) -> None:
        """Add a run to the counters that are enabled."""
        if not self._pmcr & _PMCR_ENABLE:
            return
        if self._counters_enabled & _CYCLE_COUNTER:
            self._cycles += cycles
        for counter in range(_COUNTERS):
            if self._counters_enabled >> counter & 1:
                counted = self._stored.get(PMEVTYPER0 + 4 * counter, 0)
                self._events[counter] += events.get(counted, 0)

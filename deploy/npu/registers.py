"""The NPU's register file as a driver sees it: identification, control, queue, base pointers, event counters.

Offsets and fields: Vela's ``ethos_u55_regs`` and ``ethos_u85_interface.hpp`` (Apache-2.0) name them all. What
stands here holds for all families; what differs is data (:class:`deploy.hardware.designs.RegisterLayout`). Values
that identify the hardware were checked against Arm's unmodified driver. A run is complete when the write that
starts it returns: the functional model has no time of its own, so cycle counters
are estimates and are reported as such.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deploy.hardware.designs import MemorySystem
from deploy.npu import performance_counters
from deploy.npu.architecture import Architecture
from deploy.npu.errors import MemoryAccessError, NpuError
from deploy.npu.execution.workspace import WeightCache
from deploy.npu.performance_counters import PerformanceCounters
from deploy.npu.program import Program, decoded, run
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
REGIONCFG = 0x03C
BASEP0 = 0x080
BASEP15 = 0x0BC

PROT_NON_SECURE = 1 << 1
"""Of RESET, too."""

STATUS_IRQ = 1 << 1
STATUS_BUS_ERROR = 1 << 2
STATUS_PARSE_ERROR = 1 << 4
STATUS_END = 1 << 5

CMD_RUN = 1 << 0
CMD_CLEAR_IRQ = 1 << 1
CMD_CLOCK_Q = 1 << 2
CMD_POWER_Q = 1 << 3

_CMD_KEPT = CMD_CLOCK_Q | CMD_POWER_Q
_REGIONS = 8
_MAX_STREAM = 64 * 1024 * 1024

# Peripheral and component identification, the part of the window that debuggers read.
_IDENTIFICATION = {0xFF0: 0x0D, 0xFF4: 0xF0, 0xFF8: 0x05, 0xFFC: 0xB1}
# Plain storage: written and read back, without an effect on a functional model.
_STORAGE = {QBASE0, QBASE1, QCONFIG, QSIZE, REGIONCFG, 0x140, 0x144, 0x148}


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


@dataclass(frozen=True)
class ObservedRun:
    """A run for those who look at its operations.

    Attributes:
        finished: how it ended.
        program: what was run; None where the stream was no program.
        bases: address of each region whose base pointer was set.
    """

    finished: FinishedRun
    program: Program | None
    bases: Mapping[int, int] = field(default_factory=dict)


class RegisterFile:
    """The register window of ``layout.window`` bytes.

    Args:
        architecture: the NPU.
        memory: behind its ports.
        report: called with one line for each failed run.
        memories: tells with which memories cycles are estimated, given REGIONCFG; None for those of the NPU's
            default configuration.
        observe: called after each run.
        weights: decoded weights, where another one of them goes on; they are found by their content.
    """

    def __init__(
        self,
        architecture: Architecture,
        memory: SystemMemory,
        *,
        report: Callable[[str], None] = lambda line: None,
        memories: Callable[[int], MemorySystem | None] = lambda config: None,
        observe: Callable[[ObservedRun], None] | None = None,
        weights: WeightCache | None = None,
    ) -> None:
        self.architecture = architecture
        self.layout = architecture.design.registers
        self._memory = memory
        self._report = report
        self._memories = memories
        self._observe = observe
        self.weights = WeightCache() if weights is None else weights
        self._protection = 1
        self.runs: list[FinishedRun] = []
        self._reset()

    @property
    def secure(self) -> bool:
        """Whether the NPU is Secure (PROT)."""
        return not self._protection & PROT_NON_SECURE

    @property
    def irq(self) -> bool:
        """Level of the interrupt line."""
        return bool(self._status & STATUS_IRQ)

    def read(self, offset: int) -> int:
        """Read the 32-bit register at an offset (a multiple of 4 in the window); reserved ones read 0."""
        if offset == STATUS:
            return self._status
        if offset == CMD:
            return self._command
        if offset in self._fixed:
            return self._fixed[offset]
        if offset == PROT:
            return self._protection
        if offset == QREAD:
            return self._queue_read
        if 0 <= offset - self.layout.pmu < performance_counters.END:
            return self._counters.read(offset - self.layout.pmu)
        return self._stored.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Write the 32-bit register at an offset; writes to read-only and reserved ones have no effect.

        Writing CMD starts a run, which has ended when this returns: look at ``irq``.
        """
        value &= _MASK
        if offset == CMD:
            self._command = value & _CMD_KEPT
            if value & CMD_CLEAR_IRQ:
                self._status &= ~STATUS_IRQ
            if value & CMD_RUN:
                self._run()
        elif offset == RESET:
            self._protection = value & 3
            self._reset()
        elif 0 <= offset - self.layout.pmu < performance_counters.END:
            self._counters.write(offset - self.layout.pmu, value)
        elif offset in _STORAGE or BASEP0 <= offset <= BASEP15 or offset in self.layout.stored:
            self._stored[offset] = value

    def _reset(self) -> None:
        self._status = 0
        self._command = _CMD_KEPT
        self._queue_read = 0
        self._stored: dict[int, int] = {}
        self._counters = PerformanceCounters(self.layout.counters)
        self._fixed = {
            ID: self.architecture.design.id_word,
            CONFIG: self.architecture.config_word,
            **_IDENTIFICATION,
        }

    def _run(self) -> None:
        self._status &= ~(STATUS_BUS_ERROR | STATUS_PARSE_ERROR | STATUS_END)
        self._queue_read = 0
        program = None
        try:
            stream = self._stream()
            program = decoded(stream, self.architecture)
            run(program, self._regions(), self.weights)
            config = self._region_ports()
            statistics = program.statistics(config, self._memories(config))
        except (BusError, MemoryAccessError) as error:
            self._failed(STATUS_BUS_ERROR, str(error))
        except NpuError as error:
            self._failed(STATUS_PARSE_ERROR, str(error))
        else:
            self._status |= STATUS_END
            self._queue_read = self._stored.get(QSIZE, 0)
            cycles = statistics.cycles or 0
            port_bytes = self.architecture.design.port_bytes
            self._counters.count(cycles, event_counts(port_bytes, cycles, statistics.moved))
            self.runs.append(FinishedRun(statistics, None))
        finally:
            self._memory.commit()
        self._status |= STATUS_IRQ
        if self._observe is not None:
            bases = {number: self._address(BASEP0 + 8 * number) for number in self._set_regions()}
            self._observe(ObservedRun(self.runs[-1], program, bases))

    def _set_regions(self) -> list[int]:
        """The regions whose base pointers were set."""
        return [number for number in range(_REGIONS) if BASEP0 + 8 * number in self._stored]

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
        for number in self._set_regions():
            view = self._memory.window(self._address(BASEP0 + 8 * number))
            if view is not None:
                regions[number] = view
        return regions

    def _address(self, low: int) -> int:
        # The driver of an NPU with 32 address bits does not even write the high words.
        mask = (1 << self.architecture.design.address_bits) - 1
        return (self._stored.get(low, 0) | self._stored.get(low + 4, 0) << 32) & mask

    def _region_ports(self) -> int:
        """The port of each region, as REGIONCFG of a family has it that chooses ports there.

        The others choose one of four words of attributes there, and bit 2 of the word is the port.
        """
        chosen = self._stored.get(REGIONCFG, 0)
        if self.layout.attributes is None:
            return chosen
        words = [self._stored.get(self.layout.attributes + 4 * number, 0) for number in range(4)]
        return sum((words[chosen >> 2 * region & 3] >> 2 & 1) << 2 * region + 1 for region in range(_REGIONS))

"""One memory over the time of an inference: which tensor lies where and when, as Vela allocated them.

From Vela's debug database. Between two operators lies a step of the schedule in which weights of the next one are
fetched. (Observed in Vela 5.2.0; a test holds the allocations against the addresses in the command stream.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from deploy.debug_database import CONSTANT, WEIGHT_BUFFER, Allocation, DebugDatabase
from deploy.reporting.data.names import short_name
from deploy.reporting.data.operators import MEMORIES


@dataclass(frozen=True)
class LiveTensor:
    """A tensor while it occupies memory.

    Attributes:
        kind: ``feature map`` or ``weight buffer``.
        start: first step of Vela's schedule in which it is live.
        end: last such step.
        address: first byte, an offset into the arena.
    """

    name: str
    kind: str
    start: int
    end: int
    address: int
    size: int


@dataclass(frozen=True)
class MemoryMap:
    """One memory over the time of an inference.

    Attributes:
        memory: ``SRAM`` or ``DRAM``.
        tensors: in the order in which they become live.
        clock: NPU cycle in which each step of the schedule begins, and after the last one its end. Vela gives no
            cycles for operators on the CPU: they stand with ``cpu_cycles``.
        peak: highest address in use, bytes.
        peak_step: the first step that uses it and takes time.
        limit: bytes that the model may take; None where that is unknown.
        operators: step -> the operator that runs in it.
        cpu_steps: the steps of operators on the CPU.
        cpu_cycles: what each of them is given, for something to be seen.
    """

    memory: str
    tensors: tuple[LiveTensor, ...]
    clock: tuple[int, ...]
    peak: int
    peak_step: int
    limit: int | None
    operators: dict[int, str]
    cpu_steps: tuple[int, ...] = ()
    cpu_cycles: int = 0

    @property
    def steps(self) -> int:
        """How many steps the schedule has."""
        return len(self.clock) - 1

    @property
    def at_peak(self) -> tuple[LiveTensor, ...]:
        """The tensors that are live in the peak step, largest first."""
        live = [tensor for tensor in self.tensors if tensor.start <= self.peak_step <= tensor.end]
        return tuple(sorted(live, key=lambda tensor: -tensor.size))

    @property
    def in_use(self) -> list[tuple[int, int]]:
        """(cycle, highest address in use from then on), where it changes and at the end."""
        steps = sorted({0, self.steps} | {t.start for t in self.tensors} | {t.end + 1 for t in self.tensors})
        points: dict[int, int] = {}
        for step in steps:
            live = (tensor.address + tensor.size for tensor in self.tensors if tensor.start <= step <= tensor.end)
            at, used = self.clock[step], max(live, default=0)
            # Of steps that take no cycles the most counts: it is what has to fit.
            points[at] = max(points.get(at, 0), used)
        points[self.clock[-1]] = 0
        return sorted(points.items())


MAX_TENSORS = 400
"""Most tensors of one memory that are drawn."""

MAX_STEPS = 1_000_000
"""Bound on the length of the schedule, against a damaged database."""

_CPU_WIDTHS = 50
"""An operator on the CPU, whose cycles Vela does not know, is drawn as wide as this part of the NPU's time."""

_WRITABLE = ("SRAM", "DRAM")


class Steps(NamedTuple):
    """What runs in the steps of Vela's schedule.

    Attributes:
        operators: step -> the operator that runs in it.
        cycles: step -> cycles that it takes; without any, every step counts as one.
        on_cpu: steps of operators on the CPU.
    """

    operators: dict[int, str]
    cycles: dict[int, int]
    on_cpu: set[int]


def memory_maps(debug: DebugDatabase, steps: Steps, sram_limit: int | None) -> tuple[MemoryMap, ...]:
    """SRAM, which may be limited to so many bytes, and DRAM over time; memories that hold nothing are left out."""
    by_memory: dict[str, dict[tuple[int, int, int, int], LiveTensor]] = {}
    for allocation in debug.allocations:
        memory = MEMORIES.get(allocation.memory)
        tensor = _tensor(allocation)
        if memory in _WRITABLE and tensor is not None and allocation.usage != CONSTANT:
            # An operator that works in place has input and output in the same bytes; the first name stands.
            place = (tensor.start, tensor.end, tensor.address, tensor.size)
            by_memory.setdefault(memory, {}).setdefault(place, tensor)
    # All of them over the whole inference: maps below each other must have the same time.
    end = max((tensor.end + 1 for found in by_memory.values() for tensor in found.values()), default=0)
    return tuple(
        _memory_map(memory, list(by_memory[memory].values()), end, steps, sram_limit if memory == "SRAM" else None)
        for memory in _WRITABLE
        if memory in by_memory
    )


def _memory_map(
    memory: str, tensors: Sequence[LiveTensor], end: int, steps: Steps, limit: int | None
) -> MemoryMap:
    highest = max(tensors, key=lambda tensor: (tensor.address + tensor.size, -tensor.start))
    peak = highest.address + highest.size
    cpu_steps = tuple(sorted(step for step in steps.on_cpu if step < end))
    nominal = max(sum(steps.cycles.values()) // max(_CPU_WIDTHS, 5 * len(cpu_steps)), 1)
    durations = [steps.cycles.get(step, 0) if steps.cycles else 1 for step in range(end)]
    for step in cpu_steps:
        durations[step] = nominal
    clock = tuple(accumulate(durations, initial=0))
    busy = (step for step in range(highest.start, min(highest.end + 1, end)) if durations[step])
    peak_step = next(busy, highest.start)
    kept = sorted(sorted(tensors, key=lambda tensor: -tensor.size)[:MAX_TENSORS], key=lambda tensor: tensor.start)
    return MemoryMap(
        memory=memory,
        tensors=tuple(kept),
        clock=clock,
        peak=peak,
        peak_step=peak_step,
        limit=limit,
        operators=steps.operators,
        cpu_steps=cpu_steps,
        cpu_cycles=nominal if cpu_steps else 0,
    )


def _tensor(allocation: Allocation) -> LiveTensor | None:
    if allocation.size <= 0 or not 0 <= allocation.first <= allocation.last < MAX_STEPS:
        return None
    return LiveTensor(
        name=short_name(allocation.name),
        kind="weight buffer" if allocation.usage == WEIGHT_BUFFER else "feature map",
        start=allocation.first,
        end=allocation.last,
        address=allocation.address,
        size=allocation.size,
    )

"""One memory over the time of an inference: which tensor lies where and when. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LiveTensor:
    """A tensor while it occupies memory.

    Attributes:
        name: shortened.
        kind: ``feature map`` or ``weight buffer``.
        start: first step of Vela's schedule in which it is live.
        end: last such step.
        address: first byte, an offset into the arena.
        size: bytes.
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

"""What the simulator itself says, in the FVP's words where scripts look for them; the ways in which it ends."""

from __future__ import annotations

import enum
import resource
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.errors import DeployError, TargetError
from deploy.hardware.npus import npus

if TYPE_CHECKING:
    from deploy.corstone.machine import Machine
    from deploy.corstone.stand_in import StandIn


class EndReason(enum.Enum):
    """Why a simulation ended; limits with the words that the FVP has for them."""

    SHUTDOWN = "shut down"
    EXIT = "exit of the program"
    WALL_TIME = "CPU time has been exceeded."
    SIMULATED_TIME = "Simulated time has been exceeded."
    CYCLES = "Cycle limit has been exceeded."
    SIGNAL = "signal"

    @property
    def limit(self) -> bool:
        """Whether it is a limit of the command line."""
        return self in (EndReason.WALL_TIME, EndReason.SIMULATED_TIME, EndReason.CYCLES)


class StopRequest(Exception):  # noqa: N818 - a request, not an error
    """Raised by signal handlers to end the simulation from outside."""

    def __init__(self, reason: EndReason, status: int) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.status = status


@dataclass(frozen=True)
class Ending:
    """How a simulation ended."""

    reason: EndReason
    status: int = 0


class Console:
    """Writes to the standard output and error; when quiet, only what went wrong and what was asked for."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def say(self, line: str) -> None:
        """Information."""
        if not self._quiet:
            print(line, flush=True)

    def report(self, line: str) -> None:
        """A warning: on the standard error, so that it does not mix with the program's output."""
        print(line, file=sys.stderr, flush=True)

    def say_ending(self, ending: Ending) -> None:
        """Why the simulation ended."""
        if ending.reason.limit:
            self.say(f"\nInfo: Simulation is stopping. Reason: {ending.reason.value}")
        self.say("\nInfo: /OSCI/SystemC: Simulation stopped by user.")

    def say_statistics(self, machine: Machine, model: StandIn, wall_s: float, clock_hz: float) -> None:
        """The block of ``--stat``: the FVP's lines first, then what only this model knows."""
        from deploy.corstone.core_clock import CYCLES_PER_INSTRUCTION

        usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        figures, simulated_s = machine.figures, machine.simulated_s
        answered = machine.answered
        runs = [] if answered is None else answered.npu.runs
        done = [run.statistics for run in runs if run.statistics is not None]
        cpu, instructions = model.instances["cpu"], machine.instructions
        npu, assumed = f"{model.fvp}.{model.instances['npu']}", []
        if answered is not None:
            # Firmware does not tell the NPU which memories the cycles are to be estimated with.
            known = npus()[answered.npu.architecture.name]
            memories = f"{known.system_config}, {known.memory_mode}"
            limited = [str(number) for number, adapter in enumerate(answered.adapters) if adapter.set]
            if limited:
                memories += f"; AXI {' and '.join(limited)} as the timing adapter says"
            assumed = [(f"{npu} memories (assumed)", memories)]
        rows = [
            ("Simulated time", f"{simulated_s:f}s"),
            ("User time", f"{sum(usage.ru_utime for usage in usages):f}s"),
            ("System time", f"{sum(usage.ru_stime for usage in usages):f}s"),
            ("Wall time", f"{wall_s:f}s"),
            ("Performance index", f"{simulated_s / max(wall_s, 1e-9):.2f}"),
            (cpu, f"{instructions / max(wall_s, 1e-9) / 1e6:6.2f} MIPS ({instructions:12} Inst)"),
            (
                f"{model.fvp}.{cpu} instructions ({'counted' if machine.clock.counting else 'estimate'})",
                f"{CYCLES_PER_INSTRUCTION} cycles each, {clock_hz:.0f} cycles a simulated second",
            ),
            (f"{model.fvp} start", f"{figures.start_s:f}s"),
            (f"{npu} runs", f"{len(done)} complete, {len(runs) - len(done)} failed"),
            (f"{npu} operations", f"{sum(item.operations for item in done)}"),
            (f"{npu} MACs", f"{sum(item.macs for item in done)}"),
            (f"{npu} cycles (estimate)", f"{sum(item.cycles for item in done)}"),
            *assumed,
            (f"{npu} register accesses", f"{figures.accesses} in {figures.access_s:f}s"),
            (f"{npu} model time", f"{figures.npu_s:f}s"),
        ]
        head = f"--- {model.fvp} statistics: "
        print("\n" + head + "-" * (79 - len(head)))
        width = max(54, *(len(name) for name, _ in rows))
        for name, value in rows:
            print(f"{name:{width}}: {value}")
        print("-" * 79, flush=True)


def report_error(error: DeployError) -> None:
    """An error that ends the simulator."""
    sys.stdout.flush()
    print(f"Error: {error.message}", file=sys.stderr)
    for line in error.log if isinstance(error, TargetError) else ():
        print(f"  | {line}", file=sys.stderr)
    for hint in error.hints:
        print(f"  {hint}", file=sys.stderr)

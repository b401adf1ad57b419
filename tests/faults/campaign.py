"""Injects the faults and tells whether each was detected and left nothing behind."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from . import building, entering, running, writing
from .sandbox import Parts, Sandbox
from .table import Fault, Stage

STAGES: tuple[Stage, ...] = (
    building.quantize,
    building.models,
    building.compile_,
    building.report,
    building.verify,
    building.check,
    building.firmware,
    building.fvp,
    running.run,
    writing.files,
    entering.files,
    entering.arrays,
    entering.settings,
    entering.numbers,
    entering.models,
)
FAULTS: tuple[Fault, ...] = tuple(itertools.chain.from_iterable(stage.faults for stage in STAGES))
_numbers = itertools.count()


@dataclass(frozen=True)
class Result:
    """What became of a fault.

    Attributes:
        fault: the fault.
        undetected: why it was not detected; empty if it was.
        left: what was left behind.
        seconds: how long the command took.
    """

    fault: Fault
    undetected: str
    left: tuple[str, ...]
    seconds: float


def inject(fault: Fault, parts: Parts, capture: Callable[[], str] | None = None) -> Result:
    """Inject one fault into a sandbox of its own.

    Args:
        fault: the fault.
        parts: what the sandbox starts from.
        capture: gives what was written on standard output and error since the last call; None captures it here.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="deploy-fault-"))
        sandbox = Sandbox(parts, folder, f"{os.getpid()}-{next(_numbers)}")
        stack.callback(sandbox.remove)
        words = sandbox.leave_old_verdict(fault.inject(sandbox))
        if fault.process is not None:
            outcome = sandbox.run_process(words, **fault.process)
        elif capture is not None:
            outcome = sandbox.run_inside(words, capture)
        else:
            text = io.StringIO()
            with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
                outcome = sandbox.run_inside(words, text.getvalue)
        left = [*sandbox.leftovers(killed=fault.killed), *filter(None, [sandbox.stale(outcome)])]
        undetected = fault.undetected(outcome) or fault.afterwards(sandbox)
    return Result(fault, undetected, tuple(left), outcome.seconds)


def table(results: Iterable[Result]) -> str:
    """Injected, detected and clean, by stage, and what went wrong."""
    lines = [f"{'stage':12}{'injected':>10}{'detected':>10}{'clean':>10}{'seconds':>10}"]
    results = list(results)
    groups = [(stage.name, [r for r in results if r.fault.stage == stage.name]) for stage in STAGES]
    for name, group in [*groups, ("all", results)]:
        detected = sum(not result.undetected for result in group)
        clean = sum(not result.left for result in group)
        seconds = sum(result.seconds for result in group)
        lines.append(f"{name:12}{len(group):10}{detected:10}{clean:10}{seconds:10.1f}")
    for result in results:
        for problem in filter(None, (result.undetected, *result.left)):
            lines.append(f"{result.fault.name}: {problem}")
    return "\n".join(lines)

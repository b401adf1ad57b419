"""The open Corstone-300 with an NPU that lies: ``lying_corstone.py JOB.json OPTIONS...``.

The firmware on it is honest and runs to its end, so that everything arrives whole: only the numbers are wrong. The
job says how, where the NPU's inputs and outputs lie in the arena, and in which folder answers are remembered:
each boot of Arm's runner is a process of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.corstone import cli
from deploy.npu import registers
from deploy.npu.regions import ARENA

Memory = NDArray[np.uint8]
Parts = list[Memory]


@dataclass(frozen=True)
class Job:
    """What a lying simulator does.

    Attributes:
        lie: one of :data:`LIES`.
        memory: folder of what it remembers.
        inputs: start and end in the arena of every input of the NPU.
        outputs: the same of every output.
        signed: whether the outputs are signed.
    """

    lie: str
    memory: Path
    inputs: list[tuple[int, int]]
    outputs: list[tuple[int, int]]
    signed: bool

    def parts(self, arena: Memory, ranges: list[tuple[int, int]]) -> Parts:
        """Views of the arena."""
        return [arena[start:end] for start, end in ranges]


def add_one(part: Memory, job: Job) -> None:
    """One more in every element, but none beyond the largest number."""
    values = part.view(np.int8) if job.signed else part
    values += (values < np.iinfo(values.dtype).max).astype(values.dtype)


def plus_one(run: Callable[[], None], _inputs: Parts, outputs: Parts, job: Job) -> None:
    """Every element of every output is one too large."""
    run()
    for part in outputs:
        add_one(part, job)


def plus_one_once(run: Callable[[], None], _inputs: Parts, outputs: Parts, job: Job) -> None:
    """One element is one too large, or too small where it is the largest number."""
    run()
    before = outputs[0][0].copy()
    add_one(outputs[0][:1], job)
    outputs[0][0] -= outputs[0][0] == before


def honest(run: Callable[[], None], inputs: Parts, outputs: Parts, job: Job) -> None:
    """The truth, to see that nothing else makes a verdict fail; it is remembered for the lies of a later run."""
    run()
    for known in (job.memory / "first", answer_to(inputs, job)):
        with contextlib.suppress(FileExistsError):
            remember(known, outputs)


def replay(run: Callable[[], None], _inputs: Parts, outputs: Parts, job: Job) -> None:
    """The first answer of an earlier run, for ever."""
    run()
    recall(job.memory / "first", outputs)


def stale(run: Callable[[], None], inputs: Parts, outputs: Parts, job: Job) -> None:
    """Whatever is remembered of an earlier run: the answer to the same input, or to any other."""
    run()
    known = answer_to(inputs, job)
    recall(known if known.exists() else next(iter(sorted(job.memory.glob("answer-*")))), outputs)


def stuck(run: Callable[[], None], _inputs: Parts, outputs: Parts, _job: Job) -> None:
    """Every bit of the outputs is 0."""
    run()
    for part in outputs:
        part[:] = 0


def swapped(run: Callable[[], None], _inputs: Parts, outputs: Parts, _job: Job) -> None:
    """The first two outputs, of the same size, are each in the other's place."""
    run()
    kept = outputs[0].copy()
    outputs[0][:] = outputs[1]
    outputs[1][:] = kept


def other_input(run: Callable[[], None], inputs: Parts, _outputs: Parts, _job: Job) -> None:
    """The answer to another input: each is read from its end to its start."""
    for part in inputs:
        part[:] = part[::-1].copy()
    run()


def idle(_run: Callable[[], None], _inputs: Parts, _outputs: Parts, _job: Job) -> None:
    """Nothing is computed, and the counters say how much was done."""


LIES: Mapping[str, Callable[[Callable[[], None], Parts, Parts, Job], None]] = {
    function.__name__.replace("_", "-"): function
    for function in (plus_one, plus_one_once, replay, stale, stuck, swapped, other_input, idle, honest)
}


def answer_to(inputs: Parts, job: Job) -> Path:
    """Where the answer to these inputs is remembered."""
    return job.memory / f"answer-{hashlib.sha256(b''.join(part.tobytes() for part in inputs)).hexdigest()}"


def remember(path: Path, outputs: Parts) -> None:
    """Write an answer, whole or not at all; FileExistsError where there is one."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.write_bytes(b"".join(part.tobytes() for part in outputs))
    try:
        os.link(new, path)
    finally:
        new.unlink()


def recall(path: Path, outputs: Parts) -> None:
    """Write an answer that is remembered into the outputs."""
    content = np.frombuffer(path.read_bytes(), np.uint8)
    ends = np.cumsum([part.size for part in outputs])
    for part, end in zip(outputs, ends, strict=True):
        part[:] = content[end - part.size : end]


@contextlib.contextmanager
def lying(job: Job) -> Iterator[None]:
    """The NPU lies about what it computed."""
    computed = registers.run

    def run(program: Any, regions: Any, *more: Any) -> None:
        arena = regions[ARENA]
        inputs, outputs = job.parts(arena, job.inputs), job.parts(arena, job.outputs)
        LIES[job.lie](lambda: computed(program, regions, *more), inputs, outputs, job)

    registers.run = run
    yield
    registers.run = computed


def main() -> None:
    """Be that simulator."""
    job = json.loads(Path(sys.argv.pop(1)).read_text())
    with lying(Job(**{**job, "memory": Path(job["memory"])})):
        cli.main()


if __name__ == "__main__":
    main()

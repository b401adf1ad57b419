"""What it costs that kernels run in a process apart: the same interpreter here and there, by turns.

    python benchmarks/kernel_process.py MODEL.tflite...

Prints for each model and library the time of an inference in this process and in the other, one by one and 64 at
once, and their ratio, which is what counts: both are medians of this run.
"""

from __future__ import annotations

import functools
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.errors import DeployError
from deploy.judging.inputs import random_inputs
from deploy.judging.interpreters import made
from deploy.judging.kernels import Kernels
from deploy.judging.oracles import ANY_KERNELS
from deploy.tflite import read

ROUND_S, ROUNDS, TOGETHER = 0.1, 7, 64


def seconds(call: Callable[[], object], calls: int) -> float:
    """Of one of several calls."""
    started = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - started) / calls


def measured(calls: Sequence[Callable[[], object]]) -> list[float]:
    """Median seconds of each call, all by turns."""
    counts = [max(1, int(ROUND_S / max(seconds(call, 2), 1e-9))) for call in calls]
    rounds = [[seconds(call, count) for call, count in zip(calls, counts, strict=True)] for _ in range(ROUNDS)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def main() -> None:
    """Measure the models named on the command line."""
    for path in sys.argv[1:]:
        model = read(Path(path))
        samples = random_inputs(model, 1).samples
        names = list(model.input_names().values())
        for make in ANY_KERNELS:
            started = time.perf_counter()
            try:
                kernels = make(model)
            except DeployError as error:
                print(f"{Path(path).name}: {error.message}")
                continue
            begun = time.perf_counter() - started
            if not isinstance(kernels, Kernels):
                raise TypeError(f"{kernels.name} are no kernels")
            inner, inputs = made(kernels.order(model), model.content), [samples[0][name] for name in names]
            here, there, together = measured(
                [
                    functools.partial(inner.run, inputs, keep_state=False),
                    functools.partial(kernels.run, samples[0]),
                    functools.partial(kernels.run_all, [samples[0]] * TOGETHER),
                ]
            )
            print(
                f"{Path(path).name}, {kernels.title}: {here * 1e6:.0f} us here, {there * 1e6:.0f} us there = "
                f"{there / here:.3f}x, {TOGETHER} at once {together / TOGETHER / here:.3f}x; "
                f"{begun * 1e3:.0f} ms to begin (measured)"
            )


if __name__ == "__main__":
    main()

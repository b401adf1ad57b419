"""How many inputs `deploy verify` gets through per second and core, and where the time goes.

    python benchmarks/verify_throughput.py BUILD [COUNT]

BUILD is a build folder (the demo network's: `make demo` writes build/demo/u55-128). Prints the rate of the whole
command held to one core, for the first time and once more, when the build folder keeps the check of operators and
the inputs that were searched for; the target of the project is 600 inputs/s for the demo network. Then the NPU
model, one input at a time and in batches, against the kernels of LiteRT and TFLM, as ratios within this run.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROUNDS = 3


def whole_commands(build: Path, count: int) -> None:
    """The command as users type it, held to one processor: on a copy that keeps nothing yet, and once more."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(build, Path(folder) / "build", ignore=shutil.ignore_patterns("cache")))
        (copy / "verification.json").unlink(missing_ok=True)
        for when in ("the first time", *(f"once more, {number}" for number in range(1, ROUNDS + 1))):
            whole_command(copy, count, when)


def whole_command(build: Path, count: int, when: str) -> None:
    """One run of the command."""
    deploy = Path(sys.executable).with_name("deploy")
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [str(deploy), "verify", str(build), "--count", str(count), "--quiet"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(ended.stdout.strip())
    print(
        f"deploy verify --count {count} on one core, {when}: {count / busy:.0f} inputs/s of processor time, "
        f"{count / wall:.0f} inputs/s of wall time (measured)"
    )


def best(call: Callable[[], object], inputs: int) -> float:
    """Milliseconds per input, the best of some rounds."""
    call()
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times) / inputs * 1e3


def parts(path: Path) -> None:
    """The NPU model alone against the kernels, per input, on one thread."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[variable] = "1"  # read when NumPy is imported
    from deploy.build_folder import BuildFolder
    from deploy.hardware.npus import npu_named
    from deploy.judging.inputs import random_inputs
    from deploy.judging.oracles import TflmKernels, tflm_installed
    from deploy.judging.reference import ReferenceKernels
    from deploy.judging.samples import stacked
    from deploy.tflite import read
    from deploy.verifying.host_session import batch_size
    from deploy.verifying.npu_inference import NpuInference

    build = BuildFolder.open(path)
    source, compiled = read(build.source), read(build.compiled)
    inference = NpuInference(compiled, npu_named(build.document.npu))
    size = batch_size(inference.arena_bytes)
    samples = random_inputs(compiled, size).samples
    batch = stacked(samples)
    litert = ReferenceKernels(source)
    reference = best(lambda: [litert.run(sample) for sample in samples], size)
    figures = {
        "NPU model, one at a time": best(lambda: inference.run(samples[0]), 1),
        f"NPU model, {size} side by side": best(lambda: inference.run_batch(batch), size),
        litert.name: reference,
    }
    if tflm_installed():
        tflm = TflmKernels(source)
        figures[tflm.name] = best(lambda: [tflm.run(sample) for sample in samples], size)
    for name, cost in figures.items():
        print(f"{name}: {cost:.2f} ms an input = {cost / reference:.2f}x {litert.name} (measured)")


def main() -> None:
    """Measure the build folder named on the command line."""
    build = Path(sys.argv[1])
    whole_commands(build, int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
    parts(build)


if __name__ == "__main__":
    main()

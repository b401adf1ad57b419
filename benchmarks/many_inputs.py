"""What an input costs `deploy run-fvp` on the open machine: one boot and a reset each, against a boot each.

    python benchmarks/many_inputs.py BUILD [--count 64] [--rounds 3]

Both are whole commands with Arm's runner and the same number of inputs: `--fvp open` runs the machine within
the command's own process and resets it; behind Arm's name the same machine is a program that is booted for each
input, as Arm's FVP is. Prints processor time, children included, an input; and the same of the inputs after the
first.
"""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.build_folder import BuildFolder
from deploy.hardware.fvps import default_fvp
from deploy.hardware.npus import npu_named

_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def busy_s(build: Path, fvp: str, count: int) -> float:
    """Processor seconds of a run that passes."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "deploy",
        "run-fvp",
        str(build),
        "--fvp",
        fvp,
        "--count",
        str(count),
        "-q",
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=_ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure in turn and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    build, count = arguments.build.resolve(), arguments.count
    fvp = default_fvp(npu_named(BuildFolder.open(build).document.npu).family)
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / fvp.executables[0]
        program.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-P", "-m", "deploy.corstone"])} "$@"\n')
        program.chmod(0o755)
        machines = {"one boot": "open", "a boot each": str(program)}
        for machine in machines.values():
            busy_s(build, machine, 1)  # the file cache, the bytecode
        rounds = [
            {name: (busy_s(build, fvp, 1), busy_s(build, fvp, count)) for name, fvp in machines.items()}
            for _ in range(arguments.rounds)
        ]
    for name in machines:
        alone = statistics.median(each[name][0] for each in rounds)
        all_s = statistics.median(each[name][1] for each in rounds)
        print(
            f"{name}: {count} inputs {all_s:.2f} s of processor time, {1000 * all_s / count:.0f} ms an input; "
            f"{1000 * (all_s - alone) / (count - 1):.0f} ms each after the first"
        )
    ratios = sorted(each["one boot"][1] / each["a boot each"][1] for each in rounds)
    print(
        f"run-fvp --count {count}, an input with one boot / a boot each: {statistics.median(ratios):.2f}x "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f}; median and range of {len(ratios)} pairs, measured)"
    )


if __name__ == "__main__":
    main()

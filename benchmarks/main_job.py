"""Whole commands against their yardsticks, as ratios within one run.

    python benchmarks/main_job.py BUILD [MODEL.tflite] [--rounds 11]

Prints `deploy compile` (of MODEL, or of the build's own model) and `deploy run-fvp` with one input, each against
the bare `vela` command on the same model, and `deploy --help` against `python -c "import numpy"`. The targets of
the project are at most 1.5x for `compile` of MobileNetV2 and 3x for the others.

What `run-fvp` imports is timed by itself, too: in one go, in a Python that does nothing else. That is what a
process that starts anew pays before any work, with the libraries' part of it.

Wall time depends on what else the computer does: the processor time of a command with all its children stands
beside it. Bytecode is kept, for this package as for those from PyPI, as it is where a wheel was installed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_IMPORTED = """
import sys
from deploy.cli.main import run
status = run(sys.argv[1:])
print(status, "tensorflow" in sys.modules)
"""
_IMPORTS = """
import importlib, sys
from deploy.processes.quick_start import quick_start
quick_start()
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:  # of what a module is called inside, or looks for in vain
        pass
"""
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def spent(command: list[str], folder: str) -> tuple[float, float]:
    """Wall and processor seconds of a process and its children, which must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    nothing = subprocess.DEVNULL
    subprocess.run(command, check=True, stdout=nothing, stderr=nothing, cwd=folder, env=_ENVIRONMENT)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def imported(command: list[str], folder: str) -> list[str]:
    """The modules that a command of Python imports, in their order; those that Python starts with are left out."""
    environment = {**_ENVIRONMENT, "PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder, env=environment)
    lines = (line for line in done.stderr.splitlines() if line.startswith("import time:"))
    told = (line.rpartition("|")[2].strip() for line in lines)
    return [name for name in told if name != "imported package" and name not in sys.builtin_module_names]


def ratio(title: str, ours: list[str], yardstick: list[str], folder: str, rounds: int) -> None:
    """Run both in turn and print the medians, and the median and quartiles of the pairwise ratios."""
    spent(ours, folder), spent(yardstick, folder)  # warm the file cache, write the bytecode
    pairs = [(spent(ours, folder), spent(yardstick, folder)) for _ in range(rounds)]
    for kind, name in enumerate(("wall", "CPU")):
        mine, other = (statistics.median(pair[i][kind] for pair in pairs) for i in (0, 1))
        low, between, high = statistics.quantiles((a[kind] / b[kind] for a, b in pairs), n=4)
        print(
            f"{title}, {name}: {mine:.2f} s / {other:.2f} s = {between:.2f}x "
            f"({low:.2f} to {high:.2f}; median and quartiles of {rounds} pairs, measured)"
        )


def main() -> None:
    """Measure with the build folder and the model named on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=11, help="pairs to compare, two at least")
    arguments = parser.parse_args()
    build, rounds = arguments.build.resolve(), arguments.rounds
    model = arguments.model.resolve() if arguments.model else build / "source.tflite"
    document = json.loads((build / "compile.json").read_text())
    scripts = Path(sys.executable).parent
    deploy = shutil.which("deploy", path=str(scripts)) or "deploy"
    target = ["--system-config", document["system_config"], "--memory-mode", document["memory_mode"]]
    target += ["--optimise", document["optimise"]]

    def vela(network: Path) -> list[str]:
        compiler = [shutil.which("vela", path=str(scripts)) or "vela", str(network), "--output-dir", "vela"]
        return [*compiler, "--accelerator-config", document["accelerator"], "--config", "Arm/vela.ini", *target]

    compiling = ["compile", str(model), "--npu", document["npu"], *target, "-o", "build", "--quiet"]
    running = [deploy, "run-fvp", str(build), "--fvp", "open", "--count", "1"]
    with tempfile.TemporaryDirectory() as folder:
        ratio(f"compile {model.name} / vela", [deploy, *compiling], vela(model), folder, rounds)
        said = subprocess.run(
            [sys.executable, "-c", _IMPORTED, *compiling], check=True, capture_output=True, text=True, cwd=folder
        ).stdout.split()
        print(f"compile of a .tflite imports TensorFlow: {said[-1]} (exit status {said[-2]})")
        ratio("run-fvp --count 1 / vela", running, vela(build / "source.tflite"), folder, rounds)
        names = imported(running, folder)
        libraries = [name for name in names if name.split(".")[0] != "deploy"]
        for what, chosen in (("all", names), ("libraries'", libraries)):
            importing = [sys.executable, "-c", _IMPORTS, *chosen]
            title = f"the imports of run-fvp alone ({what}, {len(chosen)} modules) / vela"
            ratio(title, importing, vela(build / "source.tflite"), folder, rounds)
        ratio("--help / import numpy", [deploy, "--help"], [sys.executable, "-c", "import numpy"], folder, rounds)


if __name__ == "__main__":
    main()

"""Whole commands against their yardsticks, as ratios within one run.

    python benchmarks/main_job.py BUILD

Prints `deploy run-fvp` with one input against the bare `vela` command on the same model, and `deploy --help`
against `python -c "import numpy"`; the targets of the project are at most 3x each.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 7


def seconds(command: list[str]) -> float:
    """Wall time of one whole process, which must succeed."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def ratio(title: str, ours: list[str], yardstick: list[str]) -> None:
    """Run both in turn and print the median of each and of the pairwise ratios."""
    seconds(ours), seconds(yardstick)  # warm the file cache
    pairs = [(seconds(ours), seconds(yardstick)) for _ in range(ROUNDS)]
    mine, other = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
    between = statistics.median(a / b for a, b in pairs)
    print(f"{title}: {mine:.2f} s / {other:.2f} s = {between:.2f}x (median of {ROUNDS} pairs, measured)")


def main() -> None:
    """Measure the build folder named on the command line."""
    build = Path(sys.argv[1])
    document = json.loads((build / "compile.json").read_text())
    scripts = Path(sys.executable).parent
    deploy = shutil.which("deploy", path=str(scripts)) or "deploy"
    vela = shutil.which("vela", path=str(scripts)) or "vela"
    with tempfile.TemporaryDirectory() as folder:
        compiler = [vela, str(build / "source.tflite"), "--output-dir", folder]
        compiler += ["--accelerator-config", document["accelerator"], "--config", "Arm/vela.ini"]
        compiler += ["--system-config", document["system_config"], "--memory-mode", document["memory_mode"]]
        ratio(
            "run-fvp --count 1 / vela", [deploy, "run-fvp", str(build), "--fvp", "open", "--count", "1"], compiler
        )
    ratio("deploy --help / import numpy", [deploy, "--help"], [sys.executable, "-c", "import numpy"])


if __name__ == "__main__":
    main()

"""A sweep of the demo network against the bare Vela commands it stands for, in one run on this computer.

    python benchmarks/sweep.py [MODEL.tflite] [--jobs N]

All NPUs with all their memory modes. The target: the sweep takes at most 1.2 times the sum of the
bare commands' times divided by the workers. Bare commands are timed before and after the sweep, because other work
on the computer moves wall times; processor times, of all children, are printed beside them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deploy.compiling.vela_command import command_line
from deploy.executors import available_processors
from deploy.sweeping.axes import targets

TARGET = 1.2


def timed(command: list[str], folder: Path) -> tuple[float, float]:
    """Wall and processor seconds of a command and its children."""
    before, started = os.times(), time.monotonic()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.monotonic() - started, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu


def bare(model: Path, folder: Path) -> tuple[float, float]:
    """The sum over all points of the command that a user would type."""
    wall = cpu = 0.0
    for options in targets("all", memories="all")[0]:
        one, other = timed(command_line(options, str(model), "out"), folder)
        wall, cpu = wall + one, cpu + other
    return wall, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", default=Path("build/demo/model.tflite"))
    parser.add_argument("--jobs", type=int, default=available_processors())
    given = parser.parse_args()
    model, jobs = given.model.resolve(), given.jobs
    with tempfile.TemporaryDirectory(prefix="sweep-") as name:
        folder = Path(name)
        words = ["sweep", str(model), "--memory-mode", "all", "--jobs", str(jobs), "-q", "--json", "sweep.json"]
        sweep = [sys.executable, "-P", "-m", "deploy", *words, "--fresh"]
        first = bare(model, folder)
        wall, cpu = timed(sweep, folder)
        second = bare(model, folder)
        points = json.loads((folder / "sweep.json").read_text())["points"]
    bare_wall, bare_cpu = ((a + b) / 2 for a, b in zip(first, second, strict=True))
    ratio = wall / (bare_wall / jobs)
    print(
        f"points                       {len(points)}, {sum(point['status'] == 'ok' for point in points)} compiled"
    )
    print(f"bare commands, wall          {bare_wall:.2f} s (before {first[0]:.2f}, after {second[0]:.2f})")
    print(f"bare commands, processor     {bare_cpu:.2f} s")
    print(f"sweep with {jobs} workers, wall    {wall:.2f} s")
    print(f"sweep, processor             {cpu:.2f} s")
    print(f"sweep / (bare / workers)     {ratio:.2f} (target: at most {TARGET})")
    print(f"processor time, sweep / bare {cpu / bare_cpu:.2f}")
    sys.exit(ratio > TARGET)


if __name__ == "__main__":
    main()

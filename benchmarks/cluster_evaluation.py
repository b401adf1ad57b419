"""Accuracy of the demo network over 10,000 images: one process against the workers of a local Dask cluster.

    python benchmarks/cluster_evaluation.py [--count N] [--workers N]

Scheduler and workers are processes of this computer and listen on 127.0.0.1 alone. Both evaluations are checked
to count the same. Wall times depend on what else this computer does and on its processors: more workers than there
are gain nothing. Processor times, of all processes, are printed beside them.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from deploy.executors import available_processors
from deploy.models.multihead_mobilenetv3.fashion_mnist import test_inputs

NETWORK = "multihead-mobilenetv3"


def timed(command: list[str], folder: Path) -> tuple[float, float]:
    """Wall and processor seconds of a command and its children."""
    before, started = os.times(), time.monotonic()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.monotonic() - started, os.times()
    return wall, after.children_user + after.children_system - before.children_user - before.children_system


@contextlib.contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[int]]]:
    """A scheduler and workers; its address, and the workers' process ids."""
    with contextlib.ExitStack() as stack:
        here = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")

        def start(*words: str) -> int:
            log = stack.enter_context((folder / f"{words[0]}.log").open("ab"))
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{words[0]}", *words[1:], *here],
                cwd=folder,
                stdout=log,
                stderr=log,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process.pid

        start("scheduler", "--port", "0")
        found = None
        while found is None:
            time.sleep(0.05)
            found = re.search(r"tcp://127\.0\.0\.1:\d+", (folder / "scheduler.log").read_text())
        quiet = (
            "--nthreads",
            "1",
            "--no-nanny",
            "--dashboard-address",
            "127.0.0.1:0",
            "--local-directory",
            str(folder / "scratch"),
        )
        started = [start("worker", found[0], *quiet) for _ in range(workers)]
        from distributed import Client

        connect: Any = Client
        with connect(found[0], set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=120)
        yield found[0], started


def processor_seconds(processes: list[int]) -> float:
    """Of processes so far, with all that they started and that has ended or still runs."""
    table = subprocess.run(["ps", "-eo", "pid,ppid,times"], capture_output=True, text=True, check=True).stdout
    rows = [tuple(map(int, line.split())) for line in table.splitlines()[1:]]
    family = set(processes)
    while more := {pid for pid, parent, _ in rows if parent in family} - family:
        family |= more
    return float(sum(seconds for pid, _, seconds in rows if pid in family))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=4)
    given = parser.parse_args()
    deploy = [sys.executable, "-P", "-m", "deploy"]
    with tempfile.TemporaryDirectory(prefix="cluster-") as name:
        folder = Path(name)
        subprocess.run(
            [*deploy, "compile", f"models:{NETWORK}", "--npu", "U55-128", "-o", "build", "-q"],
            cwd=folder,
            check=True,
        )
        images, labels = test_inputs(given.count)
        arrays: dict[str, Any] = {"image": images, **{f"labels_{head}": true for head, true in labels.items()}}
        np.savez(folder / "test.npz", **arrays)
        evaluate = [*deploy, "evaluate", "build", "--data", "test.npz", "-q", "--json"]
        here = timed([*evaluate, "here.json"], folder)
        with cluster(folder, given.workers) as (address, workers):
            wall, cpu = timed([*evaluate, "there.json", "--scheduler", address], folder)
            cpu += processor_seconds(workers)
        documents = [json.loads((folder / each).read_text()) for each in ("here.json", "there.json")]
    counted = [document["outputs"] for document in documents]
    print(f"{given.count} images, {NETWORK} on U55-128, {available_processors()} processors")
    print(f"one process: {here[0]:.1f} s, {here[1]:.1f} s of processor time")
    print(f"{given.workers} workers: {wall:.1f} s, {cpu:.1f} s of processor time")
    print(f"{given.workers} workers / one process: {wall / here[0]:.2f} of the time")
    print(f"counted the same: {counted[0] == counted[1]}")
    sys.exit(counted[0] != counted[1])


if __name__ == "__main__":
    main()

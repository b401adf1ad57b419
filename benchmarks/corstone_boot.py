"""How long one boot of Arm's TFLM runner takes on the open Corstone-300, -310 or -320, and where the time goes.

    python benchmarks/corstone_boot.py BUILD [--board corstone-310] [--runs 11]
    python benchmarks/corstone_boot.py MODEL_vela.tflite [--npu U55-128] [--board corstone-310] [--runs 11]

BUILD is a build folder, MODEL a `.tflite` compiled for the NPU in a memory mode of the runner's; its input is
random. The board is by default the one that `run-fvp` takes for the NPU: Corstone-320 for Ethos-U85.
Prints the median of the runs. The parts are the simulator's own measurements (--stat): what is left of the whole
is Python's start and end.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deploy.build_folder import BuildFolder
from deploy.hardware.boards import default_board
from deploy.hardware.fvps import Fvp, fvps
from deploy.hardware.npus import Npu, npu_named
from deploy.targets.runner_firmware import runner_path

INPUT_BYTES = 1 << 20
PARTS = {
    "QEMU start, loading": r"\S*Corstone_SSE_\S* start +: ([\d.]+)s",
    "CPU runs (imports of NPU model meanwhile)": r"Simulated time +: ([\d.]+)s",
    "register accesses": r"register accesses +: \d+ in ([\d.]+)s",
    "NPU model with its memory traffic": r"model time +: ([\d.]+)s",
}


def boot(model: Path, npu: Npu, fvp: Fvp, folder: Path) -> tuple[float, dict[str, float], int]:
    """One run: wall time, parts in seconds, number of register accesses."""
    data = folder / "input.bin"
    data.write_bytes(os.urandom(INPUT_BYTES))
    instances = fvp.instances
    command = [sys.executable, "-P", "-m", "deploy.corstone", "--board", fvp.board.id, "--npu-family", npu.family]
    command += ["-a", str(runner_path(npu, fvp))]
    command += ["--data", f"{model}@0x90000000", "--data", f"{data}@0x92000000"]
    command += ["--dump", f"cpu0={folder}/output.bin@Memory:0x93000000,64", "--stat", "--timelimit", "60"]
    command += ["-C", f"{instances['npu']}.num_macs={npu.macs}"]
    command += [
        "-C",
        f"{instances['board']}.uart0.out_file=-",
        "-C",
        f"{instances['board']}.uart0.shutdown_on_eot=1",
    ]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall = time.monotonic() - began
    if "Inference completed" not in done.stdout:
        sys.exit(f"the firmware did not complete:\n{done.stdout[-2000:]}")
    parts = {name: float(found[1]) for name, rule in PARTS.items() if (found := re.search(rule, done.stdout))}
    accesses = re.search(r"register accesses +: (\d+)", done.stdout)
    return wall, parts, int(accesses[1]) if accesses else 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--npu", default="U55-128", help="that MODEL was compiled for")
    parser.add_argument("--board", help="default: the one that run-fvp takes for the NPU")
    parser.add_argument("--runs", type=int, default=11)
    arguments = parser.parse_args()
    model, npu = arguments.model, npu_named(arguments.npu)
    if model.is_dir():
        build = BuildFolder.open(model)
        model, npu = build.compiled, npu_named(build.document.npu)
    board = arguments.board or default_board(npu.family).id
    fvp = next((each for each in fvps() if (each.board.id, each.npu_family) == (board, npu.family)), None)
    if fvp is None:
        sys.exit(f"{board} has no Ethos-{npu.family}")
    with tempfile.TemporaryDirectory() as folder:
        results = [boot(model, npu, fvp, Path(folder)) for _ in range(arguments.runs)]
    wall = statistics.median(result[0] for result in results)
    print(f"{fvp.board.name}, {npu.name}")
    print(f"boot to the end, median of {arguments.runs} (fastest {min(result[0] for result in results):.3f} s)")
    print(f"  {'whole':44}{wall:8.3f} s")
    rest = wall
    for name in PARTS:
        seconds = statistics.median(result[1].get(name, 0.0) for result in results)
        rest -= seconds
        note = (
            f"  ({results[0][2]}, {seconds / max(results[0][2], 1) * 1e6:.0f} us each)" if "access" in name else ""
        )
        print(f"  {name:44}{seconds:8.3f} s{note}")
    print(f"  {'Python start and end':44}{rest:8.3f} s")
    print(f"  load average of this machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


if __name__ == "__main__":
    main()

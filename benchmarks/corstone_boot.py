"""How long one boot of Arm's TFLM runner takes on the open Corstone-300, and where the time goes.

    python benchmarks/corstone_boot.py BUILD [--runs 11]
    python benchmarks/corstone_boot.py MODEL_vela.tflite [--macs 128] [--runs 11]

BUILD is a build folder for Ethos-U55, MODEL a `.tflite` compiled for it with Shared_Sram; its input is random.
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
from deploy.hardware.npus import npu_named
from deploy.targets.runner_firmware import runner_path

INPUT_BYTES = 1 << 20
PARTS = {
    "QEMU start, loading": r"FVP_MPS3_Corstone_SSE_300 start +: ([\d.]+)s",
    "CPU runs (imports of NPU model meanwhile)": r"Simulated time +: ([\d.]+)s",
    "register accesses": r"register accesses +: \d+ in ([\d.]+)s",
    "NPU model with its memory traffic": r"model time +: ([\d.]+)s",
}


def boot(model: Path, macs: int, folder: Path) -> tuple[float, dict[str, float], int]:
    """One run: wall time, parts in seconds, number of register accesses."""
    data = folder / "input.bin"
    data.write_bytes(os.urandom(INPUT_BYTES))
    command = [sys.executable, "-P", "-m", "deploy.corstone", "-a", str(runner_path(npu_named(f"U55-{macs}")))]
    command += ["--data", f"{model}@0x90000000", "--data", f"{data}@0x92000000"]
    command += ["--dump", f"cpu0={folder}/output.bin@Memory:0x93000000,64", "--stat", "--timelimit", "60"]
    command += ["-C", f"ethosu.num_macs={macs}", "-C", "mps3_board.uart0.out_file=-"]
    command += ["-C", "mps3_board.uart0.shutdown_on_eot=1"]
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
    parser.add_argument("--macs", type=int, default=128, help="of the NPU that MODEL was compiled for")
    parser.add_argument("--runs", type=int, default=11)
    arguments = parser.parse_args()
    model, macs = arguments.model, arguments.macs
    if model.is_dir():
        build = BuildFolder.open(model)
        model, npu = build.compiled, npu_named(build.document.npu)
        if npu.family != "U55":
            sys.exit(f"{arguments.model} is for {npu.name}; this measures Ethos-U55")
        macs = npu.macs
    with tempfile.TemporaryDirectory() as folder:
        results = [boot(model, macs, Path(folder)) for _ in range(arguments.runs)]
    wall = statistics.median(result[0] for result in results)
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

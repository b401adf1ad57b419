"""Many boots of a build on the open Corstone-300, one after another and side by side: verdicts, time, leftovers.

    python benchmarks/consecutive_boots.py build/demo/u55-128 [--boots 100] [--machines 4] [--inputs test.npz]

Each boot is a `deploy run-fvp` of its own with one input. Afterwards nothing may be left of any: no process, no
file in the temporary folder. Then the same inputs run on several machines side by side, and again on one; the
answers have to be the same.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

MARK = "DEPLOY_CONSECUTIVE_BOOTS"


def run_fvp(words: list[str], temporary: Path) -> tuple[int, float, str]:
    """Exit status, seconds and last line of one run."""
    environment = {**os.environ, "TMPDIR": str(temporary), MARK: str(os.getpid())}
    command = [sys.executable, "-P", "-m", "deploy", "run-fvp", *words, "--fvp", "open", "-q"]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return done.returncode, time.monotonic() - began, lines[-1] if lines else ""


def processes_left() -> int:
    """How many processes of these runs still exist."""
    mark = f"{MARK}={os.getpid()}".encode()
    count = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                count += mark in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
    return count


def main() -> None:
    """Measure and print; exit status 1 if a verdict is missing, differs, or something is left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--boots", type=int, default=100)
    parser.add_argument("--machines", type=int, default=4)
    parser.add_argument("--inputs", type=Path)
    arguments = parser.parse_args()
    fed = ["--inputs", str(arguments.inputs)] if arguments.inputs else []
    with tempfile.TemporaryDirectory() as name:
        temporary, documents = Path(name) / "tmp", Path(name) / "documents"
        temporary.mkdir()
        documents.mkdir()
        one = [str(arguments.build), *fed, "--count", "1"]
        results = [run_fvp(one, temporary) for _ in range(arguments.boots)]
        verdicts = Counter(
            # Behind a comma stands that one input is weak evidence.
            re.split(",| - ", line)[0] if status == 0 else f"exit {status}: {line}"
            for status, _, line in results
        )
        seconds = sorted(result[1] for result in results)
        left = processes_left(), len(list(temporary.iterdir()))
        print(f"{arguments.boots} boots, each a run of its own: {dict(verdicts)}")
        print(
            f"  median {statistics.median(seconds):.2f} s, fastest {seconds[0]:.2f} s, slowest {seconds[-1]:.2f} s"
        )
        print(f"  left behind: {left[0]} processes, {left[1]} temporary files")
        answers = {}
        for machines in (arguments.machines, 1):
            document = documents / f"{machines}.json"
            count = str(4 * arguments.machines)
            words = [
                str(arguments.build),
                *fed,
                "--seed",  # the same inputs for both, whose answers are compared
                "1",
                "--count",
                count,
                "--jobs",
                str(machines),
                "--json",
                str(document),
            ]
            status, wall, line = run_fvp(words, temporary)
            answers[machines] = json.loads(document.read_text())
            print(f"{count} inputs on {machines} machines side by side: {wall:.2f} s, exit {status}, {line}")
        keys = ("verdict", "outputs", "predictions", "input_sha256")
        same = all(answers[1][key] == answers[arguments.machines][key] for key in keys)
        left = processes_left(), len(list(temporary.iterdir()))
        print(f"  the answers are {'the same' if same else 'DIFFERENT'}")
        print(f"  left behind: {left[0]} processes, {left[1]} temporary files")
        print(f"  load average of this machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    sys.exit(0 if same and left == (0, 0) and verdicts == {"verdict: PASS": arguments.boots} else 1)


if __name__ == "__main__":
    main()

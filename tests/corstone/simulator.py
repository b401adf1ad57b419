"""Runs the open Corstone-300 as a user does, and knows what it must not leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

COMMAND = [sys.executable, "-P", "-m", "deploy.corstone"]
UART_TO_STDOUT = ["-C", "mps3_board.uart0.out_file=-", "-C", "mps3_board.uart0.shutdown_on_eot=1"]


@dataclass(frozen=True)
class Done:
    """A simulation that ended."""

    status: int
    output: str
    errors: str

    def value(self, label: str) -> int:
        """The hexadecimal number that the program printed behind a label."""
        for line in self.output.splitlines():
            if line.startswith(f"{label} "):
                return int(line.split()[1], 16)
        raise AssertionError(f"no line {label!r} in the program's output:\n{self.output}\n{self.errors}")


def simulate(*words: object, limit_s: float = 60, **options) -> Done:
    """Run to the end; the wall-time limit only catches a hang."""
    done = subprocess.run(
        [*COMMAND, *map(str, words)],
        capture_output=True,
        timeout=limit_s,
        check=False,
        stdin=subprocess.DEVNULL,
        **options,
    )
    return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def run_guest(elf: Path, *words: object) -> Done:
    """Run a test program until it sends EOT."""
    return simulate("-q", "-a", elf, *UART_TO_STDOUT, "--timelimit", 30, *words)


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(") ", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def qemus(pid: int) -> list[int]:
    """Those of them that are QEMU: the others guard it."""
    return [child for child in children(pid) if "qemu" in (Path("/proc") / str(child) / "comm").read_text()]


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        os.kill(pid, 0)
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False

"""Runs the open Corstone-300 as a user does."""

from __future__ import annotations

import re
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


def start(*words: object) -> subprocess.Popen[bytes]:
    """Start it; whoever does so ends it."""
    return subprocess.Popen(
        [*COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    )


def terminal_port(process: subprocess.Popen[bytes], number: int) -> int:
    """The TCP port of a terminal, once a simulation that was started says it."""
    assert process.stdout is not None
    for line in process.stdout:
        if match := re.match(rb"telnetterminal%d: Listening for serial connection on port (\d+)" % number, line):
            return int(match[1])
    raise AssertionError("the simulation ended")


def run_guest(elf: Path, *words: object) -> Done:
    """Run a test program until it sends EOT."""
    return simulate("-q", "-a", elf, *UART_TO_STDOUT, "--timelimit", 30, *words)

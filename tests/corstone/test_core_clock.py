"""What the clock asks QEMU, and when."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.corstone.core_clock import CoreClock

HZ = 25_000_000


class Control:
    """Stands in for QEMU's machine protocol."""

    def __init__(self) -> None:
        self.asked = 0

    def instructions(self) -> int:
        self.asked += 1
        return 1000


@pytest.fixture
def asleep() -> Iterator[int]:
    """A process none of whose threads runs."""
    with subprocess.Popen(["sleep", "60"]) as process:
        stat = Path(f"/proc/{process.pid}/stat")
        while ") S " not in stat.read_text():
            time.sleep(0.01)
        yield process.pid
        process.kill()


@pytest.fixture
def working() -> Iterator[int]:
    """A process with one thread that computes."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        yield process.pid
        process.kill()


class Looking:
    """A clock of a CPU that was let run, and looks at it.

    Attributes:
        control: what was asked.
    """

    def __init__(self, pid: int) -> None:
        self.control: Any = Control()
        self._cpu: Any = SimpleNamespace(ran_s=0.0, running_since=1.0, gdb=SimpleNamespace(pending=False))
        self._clock = CoreClock(self._cpu, HZ, self.control, pid)

    def look(self, ran_s: float, *, since: float = 1.0, pending: bool = False) -> None:
        """Look at it once it has run for so long, since it was last let run at that time."""
        self._cpu.ran_s, self._cpu.running_since, self._cpu.gdb.pending = ran_s, since, pending
        self._clock.look()

    @property
    def slept_s(self) -> float:
        """Seconds that count as sleep."""
        return self._clock.simulated_s - self._clock.cycles() / HZ


def test_a_cpu_that_runs_is_not_asked_anything() -> None:
    looking = Looking(os.getpid())
    for ran_s in (0.5, 1.0, 1.5):
        looking.look(ran_s)
    assert looking.control.asked == 0
    assert looking.slept_s == 0


def test_the_hosts_time_counts_while_a_cpu_sleeps(asleep: int) -> None:
    looking = Looking(asleep)
    for ran_s in (0.5, 0.501, 0.502, 1.0, 1.25):
        looking.look(ran_s)
    assert looking.slept_s == pytest.approx(0.75, abs=0.01)


def test_what_lies_before_a_stop_is_no_sleep(asleep: int) -> None:
    looking = Looking(asleep)
    for ran_s, since in ((0.5, 1.0), (1.0, 2.0), (1.5, 3.0)):
        looking.look(ran_s, since=since)
    assert looking.slept_s == 0


def test_a_stop_that_was_not_taken_yet_is_no_sleep(asleep: int) -> None:
    looking = Looking(asleep)
    looking.look(0.5)
    looking.look(1.0, pending=True)
    assert looking.slept_s == 0


@pytest.mark.parametrize("others", [0, 6])
def test_a_cpu_that_gets_no_processor_does_not_sleep(working: int, others: int) -> None:
    """It may be found between two pieces of work; what it waited for a processor is no sleep either."""
    with contextlib.ExitStack() as stack:
        for _ in range(others):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(process.kill)
        looking, began = Looking(working), time.monotonic()
        while time.monotonic() - began < 1:
            time.sleep(0.1)
            os.kill(working, signal.SIGSTOP)
            looking.look(time.monotonic() - began)
            os.kill(working, signal.SIGCONT)
    assert looking.slept_s == 0

"""What the clock asks QEMU, and when."""

from __future__ import annotations

import os
import subprocess
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


def looked_at(pid: int, at: list[float]) -> tuple[int, float]:
    """How often QEMU was asked, and how long it has slept, after looks once the CPU has run for so long."""
    cpu: Any = SimpleNamespace(ran_s=0.0)
    control: Any = Control()
    clock = CoreClock(cpu, HZ, control, pid)
    for ran_s in at:
        cpu.ran_s = ran_s
        clock.look()
    asked = control.asked
    return asked, clock.simulated_s - clock.cycles() / HZ


def test_a_cpu_that_runs_is_not_asked_anything() -> None:
    assert looked_at(os.getpid(), [0.5, 1.0, 1.5]) == (0, 0.0)


def test_a_cpu_that_sleeps_is_asked_now_and_then_and_the_hosts_time_counts(asleep: int) -> None:
    asked, slept_s = looked_at(asleep, [0.5, 0.501, 0.502, 1.0])
    assert asked == 2
    assert slept_s == pytest.approx(1.0)

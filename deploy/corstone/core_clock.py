"""The CPU's clock: how many cycles have passed, counted in instructions.

QEMU runs with ``-icount``: an instruction takes 2**5 ns of its own time, whatever it does, and the machine's
clock, which SysTick and the other timers count, is 32 MHz. So an instruction takes 1.024 cycles. Here a cycle
lasts as long as ``core_clk.mul`` says, for all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from deploy.corstone.cpu import Cpu
from deploy.corstone.qmp import QmpConnection

SHIFT = 5
"""An instruction takes 2**SHIFT ns of QEMU's time."""
_QEMU_HZ = 32_000_000
_SECOND_NS = 1_000_000_000
CYCLES_PER_INSTRUCTION = (_QEMU_HZ << SHIFT) / _SECOND_NS
# Who asks again and again what time it is, and does nothing else, waits for a time to come.
_POLL_INSTRUCTIONS = 64
_PATIENCE = 16
_LEAP_SHIFT = 4
_LONGEST_LEAP = 1 << 16
_LOOK_INTERVAL_S = 0.02
_AWAKE = 0.1
"""What does not count of the time between two looks: threads hand over to each other."""
_TOLD = 4096
"""Bytes of what the kernel tells of a thread, at most."""
_LEAST_INSTRUCTIONS_PER_S = 1_000_000
"""QEMU runs hundreds of millions."""

_NEVER: tuple[float, float, float | None] = (0.0, 0.0, None)


class CoreClock:
    """Counts cycles of the CPU's clock since the start.

    Args:
        cpu: whose clock it is.
        frequency_hz: cycles a second.
        control: QEMU's machine protocol; None where instructions are not counted, and the time that the
            CPU ran is taken instead.
        pid: the QEMU process.

    Attributes:
        served: instructions that were carried out here instead of in QEMU.
    """

    def __init__(self, cpu: Cpu, frequency_hz: int, control: QmpConnection | None, pid: int) -> None:
        self.frequency_hz = frequency_hz
        self.served = 0
        self._cpu = cpu
        self._control = control
        self._pid = pid
        self._origin = 0
        self._leapt = 0
        self._read_at = -_POLL_INSTRUCTIONS
        self._polls = 0
        self._polled_since = 0
        self._looked = _NEVER
        self._slept_s = 0.0

    @property
    def counting(self) -> bool:
        """Whether instructions are counted."""
        return self._control is not None

    @property
    def simulated_s(self) -> float:
        """Simulated seconds: cycles, and how long the CPU has slept as far as :meth:`look` has seen.

        Raises:
            TargetError: QEMU does not tell.
        """
        return self.cycles() / self.frequency_hz + self._slept_s

    def look(self) -> None:
        """Look whether the CPU, which is not stopped, sleeps; to be called often, and now and then it does.

        How long it slept QEMU does not tell. Between two looks without a stop it slept for as long as no thread
        of QEMU's had a processor or waited for one: then the host's time counts. So it does not matter how busy
        the host is, with us or with others.

        Raises:
            TargetError: QEMU does not tell.
        """
        if self._control is None:
            return
        ran_s, since = self._cpu.ran_s, self._cpu.running_since
        looked_s, worked_s, looked_since = self._looked
        if since == looked_since and ran_s - looked_s < _LOOK_INTERVAL_S:
            return
        if _runs(self._pid):
            return
        now_worked_s = self._worked_s()
        if self._cpu.gdb.pending:
            return
        self._looked = ran_s, now_worked_s, since
        slept_s = (ran_s - looked_s) - (now_worked_s - worked_s)
        if since == looked_since and slept_s > _AWAKE * (ran_s - looked_s):
            self._slept_s += slept_s

    def _worked_s(self) -> float:
        """Seconds that QEMU's threads had a processor or waited for one; where nobody tells, by what they did."""
        found = _scheduled_s(self._pid)
        return self.instructions() / _LEAST_INSTRUCTIONS_PER_S if found is None else found

    def instructions(self) -> int:
        """Instructions since the start.

        Raises:
            TargetError: QEMU does not tell.
        """
        if self._control is None:
            return self._cycles() * _SECOND_NS // (_QEMU_HZ << SHIFT)
        return self._control.instructions() - self._origin + self.served

    def cycles(self) -> int:
        """Cycles since the start.

        Raises:
            TargetError: QEMU does not tell.
        """
        return self._cycles() + self._leapt

    def poll(self) -> int:
        """Cycles since the start, for a program that reads them.

        One that does nothing but read them is brought forward: each time by a 16th of what it has waited.
        """
        instructions = self.instructions()
        cycles = self.cycles()
        if instructions - self._read_at > _POLL_INSTRUCTIONS:
            self._polls, self._polled_since = 0, cycles
        self._polls += 1
        self._read_at = instructions
        if self._polls > _PATIENCE:
            leap = min(cycles - self._polled_since >> _LEAP_SHIFT, _LONGEST_LEAP)
            self._leapt += leap
            cycles += leap
        return cycles

    def tidy(self) -> None:
        """Take what QEMU tells unasked about every stop, so that it does not have to keep it."""
        if self._control is not None:
            self._control.tidy()

    def restart(self) -> None:
        """After a reset of the machine: nothing has passed.

        Raises:
            TargetError: QEMU does not tell.
        """
        self.served = self._leapt = self._polls = self._polled_since = 0
        self._read_at = -_POLL_INSTRUCTIONS
        self._looked, self._slept_s = _NEVER, 0.0
        self._origin = 0 if self._control is None else self._control.instructions()

    def _cycles(self) -> int:
        if self._control is None:
            return int(self._cpu.ran_s * self.frequency_hz)
        return self.instructions() * (_QEMU_HZ << SHIFT) // _SECOND_NS


def _runs(pid: int) -> bool:
    """Whether a thread of a process runs, or would on a computer with less to do; False where nobody tells."""
    try:
        return any(stat.rpartition(b") ")[2][:1] == b"R" for stat in _of_threads(pid, "stat"))
    except OSError:
        return False


def _scheduled_s(pid: int) -> float | None:
    """Seconds that a process's threads had a processor or waited for one; None where the kernel does not tell."""
    try:
        threads = [schedstat.split() for schedstat in _of_threads(pid, "schedstat")]
        return sum(int(ran_ns) + int(waited_ns) for ran_ns, waited_ns, _ in threads) / _SECOND_NS
    except (OSError, ValueError):
        return None


def _of_threads(pid: int, name: str) -> Iterator[bytes]:
    """What the kernel tells of each thread of a process; asked so often that a file object each would be felt."""
    folder = f"/proc/{pid}/task"
    for thread in os.listdir(folder):  # noqa: PTH208
        descriptor = os.open(f"{folder}/{thread}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield os.read(descriptor, _TOLD)
        finally:
            os.close(descriptor)

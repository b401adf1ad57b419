"""The open Corstone-300 while it runs: the CPU in QEMU, the NPU here, and everything that can end it."""

from __future__ import annotations

import enum
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.corstone import memory_map
from deploy.corstone.gdb_remote import ConnectionLostError, GdbConnection
from deploy.corstone.memory import GuestMemory
from deploy.corstone.options import Options
from deploy.corstone.qemu import QemuProcess
from deploy.corstone.qtest import QtestConnection
from deploy.corstone.uart import UartSink
from deploy.errors import TargetError

if TYPE_CHECKING:
    from deploy.corstone.bus import RegisterBus
    from deploy.npu.registers import RegisterFile

# While a program prints, QEMU hands over single bytes: looking once a millisecond spares a wake-up for each.
_UART_INTERVAL_S = 0.001
_STOP_TIMEOUT_S = 2.0
_REGISTERS = 17


class EndReason(enum.Enum):
    """Why a simulation ended, with the words the FVP has for it."""

    SHUTDOWN = "Simulation stopped by user."
    EXIT = "Simulation stopped by the program."
    WALL_TIME = "CPU time has been exceeded."
    SIMULATED_TIME = "Simulated time has been exceeded."
    CYCLES = "Cycle limit has been exceeded."
    SIGNAL = "Simulation stopped by signal."


class StopRequest(Exception):  # noqa: N818 - a request, not an error
    """Raised by signal handlers to end the simulation from outside."""

    def __init__(self, reason: EndReason, status: int) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.status = status


@dataclass(frozen=True)
class Ending:
    """How a simulation ended.

    Attributes:
        reason: why.
        status: exit status of the simulator.
    """

    reason: EndReason
    status: int = 0


@dataclass
class Figures:
    """Where the time of a simulation went; seconds of wall time.

    Attributes:
        start_s: QEMU started and the files were loaded.
        running_s: the CPU ran, or waited for the NPU model's packages to be imported.
        access_s: register accesses were carried out, the NPU's runs excluded.
        npu_s: the NPU model computed, its memory traffic included.
        accesses: register accesses.
    """

    start_s: float = 0.0
    running_s: float = 0.0
    access_s: float = 0.0
    npu_s: float = 0.0
    accesses: int = 0


class Machine:
    """A machine that is stopped before its first instruction.

    Args:
        options: the command line.
        qemu: the process, ready.
        uart0: where UART0's output goes.
        report: called with each line that is meant for the standard error.
    """

    def __init__(
        self, options: Options, qemu: QemuProcess, uart0: UartSink, report: Callable[[str], None]
    ) -> None:
        self._options = options
        self._qemu = qemu
        self._uart0 = uart0
        self._report = report
        self._gdb = GdbConnection(qemu.channels["gdb"])
        self._qtest = QtestConnection(qemu.channels["qtest"])
        self.memory = GuestMemory(qemu.ddr_file, self._qtest, qemu.pid)
        self.figures = Figures()
        self._running_since: float | None = None
        self._uart_due = 0.0
        self._irq = False
        self._npu: RegisterFile | None = None
        self._bus: RegisterBus | None = None

    @property
    def npu(self) -> RegisterFile | None:
        """The NPU, once the simulation has begun."""
        return self._npu

    def run(self) -> Ending:
        """Run until something ends the simulation; afterwards the CPU stands still.

        Raises:
            TargetError: QEMU died, or the CPU does something that is not modelled.
        """
        try:
            ending = self._run()
        except StopRequest as request:
            ending = Ending(request.reason, request.status)
        except ConnectionLostError as error:
            raise self._death() from error
        finally:
            self._account()
        return ending

    def stop(self) -> None:
        """Stop the CPU, so that memory can be read; harmless when it stands still or QEMU has ended."""
        if self._running_since is None:
            return
        try:
            self._gdb.interrupt()
            self._gdb.wait(_STOP_TIMEOUT_S)
        except TargetError:
            return
        finally:
            self._account()

    def _run(self) -> Ending:
        # Since QEMU 7.2 registers can be written by number only after the description was read.
        self._gdb.request(b"qXfer:features:read:target.xml:0,ffb")
        for window in memory_map.NPU_WINDOWS:
            if self._gdb.request(b"Z4,%x,%x" % (window, memory_map.NPU_WINDOW_SIZE)) != b"OK":
                raise TargetError("QEMU cannot watch the NPU's registers")
        self._continue()
        self._build_npu()
        while True:
            if (reply := self._gdb.poll()) is not None:
                ending = self._stopped(reply)
                if ending is not None:
                    return ending
                continue
            ending = self._wait()
            if ending is not None:
                return ending

    def _build_npu(self) -> None:
        # Imported while the firmware already boots: NumPy and the disassembler take longer than QEMU's start.
        from deploy.corstone.access import prepare
        from deploy.corstone.bus import RegisterBus
        from deploy.npu.architecture import Architecture
        from deploy.npu.registers import RegisterFile

        prepare()
        architecture = Architecture(self._options.family, self._options.macs)
        self._npu = RegisterFile(
            architecture,
            self.memory,
            report=lambda line: self._report(f"Warning: Ethos-{architecture.name}: {line}"),
        )
        self._bus = RegisterBus(self._npu, self.memory.read)

    def _wait(self) -> Ending | None:
        """Wait for the next thing to happen, and handle everything but a stop of the CPU."""
        now = time.monotonic()
        waited = [self._gdb.fileno(), self._qemu.stderr]
        timeout = self._until_limit(now)
        if now >= self._uart_due:
            waited.append(self._qemu.uart_output)
        else:
            timeout = min(timeout, self._uart_due - now)
        ready, _, _ = select.select(waited, [], [], timeout)
        if self._qemu.stderr in ready:
            self._qemu.messages()
        if self._qemu.uart_output in ready:
            data = self._qemu.read_uart()
            if not data:
                raise ConnectionLostError("QEMU closed UART0")
            self._uart_due = time.monotonic() + _UART_INTERVAL_S
            if self._uart0.feed(data) is not None:
                return Ending(EndReason.SHUTDOWN)
        return self._limit()

    def _stopped(self, reply: bytes) -> Ending | None:
        self._account()
        if reply[:1] in (b"W", b"X"):
            return self._exited(reply)
        if b"watch:" not in reply:
            raise TargetError(f"the CPU stopped for no reason that is known here (gdb reply {reply[:60]!r})")
        assert self._bus is not None and self._npu is not None  # noqa: S101
        began = time.monotonic()
        runs = len(self._npu.runs)
        registers = self._registers()
        execute_began = time.monotonic()
        changed = self._bus.execute(registers)
        executed = time.monotonic() - execute_began
        if self._npu.irq != self._irq:
            self._irq = self._npu.irq
            self._qtest.set_interrupt(memory_map.NPU_INTERRUPT, self._irq)
        self._continue(changed)
        spent = time.monotonic() - began
        self.figures.accesses += 1
        if len(self._npu.runs) > runs:
            self.figures.npu_s += executed
            spent -= executed
        self.figures.access_s += spent
        return None

    def _registers(self) -> list[int]:
        reply = self._gdb.request(b"g")
        try:
            raw = bytes.fromhex(reply.decode("ascii"))
        except ValueError:
            raw = b""
        if len(raw) < 4 * _REGISTERS:
            raise TargetError(f"QEMU does not tell the CPU's registers (gdb reply {reply[:40]!r})")
        return [int.from_bytes(raw[4 * n : 4 * n + 4], "little") for n in range(_REGISTERS)]

    def _continue(self, changed: dict[int, int] | None = None) -> None:
        writes = [
            b"P%x=%s" % (_gdb_number(number), value.to_bytes(4, "little").hex().encode())
            for number, value in (changed or {}).items()
        ]
        self._running_since = time.monotonic()
        self._gdb.send(*writes, b"c")

    def _exited(self, reply: bytes) -> Ending:
        """The program ended the simulation through semihosting."""
        status = int(reply[1:3], 16) if reply[:1] == b"W" else 1
        return Ending(EndReason.EXIT, status)

    def _account(self) -> None:
        """The CPU stands still from here on."""
        if self._running_since is not None:
            self.figures.running_s += time.monotonic() - self._running_since
            self._running_since = None

    def _simulated_s(self) -> float:
        running = 0.0 if self._running_since is None else time.monotonic() - self._running_since
        return self.figures.running_s + running

    def _clock_hz(self) -> int:
        return max(int(self._options.value("core_clk.mul")), 1)

    def _simulated_limit_s(self) -> float | None:
        options = self._options
        limits = [options.simulated_limit_s] if options.simulated_limit_s is not None else []
        if options.cycle_limit is not None:
            limits.append(options.cycle_limit / self._clock_hz())
        return min(limits, default=None)

    def _until_limit(self, now: float) -> float:
        limit = self._simulated_limit_s()
        return 3600.0 if limit is None else min(max(limit - self._simulated_s(), 0.0), 3600.0)

    def _limit(self) -> Ending | None:
        limit = self._simulated_limit_s()
        if limit is None or self._simulated_s() < limit:
            return None
        by_time = self._options.simulated_limit_s is not None and limit == self._options.simulated_limit_s
        return Ending(EndReason.SIMULATED_TIME if by_time else EndReason.CYCLES)

    def _death(self) -> TargetError:
        """QEMU ended although nothing asked it to: pass on what it said."""
        self._qemu.wait_exit(_STOP_TIMEOUT_S)
        self._uart0.feed(self._qemu.drain_uart())
        log = self._qemu.messages()
        hints = []
        if any("Lockup" in line for line in log):
            hints.append("the program faulted in its fault handler, or has no vector table at 0x0")
        return TargetError(
            f"QEMU died while the simulation ran ({self._qemu.exit_description()})", hints=hints, log=log
        )


def _gdb_number(number: int) -> int:
    """QEMU's Cortex-M description numbers r0 to r15 as the architecture does, and xPSR 25."""
    return 25 if number == _REGISTERS - 1 else number

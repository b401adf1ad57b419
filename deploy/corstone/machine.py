"""The open Corstone while it runs: the CPU in QEMU, the NPU here, and everything that can end it."""

from __future__ import annotations

import contextlib
import math
import select
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.corstone.access import PC, may_access
from deploy.corstone.command_line import MachineOptions
from deploy.corstone.core_clock import CoreClock
from deploy.corstone.cpu import Cpu
from deploy.corstone.gdb_remote import ConnectionLostError, GdbConnection, watchpoint
from deploy.corstone.memory import GuestMemory
from deploy.corstone.messages import Ending, EndReason, StopRequest
from deploy.corstone.program import Program
from deploy.corstone.qemu_process import QemuProcess
from deploy.corstone.qtest import QtestConnection
from deploy.corstone.run_limits import RunLimits
from deploy.corstone.stand_in import CCR, SYSTEM_TIMER_WORDS, SYSTEM_TIMER_WRITES
from deploy.corstone.uart import Uart
from deploy.errors import TargetError
from deploy.interrupts import held

if TYPE_CHECKING:
    from deploy.corstone.answered import Answered
    from deploy.corstone.debugger import Debugger
    from deploy.corstone.debugging import Debugging
    from deploy.corstone.npu_trace import NpuTrace
    from deploy.corstone.semihosting_port import SemihostingPort

_EXIT_TIMEOUT_S = 2.0
_STDIN = 0
# QEMU does not notice when a program switches a UART's receiver on, so what was typed before would wait for ever.
_WAKE_INTERVAL_S = 0.02


@dataclass
class Figures:
    """Where the time of a simulation went; seconds of wall time.

    Attributes:
        start_s: QEMU started and the files were loaded.
        access_s: register accesses were carried out, the NPU's runs excluded.
        npu_s: the NPU model computed, its memory traffic included.
        accesses: register accesses.
    """

    start_s: float = 0.0
    access_s: float = 0.0
    npu_s: float = 0.0
    accesses: int = 0


def machine_imports(options: MachineOptions) -> None:
    """Import what the first access to the NPU needs, and its first run; a second caller waits for the first."""
    from deploy.corstone.answered import architecture_of

    _ = architecture_of(options).instruction_set


class Machine:
    """A machine that is stopped before its first instruction.

    Args:
        options: the command line.
        qemu: the process, ready.
        uarts: the UARTs that are connected, UART0 first.
        report: called with each line that is meant for the standard error.
        program: what is known of what will run.
        debugger: where a user's debugger may attach; None for nowhere.
        trace: that the NPU's operations are written to; None for nowhere.

    Raises:
        BadInputError: the folder that is named for the program's files is none.
        TargetError: QEMU died, or does not answer.
    """

    def __init__(
        self,
        options: MachineOptions,
        qemu: QemuProcess,
        uarts: Sequence[Uart],
        report: Callable[[str], None],
        program: Program,
        *,
        debugger: Debugger | None = None,
        trace: NpuTrace | None = None,
    ) -> None:
        self._options = options
        self._model = options.model
        self._watched, self._watched_writes = options.model.watched, options.model.flash
        if program.gateways:
            self._watched_writes += (CCR,)
        if options.counts_instructions:
            self._watched += SYSTEM_TIMER_WORDS
            self._watched_writes += SYSTEM_TIMER_WRITES
        self._watched_bases = {base for base, _ in (*self._watched, *self._watched_writes)}
        self._qemu = qemu
        self._uarts = uarts
        self._report = report
        self._trace = trace
        self._qtest = QtestConnection(qemu.channels["qtest"])
        self._wake_due = 0.0
        self._irq = False
        self.cpu = Cpu(GdbConnection(qemu.channels["gdb"]))
        self.clock = CoreClock(
            self.cpu,
            max(round(options.clock_hz), 1),
            qemu.control if options.counts_instructions else None,
            qemu.pid,
        )
        self._limits = RunLimits(options, self.clock, math.inf)
        self._debugging: Debugging | None = None
        if debugger is not None:
            from deploy.corstone.debugging import Debugging

            self._debugging = Debugging(
                debugger, self.cpu, halt=self._halt, watch=self._watch, call=self._call_here, peek=self._peek
            )
        self.figures = Figures()
        self.simulated_s = 0.0
        self.instructions = 0
        self.answered: Answered | None = None
        self._semihosting: SemihostingPort | None = None
        self._asking: bytes | None = None
        with contextlib.ExitStack() as opened:
            self.memory = GuestMemory(options.model.memories, qemu.ddr_file, self._qtest, qemu.pid, cpu=self.cpu)
            opened.callback(self.memory.close)
            if program.calls is not None:
                from deploy.corstone.program_host import semihosting_port  # most programs do without

                self._semihosting = semihosting_port(
                    options, self.cpu, self.clock, self.memory, program.calls, self._flush, report
                )
                opened.callback(self._semihosting.close)
            self._opened = opened.pop_all()

    def run(self, limit_s: float = math.inf) -> Ending:
        """Run until something ends the simulation.

        Args:
            limit_s: wall time after which it ends, at the next thing that happens outside of the NPU.

        Raises:
            TargetError: QEMU died, or the CPU does something that is not modelled.
        """
        self._limits = RunLimits(self._options, self.clock, limit_s)
        try:
            return self._run()
        except StopRequest as request:
            if request.reason is EndReason.EXIT and self._debugging is not None:
                self._debugging.ended(b"W%02x" % request.status)
            return Ending(request.reason, request.status)
        except ConnectionLostError as error:
            raise self._death() from error

    def reset(self, uarts: Sequence[Uart], loaded: Sequence[tuple[int, bytes]]) -> None:
        """Put the machine into the state of a new one, whatever ran on it, with UARTs for a new run's output.

        All memory is 0 but for what is loaded, here or by QEMU; every device has the state of a reset.

        Args:
            uarts: those that are connected, UART0 first.
            loaded: address and bytes of what QEMU does not load itself.

        Raises:
            TargetError: the CPU does not stop, or QEMU does not reset it.
        """
        self.cpu.stop()
        hit = self._may_have_hit()
        for uart in self._uarts:
            uart.discard()
        self._set_interrupt(False)
        # Twice: what guards memory is open after the first time, the CPU begins with what is loaded at the second.
        self._qemu.reset()
        self.memory.restore(loaded)
        self._qemu.reset()
        if hit:
            self.cpu.settle()
        self.cpu.restart()
        self.clock.restart()
        if self._semihosting is not None:
            self._semihosting.restart()
        self._asking = None
        self._uarts = uarts
        self._wake_due = 0.0
        self.figures = Figures()

    def stop(self) -> None:
        """Stop the CPU, so that memory can be read, and pass on its last output; harmless when QEMU has ended."""
        try:
            self.cpu.stop()
            if self._options.stat:
                self.simulated_s, self.instructions = self.clock.simulated_s, self.clock.instructions()
        except TargetError:
            self.cpu.stopped()
            self.simulated_s = self.cpu.ran_s
        for uart in self._uarts:
            uart.drain()

    def close(self) -> None:
        """Let go of the program's files and of the machine's memory; harmless once more."""
        self._opened.close()

    def _run(self) -> Ending:
        self.cpu.describe()
        self._watch()
        if self._options.start is not None:
            self.cpu.write({PC: self._options.start})
        if self._debugging is None:
            self.cpu.resume({})
        else:
            # As with the FVP's debug server: nothing runs before somebody can set a breakpoint.
            self._report(f"Info: waiting for a debugger on port {self._options.gdb_port}")
            self._debugging.wait()
        self._build_answered()
        while True:
            reply = self.cpu.gdb.poll() if self.cpu.running else None
            ending = self._wait() if reply is None else self._stopped(reply)
            if ending is not None:
                return ending

    def _watch(self) -> None:
        """Have the CPU stop at everything that is answered here."""
        self.cpu.watch(self._watched, writes=self._watched_writes)
        if self._semihosting is not None:
            self._semihosting.watch()

    def _build_answered(self) -> None:
        with held():  # what a signal raises may come out of an import as another error
            machine_imports(self._options)
            from deploy.corstone.answered import Answered

        self.answered = Answered(
            self._options,
            self.cpu,
            self.clock,
            self.memory,
            self._qtest,
            self._report,
            alone=self._debugging is None,
            trace=self._trace,
            # Found by their content: a machine that was reset need not decode them again.
            weights=None if self.answered is None else self.answered.npu.weights,
        )

    def _wait(self) -> Ending | None:
        """Wait for the next thing to happen, and handle everything but a stop of the CPU."""
        now = time.monotonic()
        reading, writing = [self.cpu.gdb.fileno(), self._qemu.stderr], []
        timeout = self._limits.wait_s
        for uart in self._uarts:
            to_read, to_write, at_most = uart.waiting(now)
            reading += to_read
            writing += to_write
            timeout = min(timeout, at_most)
        typing = any(uart.has_input for uart in self._uarts)
        if typing:
            timeout = min(timeout, _WAKE_INTERVAL_S)
        if self._debugging is not None:
            reading.append(self._debugging.fileno())
        if self._asking is not None:
            reading.append(_STDIN)
        readable, writable, _ = select.select(reading, writing, [], timeout)
        if self._qemu.stderr in readable:
            self._qemu.messages()
        if self.cpu.gdb.fileno() in readable and not self.cpu.running:
            raise ConnectionLostError("QEMU closed its gdb connection")
        for uart in self._uarts:
            if uart.service(readable, writable):
                return Ending(EndReason.SHUTDOWN)
        if typing and time.monotonic() >= self._wake_due:
            for uart in self._uarts:
                uart.nudge()
            self._qtest.wake()
            self._wake_due = time.monotonic() + _WAKE_INTERVAL_S
        if self._debugging is not None and self._debugging.fileno() in readable:
            ending = self._debugging.serve()
            if ending is not None:
                return ending
        if self._asking is not None and _STDIN in readable:
            self._call(self._asking)
        if not readable and self._limits.keep_time and self.cpu.running:
            self.clock.look()  # a CPU that prints, or has stopped, is awake
        return self._limits.reached()

    def _stopped(self, reply: bytes) -> Ending | None:
        """The CPU has stopped: for the NPU, for the debugger, or for good."""
        self.cpu.stopped()
        if reply[:1] in (b"W", b"X"):
            return self._exited(reply)
        if self._is_ours(reply):
            self._go_on(self._access(), reply)
        elif self._semihosting is not None and reply[:1] == b"F":
            self._semihosting.serve_file(reply)
        elif self._semihosting is not None and self._semihosting.here():
            self._call(reply)
        elif self._debugging is not None and self._debugging.attached:
            self._debugging.stopped(reply)
        else:
            raise TargetError(f"the CPU stopped for no reason that is known here (gdb reply {reply[:60]!r})")
        return None

    def _go_on(self, changed: Mapping[int, int], reply: bytes) -> None:
        """A stop was answered: with changed registers the CPU goes on, or stands still for a debugger."""
        if self._debugging is not None and self._debugging.holds:
            self._debugging.answered(changed, reply)
        else:
            self.cpu.resume(changed)

    def _call(self, reply: bytes) -> None:
        """The program calls its host; what waits for the standard input is asked again."""
        assert self._semihosting is not None  # noqa: S101
        changed = self._semihosting.serve()
        self._asking = reply if changed is None else None
        if changed is not None:
            self._go_on(changed, reply)

    def _flush(self) -> None:
        """Pass on what the UARTs have sent.

        Raises:
            StopRequest: it asks for the end of the simulation.
        """
        for uart in self._uarts:
            if uart.collect():
                raise StopRequest(EndReason.SHUTDOWN, 0)

    def _may_have_hit(self) -> bool:
        """Whether the CPU, which stands still, may have been stopped at an access that QEMU has not told of."""
        try:
            return may_access(self.memory.read(self.cpu.registers()[PC], 2))
        except TargetError:
            return True  # no memory there

    def _is_ours(self, reply: bytes) -> bool:
        """Whether the CPU stopped at registers that are answered here."""
        return watchpoint(reply) in self._watched_bases

    def _access(self) -> dict[int, int]:
        """Carry out the access to registers that the CPU stopped at; returns the CPU's new registers."""
        assert self.answered is not None  # noqa: S101
        npu = self.answered.npu
        began = time.monotonic()
        runs = len(npu.runs)
        registers = self.cpu.registers()
        decoded = time.monotonic()
        changed = self.answered.execute(registers)
        executed = time.monotonic() - decoded
        if npu.irq != self._irq:
            self._set_interrupt(npu.irq)
        self.clock.served += 1
        self.clock.tidy()
        self.figures.accesses += 1
        self.figures.access_s += time.monotonic() - began
        if len(npu.runs) > runs:
            self.figures.npu_s += executed
            self.figures.access_s -= executed
        return changed

    def _set_interrupt(self, level: bool) -> None:
        self._irq = level
        self._qtest.set_interrupt(self._model.hardware.npu.interrupt, level)

    def _halt(self) -> Ending | None:
        """Make the CPU stand still between two instructions; what it stopped at is answered."""
        reply = self.cpu.stop()
        if reply is None:
            return None
        if reply[:1] in (b"W", b"X"):
            return self._exited(reply)
        if self._is_ours(reply):
            self.cpu.write(self._access())
        else:
            self.cpu.settle()
        return None

    def _call_here(self) -> bool:
        """Have the semihosting call served that the CPU, which stands still, is about to make, if any."""
        if self._semihosting is None or not self._semihosting.here():
            return False
        self._call(b"T05thread:01;")
        return True

    def _peek(self, address: int, size: int) -> bytes | None:
        """Bytes of the NPU's registers, which QEMU has not; None for everything else."""
        return None if self.answered is None else self.answered.peek(address, size)

    def _exited(self, reply: bytes) -> Ending:
        """The program ended the simulation through semihosting."""
        if self._debugging is not None:
            self._debugging.ended(reply)
        self._drain()
        return Ending(EndReason.EXIT, int(reply[1:3], 16) if reply[:1] == b"W" else 1)

    def _drain(self) -> None:
        """Pass on what the UARTs of a QEMU that has ended still hold."""
        self._qemu.wait_exit(_EXIT_TIMEOUT_S)
        for uart in self._uarts:
            uart.drain()

    def _death(self) -> TargetError:
        """QEMU ended although nothing asked it to: pass on what it said."""
        self._drain()
        log = self._qemu.messages()
        hints = []
        if any("Lockup" in line for line in log):
            hints.append("the program faulted in its fault handler, or has no vector table at 0x0")
        return TargetError(
            f"QEMU died while the simulation ran ({self._qemu.exit_description()})", hints=hints, log=log
        )

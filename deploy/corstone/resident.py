"""A machine that stays in this process and runs its application again and again: a reset replaces the boot.

A boot costs QEMU's start; a reset some milliseconds, and leaves a machine as it is after a boot
(:meth:`deploy.corstone.machine.Machine.reset`).
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.corstone import qemu
from deploy.corstone.command_line import MachineOptions
from deploy.corstone.images import Images, load_images
from deploy.corstone.machine import Machine
from deploy.corstone.memory import GuestMemory
from deploy.corstone.messages import Ending, EndReason
from deploy.corstone.program import Program, program
from deploy.corstone.qemu_process import QemuProcess
from deploy.corstone.simulation import start_qemu
from deploy.corstone.uart import Uart, UartRecord
from deploy.corstone.wire import Wire
from deploy.errors import TargetError


@dataclass(frozen=True)
class Finished:
    """One run of the application.

    Attributes:
        ending: how it ended.
        sent: what it sent on UART0.
        reports: what the machine said about it, in lines.
    """

    ending: Ending
    sent: bytes = field(repr=False)
    reports: tuple[str, ...] = ()


class ResidentMachine:
    """One machine; nothing starts before the first run. One thread uses it, any thread may kill it.

    Args:
        options: the command line; UART0's output is kept here, whatever it says, and others are not connected.
        kept: bytes of UART0's output that are kept.

    Attributes:
        reports: what the machine has said about the run, in lines.
    """

    def __init__(self, options: MachineOptions, kept: int = 8 * 1024 * 1024) -> None:
        self._options, self._kept = options, kept
        self._stack = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._killed = False
        self._process: QemuProcess | None = None
        self._machine: Machine | None = None
        self._loaded: tuple[tuple[int, bytes], ...] = ()
        self._starting = threading.Lock()
        self._unused: UartRecord | None = None
        self.reports: list[str] = []

    @property
    def memory(self) -> GuestMemory | None:
        """Memory that may be read and written while the machine runs; None before, and where that is not so."""
        memory = None if self._machine is None else self._machine.memory
        return memory if memory is not None and memory.direct else None

    def prepare(self) -> None:
        """Start the machine up to where the application begins; a run of another thread waits for that.

        Raises:
            BadInputError: as :meth:`run`, which tries once more.
            NotInstalledError: likewise.
            TargetError: likewise.
        """
        with self._starting:
            if self._machine is None:
                sink = self._sink()
                self._begin(sink, None)
                self._unused = sink

    def run(self, loads: Mapping[int, bytes], limit_s: float = math.inf, terminal: Wire | None = None) -> Finished:
        """Run the application from its beginning, in a machine that remembers nothing.

        Args:
            loads: address -> what is loaded there beforehand.
            limit_s: wall time after which it ends.
            terminal: what UART0 is connected to besides.

        Raises:
            BadInputError: the application cannot be used.
            NotInstalledError: QEMU is missing or too old.
            TargetError: QEMU died, was killed, or the CPU cannot go on.
        """
        with self._starting:
            sink, self._unused = (self._unused if terminal is None else None), None
            if sink is None:
                self.reports.clear()
                sink = self._sink()
                self._begin(sink, terminal)
            machine = self._machine
            if machine is None:
                raise TargetError("the machine was ended")
        for address, content in loads.items():
            machine.memory.load(address, content)
        ending = machine.run(limit_s)
        machine.stop()
        if ending.reason is EndReason.EXIT:
            self._machine = None  # QEMU may have ended with the program
            with self._lock:
                self._stack.close()
                self._process = None
        return Finished(ending, bytes(sink.sent), tuple(self.reports))

    def read(self, address: int, size: int) -> bytes:
        """Memory, as the last run left it.

        Raises:
            TargetError: there is no such memory, or nothing has run.
        """
        if self._machine is None:
            raise TargetError("there is no machine whose memory could be read")
        return self._machine.memory.read(address, size)

    def kill(self) -> None:
        """End a run from another thread, and let none begin."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """End the machine; harmless once more."""
        self._machine = None
        with self._lock:
            self._killed = True
            self._stack.close()
            self._process = None

    def _sink(self) -> UartRecord:
        return UartRecord(self._kept, shutdown_on_eot=self._options.uart(0).shutdown_on_eot)

    def _begin(self, sink: UartRecord, terminal: Wire | None) -> None:
        """Have a machine, started or reset, in which the application stands at its beginning."""
        first = self._machine is None or self._process is None
        if self._machine is None or self._process is None:
            self._process, found = self._start()
            uarts = [Uart(*self._process.uart(0), sink, terminal)]
            self._machine = Machine(self._options, self._process, uarts, self.reports.append, found)
            self._stack.callback(self._machine.close)
        if self._loaded or not first:
            self._machine.reset([Uart(*self._process.uart(0), sink, terminal)], self._loaded)

    def _start(self) -> tuple[QemuProcess, Program]:
        """QEMU, ready, and what is known of the application."""
        options = self._options
        images = load_images(options.applications, options.model, begin=options.begin)
        self._loaded = images.parts(options.model.memories)
        # QEMU would write all that it loads at every reset, and translate its code anew.
        by_qemu = Images(()) if self._loaded else images
        executable = qemu.locate_qemu()
        with self._lock:
            if self._killed:
                raise TargetError("the machine was ended")
            process = self._stack.enter_context(start_qemu(executable, options, by_qemu))
            self._process = process
        process.wait_ready()
        return process, program(options, images)

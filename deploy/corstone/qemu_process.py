"""Runs QEMU, supervised like every child, and holds our ends of its channels.

All channels to QEMU are socket pairs that it inherits: nothing lies in the file system that could clash with
another machine or be left behind, whatever kills whom.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from deploy.corstone.file_arguments import DataLoad
from deploy.corstone.qemu import MIN_VERSION, Channels, check_version, command_line
from deploy.corstone.qmp import QmpConnection
from deploy.corstone.shared_file import SharedFile
from deploy.corstone.stand_in import StandIn
from deploy.errors import NotInstalledError, TargetError
from deploy.processes.child import PIPE, Child
from deploy.processes.limits import GIB, Limits

_KEPT_MESSAGES = 16 * 1024
_LIMITS = Limits(memory_bytes=4 * GIB, file_bytes=4 * GIB)
"""QEMU's data are 1.3 GB, most of it room for translated code (measured); the 2 GB of DDR are a shared file, which
does not count as data."""


class QemuProcess:
    """A running QEMU and our ends of its channels; use as a context manager, which ends it.

    Args:
        qemu: the executable.
        model: what it is to be.
        applications: ELF files, or the content of some; the first boots. None where memory is written from here.
        start: what lies at address 0, where the CPU begins; None where the program lies there.
        data: raw files for memory that only QEMU itself can write.
        uarts: numbers of the UARTs to connect besides UART0.
        semihosting: whether the program may call its host.
        counting: whether time is counted in instructions.
        nonsecure_vectors: address of the Non-secure vector table at reset.

    Raises:
        NotInstalledError: QEMU does not start at all.
    """

    def __init__(
        self,
        qemu: Path,
        model: StandIn,
        applications: Sequence[Path | bytes],
        *,
        start: bytes | None = None,
        data: Sequence[DataLoad] = (),
        uarts: Sequence[int] = (),
        semihosting: bool = False,
        counting: bool = True,
        nonsecure_vectors: int = 0,
    ) -> None:
        self._model = model
        self._messages = bytearray()
        with contextlib.ExitStack() as theirs:
            ours: dict[str, socket.socket] = {}
            inherited: dict[str, int] = {}
            sockets = [number for number in uarts if number]
            for name in ["gdb", "qmp", "qtest", *(f"uart{number}" for number in sockets)]:
                ours[name], other = socket.socketpair()
                inherited[name] = theirs.enter_context(other).fileno()
            self._ddr = SharedFile("ddr", size=model.memories.ddr.open_size)
            self._files = [self._ddr]

            def handed_over(purpose: str, content: bytes) -> str:
                self._files.append(SharedFile(purpose, content))
                return self._files[-1].path

            channels = Channels(
                inherited["gdb"],
                inherited["qmp"],
                inherited["qtest"],
                {number: inherited[f"uart{number}"] for number in sockets},
                self._ddr.path,
                None if start is None else handed_over("start", start),
            )
            self.channels = ours
            self.control = QmpConnection(ours["qmp"])
            paths = [
                Path(handed_over("image", each)) if isinstance(each, bytes) else each.absolute()
                for each in applications
            ]
            try:
                self._child = Child(
                    command_line(
                        qemu,
                        model,
                        paths,
                        channels,
                        semihosting=semihosting,
                        counting=counting,
                        data=data,
                        nonsecure_vectors=nonsecure_vectors,
                    ),
                    limits=_LIMITS,
                    stdin=PIPE,
                    stdout=PIPE,
                    stderr=PIPE,
                    inherited=[*inherited.values(), *(fd for file in self._files for fd in file.inherited)],
                )
            except NotInstalledError:
                self._close()
                raise
        self.pid = self._child.pid
        for stream in (self.standard_output, self.stderr):
            os.set_blocking(stream, False)
        for number in sockets:
            ours[f"uart{number}"].setblocking(False)

    @property
    def ddr_file(self) -> SharedFile:
        """The file that backs DDR."""
        return self._ddr

    def uart(self, number: int) -> tuple[int, int]:
        """Descriptors (non-blocking) of a connected UART: its output, to read from, and its input, to write to."""
        if f"uart{number}" in self.channels:
            descriptor = self.channels[f"uart{number}"].fileno()
            return descriptor, descriptor
        return self.standard_output, self.standard_input

    @property
    def standard_output(self) -> int:
        """Descriptor that QEMU's standard output is read from (non-blocking)."""
        return self._child.stdout.fileno()

    @property
    def standard_input(self) -> int:
        """Descriptor that QEMU's standard input is written to."""
        return self._child.stdin.fileno()

    @property
    def stderr(self) -> int:
        """Descriptor that QEMU's messages are read from (non-blocking)."""
        return self._child.stderr.fileno()

    def wait_ready(self) -> str:
        """Wait until QEMU speaks; returns its version.

        Raises:
            NotInstalledError: it ended instead (no such machine, an option it does not know), or is too old.
            TargetError: it says nothing.
        """
        try:
            version = self.control.version()
        except TimeoutError:
            raise TargetError("QEMU does not start to speak", log=self.messages()) from None
        except ValueError as error:
            raise TargetError("QEMU's greeting cannot be read", log=self.messages()) from error
        except ConnectionError:
            raise self.ended_early() from None
        check_version(version)
        for file in self._files:
            file.forget()
        return version

    def reset(self) -> None:
        """Reset every device and load the applications again; the CPU must stand still, and does so afterwards.

        Raises:
            TargetError: QEMU does not.
        """
        self.control.reset()

    def kill(self) -> None:
        """Kill QEMU, from any thread; whoever waits for it notices."""
        self._child.kill()

    def ended_early(self) -> NotInstalledError | TargetError:
        """The error for a QEMU that ended before the machine ran."""
        self._child.wait(2)
        log = self.messages()
        said = "\n".join(log)
        if "unsupported machine" in said or "not supported" in said or "invalid option" in said:
            return NotInstalledError(
                f"this QEMU cannot be the open {self._model.memories.owner}: {log[-1] if log else 'no message'}",
                hints=[
                    f"machine {self._model.machine} and QEMU {'.'.join(map(str, MIN_VERSION))} or newer are needed"
                ],
            )
        return TargetError(f"QEMU ended before the machine started ({self.exit_description()})", log=log)

    def exit_description(self) -> str:
        """How QEMU ended, in words."""
        status = self._child.wait(0)
        if status is None:
            return "still running"
        if status < 0:
            return f"killed by {signal.Signals(-status).name}"
        return f"exit status {status}"

    def wait_exit(self, timeout_s: float) -> int | None:
        """Wait for QEMU's end; its exit status, or None if it still runs."""
        return self._child.wait(timeout_s)

    def messages(self) -> list[str]:
        """The last lines that QEMU wrote on its standard error."""
        with contextlib.suppress(BlockingIOError, ValueError):
            while chunk := os.read(self.stderr, 65536):
                self._messages += chunk
                del self._messages[:-_KEPT_MESSAGES]
        lines = self._messages.decode("utf-8", "replace").splitlines()
        lines = [line for line in lines if line.strip() and "has no peer" not in line]
        # A fatal error is followed by a listing of all registers: the first lines matter then, not the last ones.
        fatal = next((number for number, line in enumerate(lines) if "fatal:" in line), None)
        return lines[-12:] if fatal is None else lines[fatal : fatal + 6]

    def __enter__(self) -> QemuProcess:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.end()

    def end(self) -> None:
        """Kill QEMU and close everything; harmless when it has ended."""
        self._child.end()
        self._close()

    def _close(self) -> None:
        for file in self._files:
            file.close()
        for channel in self.channels.values():
            with contextlib.suppress(OSError):
                channel.close()

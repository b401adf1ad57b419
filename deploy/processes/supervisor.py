"""Runs a command to its end: bounded in time, in memory and in what it writes, and never left behind."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.errors import NotInstalledError
from deploy.processes.child import PIPE, STDOUT, Child, not_started
from deploy.processes.limits import DEFAULT_LIMITS, Limits
from deploy.processes.output import FLOOD_BYTES, KEEP_ALL_BUT_FLOODS, FloodError, Keep, Kept, collect

_FULL_BYTES = 4096
_NOT_STARTED = (126, 127)
"""What the shell ends with that sets the limits of a program, where it cannot become the program."""
_GRACE_S = 3.0


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: exit status, negative for the signal that killed it.
        timed_out: whether it was killed because its time was over, or because it wrote too much.
        output: what is kept of what it wrote on standard output and, unless that was read apart, standard error.
        errors: of standard error where that was read apart.
        flooded: whether it was killed because it wrote too much.
    """

    status: int
    timed_out: bool
    output: str
    errors: str = ""
    flooded: bool = False

    def last_lines(self, count: int) -> tuple[str, ...]:
        """The last lines that are not empty."""
        return tuple(line for line in self.output.splitlines() if line.strip())[-count:]

    def describe(self) -> str:
        """``ended with status 1``, ``was killed by SIGSEGV``, ``took too long`` ..."""
        if self.flooded:
            return f"wrote more than {FLOOD_BYTES >> 20} MiB of messages"
        if self.timed_out:
            return "took too long"
        if self.status < 0:
            with contextlib.suppress(ValueError):
                return f"was killed by {signal.Signals(-self.status).name}"
        return f"ended with status {self.status}"


class RunCommand(Protocol):
    """What runs a command: :func:`run`, or a pool of warm processes."""

    def __call__(self, command: Sequence[str], folder: Path, *, timeout_s: float) -> Ended:
        """Run a command in a folder and wait for its end."""
        ...


class Supervisor:
    """Runs commands, from any number of threads, until it is cancelled.

    Args:
        polite: whether a command is told to end, to clean up after itself, should this process be killed; what
            still runs then is killed 5 s later.
        limits: bounds of a command's memory and files.
        keep: how much of its output is kept; all of it is read.
    """

    def __init__(
        self, *, polite: bool = False, limits: Limits = DEFAULT_LIMITS, keep: Keep = KEEP_ALL_BUT_FLOODS
    ) -> None:
        self._polite, self._limits, self._keep = polite, limits, keep
        self._running: set[Child] = set()
        self._lock = threading.Lock()
        self._cancelled = False

    def run(
        self,
        command: Sequence[str | Path],
        folder: Path | None = None,
        *,
        timeout_s: float,
        environment: Mapping[str, str] | None = None,
        apart: bool = False,
        on_output: Callable[[bytes], None] = lambda _chunk: None,
    ) -> Ended:
        """Run ``command`` and wait for its end; its standard input is empty.

        Args:
            command: program and arguments.
            folder: working folder; None for this process's.
            timeout_s: after this many seconds its process group is killed.
            environment: its variables; None for :func:`own_environment`.
            apart: read standard error apart from standard output.
            on_output: called with each piece of standard output as it arrives.

        Raises:
            NotInstalledError: it cannot be started.
            OSError: it failed, and the disk of the folder is full.
        """
        deadline, flooded = time.monotonic() + timeout_s, False
        output, errors = Kept(self._keep), Kept(self._keep)

        def take(chunk: bytes) -> None:
            on_output(chunk)
            output.add(chunk)

        with self._lock:
            if self._cancelled:
                return Ended(-signal.SIGKILL, False, "")
            child = Child(
                command,
                folder=folder,
                environment=own_environment() if environment is None else environment,
                limits=self._limits,
                stdout=PIPE,
                stderr=PIPE if apart else STDOUT,
                polite=self._polite,
            )
            self._running.add(child)
        try:
            streams = {child.stdout.fileno(): take}
            if apart:
                streams[child.stderr.fileno()] = errors.add
            in_time = collect(streams, deadline=deadline, ended=child.ended)
            in_time = in_time and child.wait(deadline - time.monotonic()) is not None
        except FloodError:
            in_time, flooded = False, True
        finally:
            status = child.end()
            with self._lock:
                self._running.discard(child)
        if status in _NOT_STARTED and (reason := not_started(command[0], output.text() + errors.text())):
            raise NotInstalledError(f"{command[0]}: cannot be started: {reason.strerror}") from reason
        if status != 0 and folder is not None:
            check_disk(folder)
        return Ended(status, not in_time, output.text(), errors.text(), flooded)

    def cancel(self) -> None:
        """End all that runs, politely first, and start no more."""
        with self._lock:
            self._cancelled = True
            running = list(self._running)
        for child in running:
            child.terminate()
        deadline = time.monotonic() + _GRACE_S
        for child in running:
            child.wait(deadline - time.monotonic())
            child.kill()


def run(
    command: Sequence[str | Path],
    folder: Path | None = None,
    *,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    apart: bool = False,
) -> Ended:
    """Run a command and wait for its end; see :meth:`Supervisor.run`.

    Raises:
        NotInstalledError: it cannot be started.
        OSError: it failed, and the disk of the folder is full.
    """
    return Supervisor().run(command, folder, timeout_s=timeout_s, environment=environment, apart=apart)


def own_environment() -> dict[str, str]:
    """This process's variables, with this package first on Python's path: a child runs the same code."""
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


def check_disk(folder: Path) -> None:
    """Whether a full disk is why a tool failed: it may not have been able to say so.

    Raises:
        OSError: the disk of the folder is full.
    """
    if shutil.disk_usage(folder).free < _FULL_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))

"""Runs one simulator process: bounded in time and in what is kept of its output, and never left behind."""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deploy.errors import NotInstalledError
from deploy.parentage import SUPPORTED, die_with_parent

_KEPT_OUTPUT_BYTES = 256 * 1024
_POLL_S = 0.25


@dataclass(frozen=True)
class ProcessEnd:
    """How a simulator ended.

    Attributes:
        status: its exit status, negative for the signal that killed it.
        timed_out: whether it had to be killed because its time was over.
        output: the last of what it wrote on its standard output and error.
    """

    status: int
    timed_out: bool
    output: str


class SimulatorProcesses:
    """The simulators that are running now, so that an interrupt can end all of them."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._cancelled = False

    def run(
        self,
        command: Sequence[str],
        *,
        timeout_s: float,
        environment: dict[str, str],
        on_output: Callable[[bytes], None] = lambda _chunk: None,
    ) -> ProcessEnd:
        """Start ``command``, wait for its end and kill its process group when the time is over.

        Args:
            command: the words to execute.
            timeout_s: seconds it may run.
            environment: its environment variables.
            on_output: called with each piece of output as it arrives.

        Raises:
            NotInstalledError: it cannot be started at all.
        """
        try:
            with self._lock:
                if self._cancelled:
                    return ProcessEnd(-signal.SIGKILL, False, "")
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env=environment,
                    # One system call, looked up beforehand: safe between fork and exec even with threads.
                    preexec_fn=functools.partial(die_with_parent, signal.SIGTERM) if SUPPORTED else None,  # noqa: PLW1509
                )
                self._running.add(process)
        except OSError as error:
            raise NotInstalledError(f"{command[0]}: cannot be started: {error.strerror}") from error
        try:
            output, timed_out = _read_until_end(process, time.monotonic() + timeout_s, on_output)
        finally:
            _kill(process)
            process.wait()
            with self._lock:
                self._running.discard(process)
        return ProcessEnd(process.returncode, timed_out, output)

    def cancel(self) -> None:
        """Kill all that runs and start no more."""
        with self._lock:
            self._cancelled = True
            for process in self._running:
                # The open machine cleans up after itself on SIGTERM; the kill follows in run().
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
        for process in list(self._running):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=3)
            _kill(process)


def _read_until_end(
    process: subprocess.Popen[bytes], deadline: float, on_output: Callable[[bytes], None]
) -> tuple[str, bool]:
    """Keep the last of the output until the process ends; returns it, and whether the deadline came first.

    An orphan may hold the pipe open after the process itself has ended, so the end of the process counts too.
    """
    kept = bytearray()
    open_pipe = True
    with process.stdout or contextlib.nullcontext(None) as stream:
        while stream is not None and open_pipe:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return _text(kept), True
            ready, _, _ = select.select([stream], [], [], min(remaining, _POLL_S))
            if not ready and process.poll() is not None:
                break
            if ready:
                chunk = os.read(stream.fileno(), 65536)
                open_pipe = bool(chunk)
                on_output(chunk)
                kept += chunk
                if len(kept) > 2 * _KEPT_OUTPUT_BYTES:
                    del kept[:-_KEPT_OUTPUT_BYTES]
    try:
        process.wait(timeout=max(deadline - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        return _text(kept), True
    return _text(kept), False


def _text(output: bytearray) -> str:
    return bytes(output[-_KEPT_OUTPUT_BYTES:]).decode("utf-8", "replace")


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)

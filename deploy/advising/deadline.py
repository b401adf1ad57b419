"""A bound on the time that advice takes: whatever runs Vela, run no longer than until a deadline."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.processes.supervisor import Ended, RunCommand


class Deadline:
    """Runs commands until its time is over; a command that is too late has then taken too long."""

    def __init__(self, run: RunCommand, seconds: float) -> None:
        self._run, self._deadline = run, time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; 0 when the time is over."""
        return max(self._deadline - time.monotonic(), 0)

    def run(self, command: Sequence[str], folder: Path, *, timeout_s: float) -> Ended:
        """Run a command in a folder; see :func:`deploy.processes.supervisor.run`."""
        if not self.left:
            return Ended(-signal.SIGKILL, timed_out=True, output="")
        return self._run(command, folder, timeout_s=min(timeout_s, self.left))

"""Runs a tool to its end in a private folder: bounded in time, in what it may write, and never left behind."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import deploy
from deploy.errors import NotInstalledError
from deploy.parentage import die_with_parent

OUTPUT_FILE = "output.log"
_MAX_FILE_BYTES = 2 * 1024**3
_MAX_READ_BYTES = 16 * 1024**2
_FULL_BYTES = 4096


@dataclass(frozen=True)
class Ended:
    """How a tool ended.

    Attributes:
        status: exit status, negative for the signal that killed it.
        timed_out: whether it was killed because its time was over.
        output: what it wrote on standard output and error (at most the first 16 MB).
    """

    status: int
    timed_out: bool
    output: str

    def last_lines(self, count: int) -> tuple[str, ...]:
        """The last lines that are not empty."""
        return tuple(line for line in self.output.splitlines() if line.strip())[-count:]

    def describe(self) -> str:
        """``ended with status 1``, ``was killed by SIGSEGV`` or ``took too long``."""
        if self.timed_out:
            return "took too long"
        if self.status < 0:
            with contextlib.suppress(ValueError):
                return f"was killed by {signal.Signals(-self.status).name}"
        return f"ended with status {self.status}"


class Run(Protocol):
    """What runs a command: :func:`run`, or a warm process."""

    def __call__(self, command: Sequence[str], folder: Path, *, timeout_s: float) -> Ended:
        """Run a command in a folder and wait for its end."""
        ...


def run(command: Sequence[str], folder: Path, *, timeout_s: float) -> Ended:
    """Run ``command`` in ``folder`` and wait for its end.

    Its output goes to ``output.log`` in that folder. The tool sees this ``deploy`` package first on its import
    path, so that a child in Python runs the same code as its parent.

    Args:
        command: program and arguments.
        folder: private working folder.
        timeout_s: after this many seconds its process group is killed.

    Raises:
        NotInstalledError: it cannot be started.
        OSError: it failed, and the disk of the folder is full.
    """
    package = str(Path(deploy.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    with (folder / OUTPUT_FILE).open("w+b") as log:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,
                preexec_fn=prepare_child,  # noqa: PLW1509 - system calls only, safe between fork and exec
            )
        except OSError as error:
            raise NotInstalledError(f"{command[0]}: cannot be started: {error.strerror}") from error
        timed_out = False
        try:
            process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output = read_output(log)
    if process.returncode != 0:
        check_disk(folder)
    return Ended(process.returncode, timed_out, output)


def check_disk(folder: Path) -> None:
    """Whether a full disk is why a tool failed: it could not say so, what it says goes to the same disk.

    Raises:
        OSError: the disk of the folder is full.
    """
    if shutil.disk_usage(folder).free < _FULL_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def read_output(log: BinaryIO) -> str:
    """What a tool wrote, from the beginning (at most the first 16 MB)."""
    log.seek(0)
    return log.read(_MAX_READ_BYTES).decode("utf-8", "replace")


def prepare_child() -> None:
    """In the child: bound the files it writes, and have it end when its parent is killed."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    limit = _MAX_FILE_BYTES if hard == resource.RLIM_INFINITY else min(_MAX_FILE_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    die_with_parent()

"""One running program: bounded, in a process group of its own, and ended with this process whatever ends that."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

from deploy.errors import NotInstalledError
from deploy.interrupts import held
from deploy.processes.guard import GUARD
from deploy.processes.limits import DEFAULT_LIMITS, Limits
from deploy.processes.starting import STARTING

_STARTS = {
    subprocess.PIPE: 'read -r go && exec "$@"',
    subprocess.DEVNULL: 'read -r go && exec "$@" </dev/null',
    None: 'exec "$@"',
}
"""How a child begins, by its standard input. It waits there until the guard knows of it: where this process is
killed before, there is nothing to read, and the program does not start. What it is to read comes behind that."""

PIPE, DEVNULL, STDOUT = subprocess.PIPE, subprocess.DEVNULL, subprocess.STDOUT


class Child:
    """A running program; use as a context manager, which ends it and all that it started. Its pid is its group's.

    Args:
        command: program and arguments.
        folder: its working folder; None for this process's.
        environment: its variables; None for this process's.
        limits: bounds of its memory and files.
        stdin: ``DEVNULL``, ``PIPE``, or None for this process's.
        stdout: as ``stdin``.
        stderr: as ``stdin``, or ``STDOUT``.
        inherited: descriptors that it gets besides these.
        polite: whether it is told to end, to clean up after itself, should this process be killed.

    Raises:
        NotInstalledError: it cannot be started; caused by the system's error.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        stdin: int | None = DEVNULL,
        stdout: int | None = DEVNULL,
        stderr: int | None = DEVNULL,
        inherited: Sequence[int] = (),
        polite: bool = False,
    ) -> None:
        self.pid = 0
        self._over = False
        try:
            with held(), STARTING:
                GUARD.expect()
                try:
                    check_program(command[0], folder, environment)
                    self._process = subprocess.Popen(
                        limits.around(command, _STARTS[stdin]),
                        bufsize=0,
                        cwd=folder,
                        env=environment,
                        stdin=None if stdin is None else PIPE,
                        stdout=stdout,
                        stderr=stderr,
                        pass_fds=inherited,
                        start_new_session=True,
                    )
                except OSError as error:
                    GUARD.forget(None)
                    raise NotInstalledError(f"{command[0]}: cannot be started: {error.strerror}") from error
                self.pid = self._process.pid
                GUARD.watch(self.pid, polite=polite)
                self._go(to_be_read=stdin == PIPE)
        except BaseException:  # of a signal that was held, too
            if self.pid:
                self.end()
            raise

    def _go(self, *, to_be_read: bool) -> None:
        """Have the program start; its standard input is left open where it is to be read."""
        pipe = self._process.stdin
        if pipe is not None:
            with contextlib.suppress(OSError):  # it has been killed already
                pipe.write(b"\n")
            if not to_be_read:
                with contextlib.suppress(OSError):
                    pipe.close()
                self._process.stdin = None

    @property
    def stdin(self) -> IO[bytes]:
        """Its standard input."""
        return _open(self._process.stdin)

    @property
    def stdout(self) -> IO[bytes]:
        """Its standard output."""
        return _open(self._process.stdout)

    @property
    def stderr(self) -> IO[bytes]:
        """Its standard error."""
        return _open(self._process.stderr)

    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process.poll() is not None

    def wait(self, timeout_s: float) -> int | None:
        """Wait for its end.

        Returns:
            Its exit status, negative for the signal that ended it; None when it still runs.
        """
        try:
            return self._process.wait(timeout=max(timeout_s, 0))
        except subprocess.TimeoutExpired:
            return None

    def terminate(self) -> None:
        """Ask it to end, with ``SIGTERM``."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """Kill its whole group."""
        if not self._over:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> int:
        """Kill what is left of it, and close its pipes; harmless when it has ended.

        Returns:
            Its exit status, negative for the signal that ended it.
        """
        if not self._over:
            self.kill()
            self._process.wait()
            self._over = True  # from here on its number may be another's
            GUARD.forget(self.pid)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        return self._process.wait()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.end()


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("this stream of the child is no pipe")
    return stream


def check_program(program: str | Path, folder: Path | None, environment: Mapping[str, str] | None) -> None:
    """Check what can be known before a program is started; the shell that starts it could only print it.

    Args:
        program: a path, relative to ``folder``, or a name to look for on PATH.
        folder: working folder; None for this process's.
        environment: variables; None for this process's.

    Raises:
        OSError: there is no such program, it may not be executed, or it is neither a program nor a script.
    """
    path = Path(program)
    if len(path.parts) > 1:
        path = (folder or Path()) / path
        path.stat()
    else:
        variables = os.environ if environment is None else environment
        path = Path(shutil.which(program, path=os.pathsep.join(os.get_exec_path(variables))) or _none(program))
    if not path.is_file() or not os.access(path, os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    with contextlib.suppress(PermissionError), path.open("rb") as file:  # a program may be executable and secret
        head = file.read(64)
        if sys.platform == "linux" and not (head[:2] == b"#!" or (head[:4] == b"\x7fELF" and len(head) == 64)):
            raise OSError(errno.ENOEXEC, os.strerror(errno.ENOEXEC))


def _none(program: str | Path) -> NoReturn:
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(program))


def not_started(program: str | Path, said: str) -> OSError | None:
    """Why the system did not start a program that :func:`check_program` found, as its shell says it.

    Args:
        program: as it was called.
        said: what came of it.

    Returns:
        The system's error; None where it was started.
    """
    found = re.match(rf"sh: (?:line )?\d+: (?:exec: )?{re.escape(str(program))}: (.+)", said)
    if found is None:
        return None
    number = errno.ENOENT if found[1].endswith(("not found", "No such file or directory")) else errno.ENOEXEC
    return OSError(number, os.strerror(number))  # FileNotFoundError for ENOENT: a loader or interpreter is missing

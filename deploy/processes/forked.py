"""Makes a call in a forked child, which may end as it likes, and is ended when it takes too long."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
import time
from collections.abc import Callable

from deploy.processes.limits import DEFAULT_LIMITS, Limits
from deploy.processes.output import readable
from deploy.processes.starting import fork

_PR_SET_PDEATHSIG = 1


class ForkedCall:
    """A call in a forked child, which prints nothing and leaves no core file; what it returns is dropped.

    The thread that makes it has to live as long: with it the child ends (Linux).

    Args:
        call: is begun at once.
        limits: bounds of the child's memory and files.
        leads: whether it leads a process group of its own, which Ctrl-C does not reach and which is killed as one.
    """

    def __init__(
        self, call: Callable[[], object], *, limits: Limits = DEFAULT_LIMITS, leads: bool = False
    ) -> None:
        parent = os.getpid()
        self._status: int | None = None
        self._kill = os.killpg if leads else os.kill
        self._child = fork()
        if self._child == 0:
            with contextlib.suppress(BaseException):
                if leads:
                    os.setpgid(0, 0)
                faulthandler.disable()
                limits.apply()
                die_with_parent(parent)
                nowhere = os.open(os.devnull, os.O_RDWR)
                for stream in (0, 1, 2):
                    os.dup2(nowhere, stream)
                call()
            os._exit(0)
        if leads:
            with contextlib.suppress(OSError):  # here, too: whoever comes first
                os.setpgid(self._child, self._child)
        self._end = _end_of(self._child)

    def fatal_signal(self, *, until: float) -> str | None:
        """Wait for its end.

        Args:
            until: value of the monotonic clock at which the child is killed.

        Returns:
            The name of the signal that ended it (``SIGABRT``), or None when the call returned or raised.

        Raises:
            TimeoutError: it did not end in time.
        """
        if not self.wait(until - time.monotonic()):
            self.kill()
            raise TimeoutError
        status = self._status or 0
        return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else None

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; whether it came in time."""
        deadline, pause = time.monotonic() + timeout_s, 0.001
        while not self.ended():
            left = deadline - time.monotonic()
            if left < 0:
                return False
            if self._end is not None:
                readable(self._end, left)
            else:
                time.sleep(pause)
                pause = min(2 * pause, 0.05)
        return True

    def ended(self) -> bool:
        """Whether it has ended."""
        return self._has_ended(os.WNOHANG)

    def kill(self) -> None:
        """End it, if it has not ended yet."""
        if not self.ended():
            self._kill(self._child, signal.SIGKILL)
            self._has_ended(0)

    def end(self) -> None:
        """As :meth:`kill`; what a program started by :class:`~deploy.processes.child.Child` is ended with."""
        self.kill()

    def _has_ended(self, options: int) -> bool:
        if self._status is None:
            ended, status = os.waitpid(self._child, options)
            self._status = status if ended else None
            if ended and self._end is not None:
                os.close(self._end)
                self._end = None
        return self._status is not None


def _end_of(child: int) -> int | None:
    """A descriptor that can be read once a child has ended (Linux); None where there is none."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return os.pidfd_open(child)
    return None


def die_with_parent(parent: int) -> None:
    """In a fork: have the kernel kill it when its parent ends (Linux).

    The parent is the *thread* that made the fork: this is for threads that wait for its end.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it has ended already
            os.kill(os.getpid(), signal.SIGKILL)

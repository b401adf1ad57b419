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

from deploy.processes.limits import DEFAULT_LIMITS
from deploy.processes.output import readable
from deploy.processes.starting import fork

_PR_SET_PDEATHSIG = 1


class ForkedCall:
    """A call in a forked child, which prints nothing and leaves no core file; what it returns is dropped.

    The thread that makes it has to live as long: with it the child ends (Linux).

    Args:
        call: is begun at once.
    """

    def __init__(self, call: Callable[[], object]) -> None:
        parent = os.getpid()
        self._status: int | None = None
        self._child = fork()
        if self._child == 0:
            with contextlib.suppress(BaseException):
                faulthandler.disable()
                DEFAULT_LIMITS.apply()
                die_with_parent(parent)
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 1)
                os.dup2(nowhere, 2)
                call()
            os._exit(0)
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
        pause = 0.001
        while not self._ended():
            left = until - time.monotonic()
            if left < 0:
                self.kill()
                raise TimeoutError
            if self._end is not None:
                readable(self._end, left)
            else:
                time.sleep(pause)
                pause = min(2 * pause, 0.05)
        status = self._status or 0
        return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else None

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not self._ended()

    def kill(self) -> None:
        """End it, if it has not ended yet."""
        if not self._ended():
            os.kill(self._child, signal.SIGKILL)
            self._ended(0)

    def _ended(self, options: int = os.WNOHANG) -> bool:
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

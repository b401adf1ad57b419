"""Makes a call in a forked child, which may end as it likes, and is ended with all that it has forked."""

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
from deploy.processes.starting import fork

_PR_SET_PDEATHSIG = 1
_PAUSE_S = 0.001


class ForkedCall:
    """A call in a forked child, which prints nothing and leaves no core file; what it returns is dropped.

    The child leads a process group of its own, which Ctrl-C does not reach. The thread that makes it has to live
    as long: with it the child ends (Linux).

    Args:
        call: is begun at once.
        limits: bounds of the child's memory and files.
    """

    def __init__(self, call: Callable[[], object], *, limits: Limits = DEFAULT_LIMITS) -> None:
        parent = os.getpid()
        self._over = False
        self._child = fork()
        if self._child == 0:
            with contextlib.suppress(BaseException):
                os.setpgid(0, 0)
                faulthandler.disable()
                limits.apply()
                die_with_parent(parent)
                nowhere = os.open(os.devnull, os.O_RDWR)
                for stream in (0, 1, 2):
                    os.dup2(nowhere, stream)
                call()
            os._exit(0)
        with contextlib.suppress(OSError):  # here, too: whoever comes first
            os.setpgid(self._child, self._child)

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; whether it came in time."""
        deadline = time.monotonic() + timeout_s
        while not self.ended() and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)
        return self.ended()

    def ended(self) -> bool:
        """Whether it has ended."""
        return self._has_ended(os.WNOHANG)

    def kill(self) -> None:
        """End its group, if it has not ended yet."""
        if not self.ended():
            os.killpg(self._child, signal.SIGKILL)
            self._has_ended(0)

    def end(self) -> None:
        """As :meth:`kill`; what a program started by :class:`~deploy.processes.child.Child` is ended with."""
        self.kill()

    def _has_ended(self, options: int) -> bool:
        self._over = self._over or os.waitpid(self._child, options)[0] != 0
        return self._over


def die_with_parent(parent: int) -> None:
    """In a fork: have the kernel kill it when its parent ends (Linux).

    The parent is the *thread* that made the fork: this is for threads that wait for its end.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it has ended already
            os.kill(os.getpid(), signal.SIGKILL)

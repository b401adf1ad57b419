"""Tries a call in a forked child first: libraries in C++ end the whole process where they should raise."""

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

_PR_SET_PDEATHSIG = 1


def fatal_signal(call: Callable[[], object], *, timeout_s: float) -> str | None:
    """How a call ends the process that makes it.

    Args:
        call: made in a child that prints nothing and leaves no core file; what it returns or raises is dropped.
        timeout_s: after this many seconds the child is killed.

    Returns:
        The name of the signal (``SIGABRT``), or None when the call returns or raises.

    Raises:
        TimeoutError: the call did not end in time.
    """
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            faulthandler.disable()
            DEFAULT_LIMITS.apply()
            die_with_parent(parent)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            call()
        os._exit(0)
    deadline = time.monotonic() + timeout_s
    pause = 0.001
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise TimeoutError
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
    return signal.Signals(os.WTERMSIG(ended[1])).name if os.WIFSIGNALED(ended[1]) else None


def die_with_parent(parent: int) -> None:
    """In a fork: have the kernel kill it when its parent ends (Linux).

    The parent is the *thread* that made the fork: this is for threads that wait for its end.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it has ended already
            os.kill(os.getpid(), signal.SIGKILL)

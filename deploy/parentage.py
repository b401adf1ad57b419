"""Ties a child process to its parent: no orphan stays behind when the parent is killed (Linux)."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1
# Loaded here: a child between fork and exec had better not load anything.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

SUPPORTED = _libc is not None
"""Whether the kernel offers it."""


def die_with_parent(with_signal: signal.Signals = signal.SIGKILL) -> None:
    """In the child, before it executes anything: have the kernel send it a signal when its parent ends.

    Does nothing where the kernel does not offer it, see :data:`SUPPORTED`.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, with_signal)

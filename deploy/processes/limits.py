"""What bounds a child process, and what ties it to its parent: system calls between fork and exec."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass

_PR_SET_PDEATHSIG = 1
# Loaded here: a child between fork and exec had better not load anything.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

SUPPORTED = _libc is not None
"""Whether the kernel ties a child to its parent (Linux)."""

GIB = 1024**3
FILE_BYTES = 2 * GIB
"""The largest file of a child: no TFLite file is larger, since offsets in a flatbuffer have 31 bits."""


def computer_memory() -> int:
    """Bytes of memory that this computer has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


MEMORY_BYTES = max(4 * GIB, computer_memory() * 3 // 4)
"""Private memory of a child: what it needs grows with the model, so a user's computer is the bound. A child that
wants more fails by itself, before the computer swaps or the kernel picks a victim."""


@dataclass(frozen=True)
class Limits:
    """Bounds of a child process; those that hold already and are tighter stay.

    Memory is bounded by ``RLIMIT_DATA``: what a process maps privately and may write, which since Linux 4.7 is
    heap, anonymous maps and stacks of threads. ``RLIMIT_AS`` would count addresses, which TensorFlow (1.4 GB after
    its import, where 0.3 GB are data; measured) and QEMU (its machine's memory) reserve freely and never use; a
    watch on resident memory would poll, and come too late for what grows fast. The limit holds for each process of
    the child by itself, and not for memory that it shares, such as QEMU's DDR. macOS accepts it and ignores it.

    Attributes:
        memory_bytes: private memory; a request beyond fails (``MemoryError``, ``std::bad_alloc``).
        file_bytes: size of a file that it writes; the write beyond fails, or ends it with ``SIGXFSZ``.
    """

    memory_bytes: int = MEMORY_BYTES
    file_bytes: int = FILE_BYTES

    def apply(self) -> None:
        """In the child: set them, for itself and its own children. No core files are written, either."""
        for which, wanted in (
            (resource.RLIMIT_DATA, self.memory_bytes),
            (resource.RLIMIT_FSIZE, self.file_bytes),
            (resource.RLIMIT_CORE, 0),
        ):
            soft, hard = resource.getrlimit(which)
            resource.setrlimit(which, (wanted if soft == resource.RLIM_INFINITY else min(wanted, soft), hard))


DEFAULT_LIMITS = Limits()


def die_with_parent(parent: int, with_signal: signal.Signals = signal.SIGKILL) -> None:
    """In the child: have the kernel send it a signal when its parent ends.

    The parent is the *thread* that made the child: this is for threads that wait for its end. Does nothing where
    the kernel does not offer it, see :data:`SUPPORTED`.

    Args:
        parent: the parent's process number.
        with_signal: what is sent.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, with_signal)
        if os.getppid() != parent:  # it has ended already
            os.kill(os.getpid(), with_signal)

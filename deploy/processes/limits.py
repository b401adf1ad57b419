"""What bounds a child process."""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

GIB = 1024**3
FILE_BYTES = 2 * GIB
"""The largest file of a child: no TFLite file is larger, since offsets in a flatbuffer have 31 bits."""


def computer_memory() -> int:
    """Bytes of memory that this computer has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


MEMORY_BYTES = max(4 * GIB, computer_memory() * 3 // 4)
"""Private memory of a child: what it needs grows with the model, so a user's computer is the bound. A child that
wants more fails by itself, before the computer swaps or the kernel picks a victim."""


_ULIMIT = {resource.RLIMIT_DATA: ("d", 1024), resource.RLIMIT_FSIZE: ("f", 512), resource.RLIMIT_CORE: ("c", 512)}
"""The shell's letter and unit of each bound, in bytes."""


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
        """Bound this process and its children to come. No core files are written, either."""
        for which, bounds in self._bounds():
            resource.setrlimit(which, bounds)

    def around(self, command: Sequence[str | Path], start: str = 'exec "$@"') -> list[str | Path]:
        """A command that starts the given one with these bounds.

        The shell bounds itself and becomes the program, so there is no moment without. A function of Python's in
        the fork (``preexec_fn``) would copy this process for every start, and wait for its threads of NumPy.

        Args:
            command: program and arguments.
            start: how the shell becomes the program.
        """
        units = {
            resource.RLIMIT_DATA: ("d", 1024),
            resource.RLIMIT_FSIZE: ("f", 512),
            resource.RLIMIT_CORE: ("c", 1),
        }
        bounds = (
            f"ulimit -S -{units[which][0]} {soft // units[which][1]}; " for which, (soft, _) in self._bounds()
        )
        return ["/bin/sh", "-c", f"{''.join(bounds)}{start}", "sh", *command]

    def _bounds(self) -> list[tuple[int, tuple[int, int]]]:
        wanted = {
            resource.RLIMIT_DATA: self.memory_bytes,
            resource.RLIMIT_FSIZE: self.file_bytes,
            resource.RLIMIT_CORE: 0,
        }
        return [(which, _tighter(limit, *resource.getrlimit(which))) for which, limit in wanted.items()]


def _tighter(wanted: int, soft: int, hard: int) -> tuple[int, int]:
    return min([wanted, *(bound for bound in (soft, hard) if bound != resource.RLIM_INFINITY)]), hard


DEFAULT_LIMITS = Limits()

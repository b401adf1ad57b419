"""Bytes inside the QEMU process, from any thread, for as long as they are not let go of."""

from __future__ import annotations

import os
import threading

from deploy.corstone.gdb_remote import ConnectionLostError


class ProcessMemory:
    """An open ``/proc/PID/mem``.

    One thread may let go of it while another one reads: what comes later is an error, and never reaches the file
    that has got the descriptor's number since.

    Args:
        pid: the process.

    Raises:
        OSError: it is gone, or somebody (a sandbox) does not let us look.
    """

    def __init__(self, pid: int) -> None:
        self._file = open(f"/proc/{pid}/mem", "r+b", buffering=0)  # noqa: PTH123, SIM115 - closed by close
        self._lock = threading.Lock()

    def read(self, address: int, size: int) -> bytes:
        """Read bytes at an address of the process; fewer, or none, of one that has ended.

        Raises:
            TargetError: it was let go of.
            OSError: there is no memory.
        """
        with self._lock:
            return os.pread(self._descriptor(), size, address)

    def write(self, address: int, content: bytes) -> int:
        """Write bytes at an address of the process; returns how many, which are fewer once it has ended.

        Raises:
            TargetError: it was let go of.
            OSError: there is no memory, or somebody lets us look but not write.
        """
        with self._lock:
            return os.pwrite(self._descriptor(), content, address)

    def close(self) -> None:
        """Let go of it; harmless once more."""
        with self._lock:
            self._file.close()

    def _descriptor(self) -> int:
        if self._file.closed:
            raise ConnectionLostError("the machine was ended")
        return self._file.fileno()

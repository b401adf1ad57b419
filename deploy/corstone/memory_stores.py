"""Three ways to the bytes of one memory of QEMU's; see :mod:`deploy.corstone.memory`."""

from __future__ import annotations

import errno
import mmap
import os

from deploy.corstone.gdb_remote import ConnectionLostError
from deploy.corstone.process_memory import ProcessMemory
from deploy.corstone.qtest import QtestConnection
from deploy.corstone.shared_file import SharedFile


class SharedStore:
    """Memory that QEMU maps from a file that is mapped here too."""

    def __init__(self, file: SharedFile, size: int) -> None:
        self._file = file
        self.mapping = mmap.mmap(file.descriptor, size)

    def read(self, offset: int, size: int) -> bytes:
        """Read bytes."""
        return self.mapping[offset : offset + size]

    def write(self, offset: int, content: bytes) -> None:
        """Write bytes."""
        self.mapping[offset : offset + len(content)] = content

    def written(self) -> list[tuple[int, int]]:
        """The parts that may hold something else than 0: offset and bytes of each.

        Raises:
            OSError: the file was closed.
        """
        size = len(self.mapping)
        if not hasattr(os, "SEEK_DATA"):
            return [(0, size)]
        parts, end = [], 0
        while end < size:
            try:
                start = os.lseek(self._file.descriptor, end, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:  # there is nothing more
                    raise
                break
            end = os.lseek(self._file.descriptor, start, os.SEEK_HOLE)
            parts.append((start, end - start))
        return parts


class ProcessStore:
    """A memory block inside the QEMU process; of one that has ended the system reads and writes nothing.

    Args:
        process: its memory.
        chips: host address of each equal piece of the block, in order.
        chip_size: bytes of a piece.
    """

    def __init__(self, process: ProcessMemory, chips: tuple[int, ...], chip_size: int) -> None:
        self._process = process
        self._chips = chips
        self._chip_size = chip_size

    def read(self, offset: int, size: int) -> bytes:
        """Read bytes.

        Raises:
            TargetError: QEMU has ended, or its memory was let go of.
        """
        pieces = self._pieces(offset, size)
        content = b"".join(self._process.read(host, count) for host, _, count in pieces)
        if len(content) < size:
            raise ConnectionLostError("QEMU ended while its memory was read")
        return content

    def write(self, offset: int, content: bytes) -> None:
        """Write bytes.

        Raises:
            TargetError: QEMU has ended, or its memory was let go of.
        """
        for host, start, count in self._pieces(offset, len(content)):
            if self._process.write(host, content[start : start + count]) < count:
                raise ConnectionLostError("QEMU ended while its memory was written")

    def _pieces(self, offset: int, size: int) -> list[tuple[int, int, int]]:
        """Split a range at the borders of the chips: (host address, start in the range, count)."""
        pieces = []
        start = 0
        while start < size:
            chip, inside = divmod(offset + start, self._chip_size)
            count = min(size - start, self._chip_size - inside)
            pieces.append((self._chips[chip] + inside, start, count))
            start += count
        return pieces


class QtestStore:
    """A memory block through QEMU's test protocol; works on every platform."""

    def __init__(self, qtest: QtestConnection, base: int) -> None:
        self._qtest = qtest
        self._base = base

    def read(self, offset: int, size: int) -> bytes:
        """Read bytes."""
        return self._qtest.read(self._base + offset, size)

    def write(self, offset: int, content: bytes) -> None:
        """Write bytes."""
        self._qtest.write(self._base + offset, content)

"""The machine's memories from outside: DDR is shared, the small ones are reached inside the QEMU process.

Three ways, fastest first (measured on Debian's QEMU 7.2): DDR is a file that both map; on Linux the other
memories are read and written through ``/proc/PID/mem`` (GB/s), where their host addresses are found by a random
value written into each; elsewhere through the qtest protocol (tens of MB/s).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from deploy.corstone.flash_memory import FlashStore
from deploy.corstone.memory_map import MemoryMap, Place
from deploy.corstone.memory_stores import ProcessStore, QtestStore, SharedStore
from deploy.corstone.qtest import QtestConnection, write_line
from deploy.errors import TargetError
from deploy.hardware.boards import BoardMemory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deploy.corstone.cpu import Cpu

_MAGIC_SIZE = 16
_PAGE = 4096
"""Bytes that are compared and written at a time; every block, and every part of DDR's file, has whole ones."""


class GuestMemory:
    """All memories of a stopped machine, by absolute address; also the NPU's view of them.

    Args:
        memories: what is where.
        ddr_file: descriptor of the file that backs DDR.
        qtest: connection to QEMU's test protocol.
        pid: the QEMU process.
        cpu: that reaches what QEMU keeps it from writing; None where that memory is only read.
        portable: do without ``/proc/PID/mem``.
    """

    def __init__(
        self,
        memories: MemoryMap,
        ddr_file: int,
        qtest: QtestConnection,
        pid: int,
        *,
        cpu: Cpu | None = None,
        portable: bool = False,
    ) -> None:
        self._memories = memories
        self._qtest = qtest
        self._descriptor = -1
        self._ddr = SharedStore(ddr_file, memories.ddr.open_size)
        self._stores: dict[str, SharedStore | ProcessStore | QtestStore | FlashStore] = {
            memories.ddr.name: self._ddr
        }
        self._cpu = cpu
        small = [block for block in memories.blocks if block is not memories.ddr and not block.open_rom]
        hosts = None if portable else self._host_addresses(small, qtest, pid)
        if hosts is not None:
            for block in small:
                self._stores[block.name] = ProcessStore(self._descriptor, hosts[block.name], block.open_piece)
        for block in memories.blocks:
            # The secure alias: the machine starts secure, and the other one may be blocked.
            store = QtestStore(qtest, block.bases[-1])
            # What the CPU cannot write is not found by a value written into it, either.
            if block.open_rom and cpu is not None:
                self._stores[block.name] = FlashStore(block.name, cpu, block.bases, store.read)
            self._stores.setdefault(block.name, store)
        self._staged: dict[str, tuple[NDArray[np.uint8], bytes]] = {}
        self._unseen: dict[str, set[int]] = {block.name: set() for block in memories.blocks}
        """The pages of each block that were written without QEMU seeing it, or against its will."""

    @property
    def direct(self) -> bool:
        """Whether the small memories are reached inside the QEMU process."""
        return self._descriptor >= 0

    def read(self, address: int, size: int) -> bytes:
        """Read bytes at an absolute address.

        Raises:
            TargetError: there is no memory.
        """
        place = self._located(address, size)
        return self._stores[place.block.name].read(place.offset, size)

    def write(self, address: int, content: bytes) -> None:
        """Write bytes at an absolute address.

        Raises:
            TargetError: there is no memory.
        """
        place = self._located(address, len(content))
        self._write_unseen(place.block.name, place.offset, content)

    def plain(self, address: int, size: int) -> bytes | None:
        """Read bytes of memory that the CPU writes by itself; None where there is none."""
        place = self._memories.locate(address, size)
        return (
            None
            if place is None or place.block.open_rom
            else self._stores[place.block.name].read(place.offset, size)
        )

    def as_loaded(self, address: int) -> bool:
        """Whether what lies there is in memory that the CPU does not write by itself, and nobody has either."""
        place = self._memories.locate(address, 1)
        return (
            place is not None
            and place.block.open_rom
            and place.offset // _PAGE not in self._unseen[place.block.name]
        )

    def store(self, address: int, content: bytes) -> None:
        """What the CPU stores into memory that QEMU keeps it from writing, by the alias that it took.

        What an MPC forbids has no effect; on the board it is a bus fault.

        Raises:
            TargetError: there is no memory.
        """
        assert self._cpu is not None  # noqa: S101
        place = self._located(address, len(content))
        self._cpu.store(address, content)
        self._note(place.block.name, place.offset, len(content))

    def window(self, address: int) -> NDArray[np.uint8] | None:
        """What the NPU reaches from an address on: a writable view to the end of the block, None for nothing.

        Small memories are copied; ``commit`` writes back what changed. A copy of flash memory, which is large and
        seldom written, is kept until then.
        """
        import numpy as np

        place = self._memories.locate(address)
        if place is None or not place.memory.npu:
            return None
        block, offset = place.block, place.offset
        if block is self._memories.ddr:
            return np.frombuffer(self._ddr.mapping, dtype=np.uint8, offset=offset)
        if block.name not in self._staged:
            content = self._stores[block.name].read(0, block.open_size)
            self._staged[block.name] = (np.frombuffer(bytearray(content), dtype=np.uint8), content)
        return self._staged[block.name][0][offset:]

    def commit(self) -> None:
        """Write what the NPU changed in copied memories back, page by page."""
        import numpy as np

        kept = {block.name for block in self._memories.blocks if block.open_rom}
        for name, (staged, before) in list(self._staged.items()):
            original = np.frombuffer(before, dtype=np.uint8)
            changed = (staged.reshape(-1, _PAGE) != original.reshape(-1, _PAGE)).any(axis=1)
            if name not in kept:
                del self._staged[name]
            for first, last in _runs(changed):
                self._write_unseen(name, first * _PAGE, staged[first * _PAGE : last * _PAGE].tobytes())

    def load(self, address: int, content: bytes) -> None:
        """Write bytes that may be code, where :meth:`restore` has been.

        Raises:
            TargetError: there is no memory.
        """
        place = self._located(address, len(content))
        if place.block is self._memories.ddr or place.block.open_rom:
            self.write(address, content)  # all that anybody saw of it, QEMU was told to forget, or is now
        else:
            self._qtest.write(place.block.bases[-1] + place.offset, content)

    def restore(self, loaded: Sequence[tuple[int, bytes]]) -> None:
        """Make memory that of a new machine; for a machine that was just reset, whose memory is all reached.

        The CPU's own way to memory is taken: QEMU keeps translated code, and has to know which of it is gone. The
        small memories are compared first, and only what differs is written: the code of everything else stays.

        Args:
            loaded: address and bytes of what is in it; every other byte is 0.

        Raises:
            TargetError: there is no memory for one of them.
        """
        self._staged.clear()
        places = [(self._located(address, len(content)), content) for address, content in loaded]
        for block in self._memories.blocks:
            here = [(place.offset, content) for place, content in places if place.block is block]
            if block is self._memories.ddr:
                for offset, size in self._ddr.written():
                    self._qtest.clear(block.bases[-1] + offset, size)
                for offset, content in here:
                    self._qtest.write(block.bases[-1] + offset, content)
            elif block.open_rom:  # nothing is loaded there but by QEMU, and that for good
                for page in sorted(self._unseen[block.name]):
                    self._stores[block.name].write(page * _PAGE, bytes(_PAGE))
            else:
                self._restore(block, here)
            self._unseen[block.name].clear()

    def _restore(self, block: BoardMemory, loaded: Sequence[tuple[int, bytes]]) -> None:
        import numpy as np

        wanted = np.zeros(block.open_size, dtype=np.uint8)
        for offset, content in loaded:
            wanted[offset : offset + len(content)] = np.frombuffer(content, dtype=np.uint8)
        pages = wanted.reshape(-1, _PAGE)
        store = self._stores[block.name]
        if isinstance(store, QtestStore):  # to read it costs as much as to write it
            differs = np.ones(len(pages), dtype=np.bool_)
        else:
            differs = (
                np.frombuffer(store.read(0, block.open_size), dtype=np.uint8).reshape(-1, _PAGE) != pages
            ).any(axis=1)
            # What was translated before such a write is of other code, though the bytes be the same again.
            differs[list(self._unseen[block.name])] = True
        filled = pages.any(axis=1)
        for first, last in _runs(differs & filled):
            self._qtest.write(block.bases[-1] + first * _PAGE, pages[first:last].tobytes())
        for first, last in _runs(differs & ~filled):
            self._qtest.clear(block.bases[-1] + first * _PAGE, (last - first) * _PAGE)

    def _write_unseen(self, name: str, offset: int, content: bytes) -> None:
        self._stores[name].write(offset, content)
        if name != self._memories.ddr.name:
            self._note(name, offset, len(content))

    def _note(self, name: str, offset: int, size: int) -> None:
        self._unseen[name].update(range(offset // _PAGE, (offset + size + _PAGE - 1) // _PAGE))
        if isinstance(self._stores[name], FlashStore):
            self._staged.pop(name, None)

    def close(self) -> None:
        """Let go of the process's memory."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _located(self, address: int, size: int) -> Place:
        place = self._memories.locate(address, max(size, 1))
        if place is None:
            raise TargetError(f"no memory at 0x{address:08x} ({size} bytes)")
        return place

    def _host_addresses(
        self, blocks: list[BoardMemory], qtest: QtestConnection, pid: int
    ) -> dict[str, tuple[int, ...]] | None:
        """Find where QEMU keeps each piece of each block: a random value is written, found and removed."""
        if sys.platform != "linux":
            return None
        chips = [
            (block, index, block.bases[-1] + (index + 1) * block.open_piece - _MAGIC_SIZE)
            for block in blocks
            for index in range(block.open_size // block.open_piece)
        ]
        magics = [os.urandom(_MAGIC_SIZE) for _ in chips]
        places = [(address, _MAGIC_SIZE) for _, _, address in chips]
        try:
            self._descriptor = os.open(f"/proc/{pid}/mem", os.O_RDWR)
        except OSError:
            return None
        before = qtest.exchange(places)
        qtest.request(*(write_line(address, magic) for (address, _), magic in zip(places, magics, strict=True)))
        found = self._search({block.open_piece for block in blocks}, set(magics), pid)
        if not (len(found) == len(magics) and self._restored(found, magics, before, chips, qtest)):
            # Not all found, or somebody (a sandbox) lets us look but not write: do it the portable way.
            qtest.request(*(write_line(address, old) for (address, _), old in zip(places, before, strict=True)))
            self.close()
            return None
        hosts: dict[str, tuple[int, ...]] = {}
        for (block, _, _), magic in zip(chips, magics, strict=True):
            hosts[block.name] = (*hosts.get(block.name, ()), found[magic])
        return hosts

    def _restored(
        self,
        found: dict[bytes, int],
        magics: list[bytes],
        before: list[bytes],
        chips: list[tuple[BoardMemory, int, int]],
        qtest: QtestConnection,
    ) -> bool:
        """Put back what the random values replaced, the direct way; returns whether the CPU sees it."""
        try:
            for (block, _, _), magic, old in zip(chips, magics, before, strict=True):
                os.pwrite(self._descriptor, old, found[magic] + block.open_piece - _MAGIC_SIZE)
        except OSError:
            return False
        return qtest.exchange([(address, _MAGIC_SIZE) for _, _, address in chips]) == before

    def _search(self, sizes: set[int], magics: set[bytes], pid: int) -> dict[bytes, int]:
        """Host address of the piece that ends with each random value."""
        found = {}
        try:
            with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:  # noqa: PTH123
                for line in maps:
                    first, last = (int(part, 16) for part in line.split(" ", 1)[0].split("-"))
                    if last - first in sizes and "rw" in line:
                        tail = os.pread(self._descriptor, _MAGIC_SIZE, last - _MAGIC_SIZE)
                        if tail in magics:
                            found[tail] = first
        except OSError:
            return {}
        return found


def _runs(pages: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and end of each run of pages that are marked."""
    import numpy as np

    borders = np.flatnonzero(np.diff(np.concatenate(([0], pages.view(np.int8), [0]))))
    return [(first, last) for first, last in borders.reshape(-1, 2).tolist()]

"""The machine's memories from outside: DDR is shared, the small ones are reached inside the QEMU process.

Three ways, fastest first (measured on Debian's QEMU 7.2): DDR is a file that both map; on Linux the other
memories are read and written through ``/proc/PID/mem`` (GB/s), where their host addresses are found by a random
value written into each (:mod:`deploy.corstone.memory_hosts`); elsewhere through the qtest protocol (tens of MB/s).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deploy.corstone.flash_memory import FlashStore
from deploy.corstone.memory_hosts import find_hosts
from deploy.corstone.memory_map import MemoryMap, Place
from deploy.corstone.memory_stores import ProcessStore, QtestStore, SharedStore
from deploy.corstone.qtest import QtestConnection
from deploy.corstone.shared_file import SharedFile
from deploy.errors import TargetError
from deploy.hardware.boards import BoardMemory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deploy.corstone.cpu import Cpu

_PAGE = 4096
"""Bytes that are compared and written at a time; every block, and every part of DDR's file, has whole ones."""
_COMPARED = 4 * 1024 * 1024
"""Bytes of a memory that are looked at together, in whole pages."""


class GuestMemory:
    """All memories of a stopped machine, by absolute address; also the NPU's view of them.

    Args:
        memories: what is where.
        ddr_file: the file that backs DDR.
        qtest: connection to QEMU's test protocol.
        pid: the QEMU process.
        cpu: that reaches what QEMU keeps it from writing; None where that memory is only read.
        portable: do without ``/proc/PID/mem``.
    """

    def __init__(
        self,
        memories: MemoryMap,
        ddr_file: SharedFile,
        qtest: QtestConnection,
        pid: int,
        *,
        cpu: Cpu | None = None,
        portable: bool = False,
    ) -> None:
        self._memories = memories
        self._qtest = qtest
        self._ddr = SharedStore(ddr_file, memories.ddr.open_size)
        self._stores: dict[str, SharedStore | ProcessStore | QtestStore | FlashStore] = {
            memories.ddr.name: self._ddr
        }
        self._cpu = cpu
        small = [block for block in memories.blocks if block is not memories.ddr and not block.open_rom]
        self._hosts = None if portable else find_hosts(small, qtest, pid)
        if self._hosts is not None:
            for block in small:
                chips = self._hosts.chips[block.name]
                self._stores[block.name] = ProcessStore(self._hosts.process, chips, block.open_piece)
        for block in memories.blocks:
            # The secure alias: the machine starts secure, and the other one may be blocked.
            store = QtestStore(qtest, block.bases[-1])
            # What the CPU cannot write is not found by a value written into it, either.
            if block.open_rom and cpu is not None:
                self._stores[block.name] = FlashStore(block.name, cpu, block.bases, store.read)
            self._stores.setdefault(block.name, store)
        self._staged: dict[str, tuple[NDArray[np.uint8], bytes]] = {}
        self._unseen = {block.name: bytearray(block.open_size // _PAGE) for block in memories.blocks}
        """Of each page of each block, whether it was written without QEMU seeing it, or against its will."""
        self._reached = memories.ddr.open_size
        """Offset in DDR from which on the NPU, whose accesses QEMU does not see either, may have written."""

    @property
    def direct(self) -> bool:
        """Whether the small memories are reached inside the QEMU process."""
        return self._hosts is not None

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
            and not self._unseen[place.block.name][place.offset // _PAGE]
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
            self._reached = min(self._reached, offset)
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
        """Write bytes that may be code, between :meth:`restore` and a run.

        Raises:
            TargetError: there is no memory.
        """
        place = self._located(address, len(content))
        block, offset = place.block, place.offset
        told = block is self._memories.ddr and all(self._unseen[block.name][_pages(offset, len(content))])
        if told or block.open_rom:
            self.write(address, content)
        else:
            self._replace(block, offset, content)
            if block is self._memories.ddr:
                self._note(block.name, offset, len(content))

    def restore(self, loaded: Sequence[tuple[int, bytes]]) -> None:
        """Make memory that of a new machine; for a machine that was just reset, whose memory is all reached.

        The CPU's own way to memory is taken: QEMU keeps translated code, and has to know which of it is gone.
        Memory is compared first, and only what differs is written: the code of everything else stays.

        Args:
            loaded: address and bytes of what is in it; every other byte is 0.

        Raises:
            TargetError: there is no memory for one of them, or QEMU has ended.
        """
        import numpy as np

        self._staged.clear()
        places = [(self._located(address, len(content)), content) for address, content in loaded]
        for block in self._memories.blocks:
            here = [(place.offset, content) for place, content in places if place.block is block]
            if block.open_rom:  # nothing is loaded there but by QEMU, and that for good
                for page in np.flatnonzero(np.frombuffer(self._unseen[block.name], np.bool_)).tolist():
                    self._stores[block.name].write(page * _PAGE, bytes(_PAGE))
            else:
                for offset, size in self._filled(block, here):
                    self._restore(block, offset, size, here)
            if block is not self._memories.ddr:  # of DDR's QEMU is told every time, so that load need not
                self._unseen[block.name] = bytearray(block.open_size // _PAGE)
        self._reached = self._memories.ddr.open_size

    def _filled(self, block: BoardMemory, loaded: Sequence[tuple[int, bytes]]) -> list[tuple[int, int]]:
        """The parts of a memory that are not 0, or are not to be: offset and bytes of each, apart, whole pages."""
        parts = [(0, block.open_size)]
        if block is self._memories.ddr:
            parts = self._ddr.written() + [(offset, len(content)) for offset, content in loaded]
        found: list[tuple[int, int]] = []
        end = 0
        for offset, size in sorted(parts):
            pages = _pages(offset, size)
            start, end = max(pages.start * _PAGE, end), max(pages.stop * _PAGE, end)
            found += [(piece, min(_COMPARED, end - piece)) for piece in range(start, end, _COMPARED)]
        return found

    def _restore(self, block: BoardMemory, start: int, size: int, loaded: Sequence[tuple[int, bytes]]) -> None:
        import numpy as np

        store, base = self._stores[block.name], block.bases[-1] + start
        # What was translated before such a write is of other code, though the bytes be the same again.
        differs = np.frombuffer(self._unseen[block.name][_pages(start, size)], np.bool_)
        if block is self._memories.ddr:
            differs[max(self._reached - start, 0) // _PAGE :] = True
        elif isinstance(store, QtestStore):  # to read it costs as much as to write it
            differs[:] = True
        overlapping = [each for each in loaded if each[0] < start + size and start < each[0] + len(each[1])]
        if not overlapping and differs.all():
            self._qtest.clear(base, size)
            return
        wanted = np.zeros(size, np.uint8)
        for offset, content in overlapping:
            first, last = max(offset, start), min(offset + len(content), start + size)
            wanted[first - start : last - start] = np.frombuffer(content, np.uint8)[first - offset : last - offset]
        pages = wanted.view(np.uint64).reshape(len(differs), -1)
        if not differs.all():
            current = np.frombuffer(store.read(start, size), np.uint64)
            differs |= (current.reshape(pages.shape) != pages).any(axis=1)
        filled = pages.any(axis=1)
        for first, last in _runs(differs & filled):
            self._replace(block, start + first * _PAGE, pages[first:last].tobytes())
        for first, last in _runs(differs & ~filled):
            self._qtest.clear(base + first * _PAGE, (last - first) * _PAGE)

    def _replace(self, block: BoardMemory, offset: int, content: bytes) -> None:
        """Write what may be code, so that QEMU forgets what it knows of what was there."""
        address = block.bases[-1] + offset
        if block is self._memories.ddr:  # 50 MB cost QEMU half a second to decode, and nothing to forget
            self._qtest.clear(address, len(content))
            self._ddr.write(offset, content)
        else:
            self._qtest.write(address, content)

    def _write_unseen(self, name: str, offset: int, content: bytes) -> None:
        self._stores[name].write(offset, content)
        self._note(name, offset, len(content))

    def _note(self, name: str, offset: int, size: int) -> None:
        pages = _pages(offset, size)
        self._unseen[name][pages] = b"\1" * (pages.stop - pages.start)
        if isinstance(self._stores[name], FlashStore):
            self._staged.pop(name, None)

    def close(self) -> None:
        """Let go of the process's memory."""
        if self._hosts is not None:
            self._hosts.process.close()

    def _located(self, address: int, size: int) -> Place:
        place = self._memories.locate(address, max(size, 1))
        if place is None:
            raise TargetError(f"no memory at 0x{address:08x} ({size} bytes)")
        return place


def _pages(offset: int, size: int) -> slice:
    """The pages that some bytes of a memory lie in; none for no bytes."""
    first = offset // _PAGE
    return slice(first, -(-(offset + size) // _PAGE) if size else first)


def _runs(pages: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and end of each run of pages that are marked."""
    import numpy as np

    borders = np.flatnonzero(np.diff(np.concatenate(([0], pages.view(np.int8), [0]))))
    return [(first, last) for first, last in borders.reshape(-1, 2).tolist()]

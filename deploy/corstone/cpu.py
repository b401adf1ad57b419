"""The CPU as QEMU's gdbstub shows it: registers, running and standing still."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from deploy.corstone.access import PC, XPSR
from deploy.corstone.gdb_remote import GdbConnection
from deploy.errors import TargetError

_STOP_TIMEOUT_S = 2.0
_COUNT = XPSR + 1
_PIECE = 1024
"""Bytes of memory in a packet of gdb, which has two digits for each and QEMU limits to 4 KB."""
# QEMU's Cortex-M description numbers r0 to r15 as the architecture does, and xPSR 25.
_GDB_XPSR = 25
_THUMB = 1
"""Of an address to go on at: what lies there is Thumb code, as all of a Cortex-M's is."""


class Cpu:
    """A CPU that stands still at first."""

    def __init__(self, gdb: GdbConnection) -> None:
        self.gdb = gdb
        self.running = False
        self._running_since = 0.0
        self._ran_s = 0.0

    @property
    def ran_s(self) -> float:
        """Seconds that the CPU has run: what its timers see."""
        return self._ran_s + (time.monotonic() - self._running_since if self.running else 0.0)

    @property
    def running_since(self) -> float:
        """Value of the monotonic clock when it was last let run."""
        return self._running_since

    def describe(self) -> None:
        """Read the description: since QEMU 7.2 registers can be written by number only afterwards."""
        self.gdb.request(b"qXfer:features:read:target.xml:0,ffb")

    def watch(self, places: Iterable[tuple[int, int]], *, writes: Iterable[tuple[int, int]] = ()) -> None:
        """Stop at every access to what is answered from outside.

        Args:
            places: address and bytes of each window.
            writes: of those where the CPU stops at what is written only.

        Raises:
            TargetError: QEMU cannot.
        """
        asked = _watches(b"Z", places, writes)
        if asked and self.gdb.request_all(asked) != b"OK":
            raise TargetError("QEMU cannot watch the NPU's registers")

    def pass_access(self, places: Iterable[tuple[int, int]], *, writes: Iterable[tuple[int, int]] = ()) -> None:
        """Carry out one instruction although it reaches a watched place; no interrupt comes meanwhile.

        QEMU throws away all code that it has translated.

        Args:
            places: those to leave alone for that time, as in :meth:`watch`.
            writes: those of them that are watched for what is written only.

        Raises:
            TargetError: QEMU cannot.
        """
        asked = _watches(b"z", places, writes)
        self.gdb.request_all([*asked, b"s"])
        self.watch(places, writes=writes)

    def peek(self, address: int, size: int) -> bytes | None:
        """Read memory as a debugger does; None where the CPU does not reach it as it is now.

        Raises:
            TargetError: QEMU does not answer.
        """
        found = bytearray()
        for start in range(0, size, _PIECE):
            count = min(_PIECE, size - start)
            reply = self.gdb.request(b"m%x,%x" % (address + start, count))
            if len(reply) != 2 * count:
                return None
            found += bytes.fromhex(reply.decode("ascii"))
        return bytes(found)

    def poke(self, address: int, content: bytes) -> bool:
        """Write memory as a debugger does, read-only memory, too; False where the CPU does not reach it.

        Raises:
            TargetError: QEMU does not answer.
        """
        return all(self.gdb.request(each) == b"OK" for each in _memory_packets(address, content))

    def store(self, address: int, content: bytes) -> None:
        """The same before whatever is asked next, without waiting; no effect where the CPU does not reach it.

        Raises:
            TargetError: QEMU is gone.
        """
        self.gdb.post(*_memory_packets(address, content))

    def registers(self) -> list[int]:
        """r0 to r15 and xPSR.

        Raises:
            TargetError: QEMU does not tell.
        """
        reply = self.gdb.request(b"g")
        try:
            raw = bytes.fromhex(reply.decode("ascii"))
        except ValueError:
            raw = b""
        if len(raw) < 4 * _COUNT:
            raise TargetError(f"QEMU does not tell the CPU's registers (gdb reply {reply[:40]!r})")
        return [int.from_bytes(raw[4 * n : 4 * n + 4], "little") for n in range(_COUNT)]

    def write(self, changed: Mapping[int, int]) -> None:
        """Change registers, and go on standing still.

        Raises:
            TargetError: QEMU refused.
        """
        for content in map(_write_packet, changed.items()):
            if self.gdb.request(content) != b"OK":
                raise TargetError("QEMU refused to change the CPU's registers")

    def resume(self, changed: Mapping[int, int], how: bytes = b"c") -> None:
        """Change registers, by number, and run with a packet of gdb, all in one write."""
        self.running = True
        self._running_since = time.monotonic()
        others = dict(changed)
        if how == b"c" and PC in others:
            how = b"c%x" % (others.pop(PC) | _THUMB)  # QEMU answers each packet but this one
        self.gdb.send(*map(_write_packet, others.items()), how)

    def stopped(self) -> None:
        """Take note that a stop was reported."""
        if self.running:
            self._ran_s = self.ran_s
            self.running = False

    def stop(self) -> bytes | None:
        """Make the CPU stand still; returns the stop that was reported, None if it stood still already.

        Raises:
            TargetError: it does not stop in time, or QEMU is gone.
        """
        if not self.running:
            return None
        self.gdb.interrupt()
        reply = self.gdb.wait(_STOP_TIMEOUT_S)
        self.stopped()
        return reply

    def restart(self) -> None:
        """After a reset of the machine: a CPU that has run for no time, and that nothing makes stop.

        Raises:
            TargetError: QEMU is gone.
        """
        self.gdb.request(b"?")  # takes every watchpoint away
        self._ran_s = 0.0

    def settle(self) -> None:
        """Make QEMU forget a watchpoint that was hit at the very moment of an interrupt.

        QEMU reports the interrupt only, remembers the hit, and would let the next access to a watched place pass
        unnoticed (measured on 7.2). Running into a breakpoint at the current instruction clears it and executes
        nothing; but QEMU throws away all code that it has translated.
        """
        place = b"0,%x,2" % self.registers()[PC]
        self.gdb.request(b"Z" + place)
        self.gdb.request(b"c", timeout_s=_STOP_TIMEOUT_S)
        self.gdb.request(b"z" + place)


def _watches(how: bytes, places: Iterable[tuple[int, int]], writes: Iterable[tuple[int, int]]) -> list[bytes]:
    return [b"%b4,%x,%x" % (how, *place) for place in places] + [b"%b2,%x,%x" % (how, *each) for each in writes]


def _memory_packets(address: int, content: bytes) -> list[bytes]:
    pieces = [(start, content[start : start + _PIECE]) for start in range(0, len(content), _PIECE)]
    return [b"M%x,%x:%b" % (address + start, len(piece), piece.hex().encode()) for start, piece in pieces]


def _write_packet(change: tuple[int, int]) -> bytes:
    number, value = change
    return b"P%x=%s" % (_GDB_XPSR if number == XPSR else number, value.to_bytes(4, "little").hex().encode())

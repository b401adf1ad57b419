"""GDB's remote serial protocol, as far as the open Corstone-300 needs it; every wait is bounded.

Measured on QEMU 7.2 and 10.0: a packet that starts with ``$`` acknowledges the reply before it, so no ``+`` is
ever sent (while the machine runs, any byte would stop it); several packets may be written at once.
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections import deque
from collections.abc import Sequence

from deploy.errors import TargetError

_BUFFER = 65536
_MAX_PACKET = 64 * 1024
INTERRUPT = b"\x03"
_WATCHPOINT = re.compile(rb"[ra]?watch:0*([0-9a-f]+);")


class ConnectionLostError(TargetError):
    """QEMU closed the connection: it ended, or was killed."""


def packet(content: bytes) -> bytes:
    """Frame a packet: ``$content#checksum``."""
    return b"$%b#%02x" % (content, sum(content) & 0xFF)


def watchpoint(stop: bytes) -> int | None:
    """The address of the watchpoint that a stop was reported for; None if it was for something else."""
    found = _WATCHPOINT.search(stop)
    return None if found is None else int(found[1], 16)


def without_watchpoint(stop: bytes) -> bytes:
    """The report of a stop with nothing in it about watchpoints."""
    return _WATCHPOINT.sub(b"", stop)


class GdbConnection:
    """One connection to QEMU's gdbstub, by a stream socket that is switched to non-blocking."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._received = bytearray()
        self._expected: deque[bool] = deque()  # whether a reply that nobody waits for has to be OK

    def fileno(self) -> int:
        """The socket's descriptor, for ``select``."""
        return self._socket.fileno()

    @property
    def pending(self) -> bool:
        """Whether a reply has come that was not taken yet."""
        return bool(b"$" in self._received or select.select([self._socket], [], [], 0)[0])

    def request(self, content: bytes, *, timeout_s: float = 10.0) -> bytes:
        """Send one packet and return the content of its reply.

        Raises:
            ConnectionLostError: QEMU is gone.
            TargetError: no reply in time.
        """
        self._write(packet(content))
        return self.wait(timeout_s, content)

    def request_all(self, contents: Sequence[bytes]) -> bytes:
        """Send packets in one write, all but the last to be answered by ``OK``; return the reply to the last.

        Raises:
            ConnectionLostError: QEMU is gone.
            TargetError: no reply in time, or another one.
        """
        self.send(*contents)
        return self.wait(10.0, contents[-1])

    def send(self, *contents: bytes) -> None:
        """Send packets in one write; all but the last are answered by ``OK``, which is checked when it arrives.

        The last one is expected to start the machine, so that its reply is the next stop.
        """
        self._expected.extend([True] * (len(contents) - 1))
        self._write(b"".join(map(packet, contents)))

    def post(self, *contents: bytes) -> None:
        """Send packets in one write whose replies, each but a stop, do not matter; nobody waits for them."""
        self._expected.extend([False] * len(contents))
        self._write(b"".join(map(packet, contents)))

    def interrupt(self) -> None:
        """Ask the running machine to stop; the stop arrives as a reply."""
        self._write(INTERRUPT)

    def poll(self) -> bytes | None:
        """The next reply that has arrived whole, or None.

        Raises:
            ConnectionLostError: QEMU is gone.
            TargetError: a command was refused, or the stream is no gdb protocol.
        """
        self._read()
        while (content := self._take()) is not None:
            if self._expected and content[:1] not in (b"T", b"S", b"W", b"X"):
                if self._expected.popleft() and content != b"OK":
                    raise TargetError(f"QEMU refused to change the CPU's state (gdb reply {content[:40]!r})")
                continue
            return content
        return None

    def wait(self, timeout_s: float, asked: bytes = b"wait") -> bytes:
        """Wait for the next reply; what was asked for names it in errors.

        Raises:
            ConnectionLostError: QEMU is gone.
            TargetError: none came in time.
        """
        deadline = time.monotonic() + timeout_s
        while (reply := self.poll()) is None:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TargetError(f"QEMU does not answer (gdb packet {asked[:40]!r})")
            select.select([self._socket], [], [], remaining)
        return reply

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                _, writable, _ = select.select([], [self._socket], [], 10.0)
                if not writable:
                    raise TargetError("QEMU does not read its gdb connection") from None
            except OSError as error:
                raise ConnectionLostError("QEMU closed its gdb connection") from error

    def _read(self) -> None:
        while True:
            try:
                data = self._socket.recv(_BUFFER)
            except BlockingIOError:
                return
            except OSError as error:
                raise ConnectionLostError("QEMU closed its gdb connection") from error
            if not data:
                # What came before the end (an exit report, say) is handed out first.
                if b"#" in self._received:
                    return
                raise ConnectionLostError("QEMU closed its gdb connection")
            self._received += data
            if len(data) < _BUFFER:
                return

    def _take(self) -> bytes | None:
        """Cut the next packet's content out of what was received; acknowledgements in between are skipped."""
        start = self._received.find(b"$")
        end = self._received.find(b"#", start)
        if start < 0 or end < 0 or len(self._received) < end + 3:
            if len(self._received) > _MAX_PACKET:
                raise TargetError("QEMU's gdb connection delivers no gdb packets")
            return None
        content = bytes(self._received[start + 1 : end])
        checksum = bytes(self._received[end + 1 : end + 3])
        del self._received[: end + 3]
        if b"%02x" % (sum(content) & 0xFF) != checksum.lower():
            raise TargetError("a gdb packet from QEMU has a wrong checksum")
        return content

"""Lets a user's debugger attach to the CPU although the simulator itself is QEMU's only gdb client.

The debugger talks to this stand-in for QEMU's gdbstub: its packets are passed on, its acknowledgements are not
(while the machine runs, any byte would stop it), and stops that belong to the NPU never reach it.
"""

from __future__ import annotations

import select
import socket

from deploy.corstone.gdb_remote import INTERRUPT, packet
from deploy.corstone.terminal import accepted, listener
from deploy.errors import BadInputError

_MAX_PACKET = 64 * 1024
_WRITE_TIMEOUT_S = 5.0
_RESUMING = (b"c", b"C", b"s", b"S", b"vCont;")


class Debugger:
    """The server side of a debugger's connection, on a loopback port; one debugger at a time.

    Raises:
        BadInputError: the port is taken.
    """

    def __init__(self, port: int) -> None:
        try:
            self._listener = listener(port)
        except OSError as error:
            raise BadInputError(f"--gdb {port}: {error.strerror}") from error
        self._client: socket.socket | None = None
        self._received = bytearray()
        self._breakpoints: set[bytes] = set()

    @property
    def attached(self) -> bool:
        """Whether a debugger is connected."""
        return self._client is not None

    def fileno(self) -> int:
        """Descriptor to wait for: a new debugger, or what it sends."""
        return (self._client or self._listener).fileno()

    def accept(self) -> None:
        """Take the debugger that is waiting."""
        self._client = accepted(self._listener)
        self._received.clear()

    def wait(self) -> None:
        """Wait until a debugger connects."""
        select.select([self._listener], [], [])
        self.accept()

    def requests(self) -> list[bytes]:
        """The packets (or interrupts) that have arrived; acknowledges them. Empty and detached when it hung up."""
        assert self._client is not None  # noqa: S101
        try:
            data = self._client.recv(65536)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self._hang_up()
            return []
        self._received += data
        found = []
        while (request := self._take()) is not None:
            if request != INTERRUPT:
                self._write(b"+")
                self._remember(request)
            found.append(request)
        return found

    def reply(self, content: bytes) -> None:
        """Send a reply."""
        self._write(packet(content))

    def forget_breakpoints(self) -> list[bytes]:
        """The packets that remove what a debugger that is gone has left behind."""
        left = [b"z" + kind for kind in sorted(self._breakpoints)]
        self._breakpoints.clear()
        return left

    def close(self) -> None:
        """Close everything."""
        self._hang_up()
        self._listener.close()

    def _take(self) -> bytes | None:
        """Cut the next packet or interrupt out of what was received."""
        while self._received:
            if self._received[:1] == INTERRUPT:
                del self._received[:1]
                return INTERRUPT
            if self._received[:1] == b"$":
                end = self._received.find(b"#")
                if end < 0 or len(self._received) < end + 3:
                    if len(self._received) > _MAX_PACKET:
                        self._hang_up()
                    return None
                content = bytes(self._received[1:end])
                del self._received[: end + 3]
                return content
            del self._received[:1]  # an acknowledgement
        return None

    def _remember(self, request: bytes) -> None:
        if request[:1] == b"Z":
            self._breakpoints.add(request[1:])
        elif request[:1] == b"z":
            self._breakpoints.discard(request[1:])

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view and self._client is not None:
            try:
                view = view[self._client.send(view) :]
            except BlockingIOError:
                if not select.select([], [self._client], [], _WRITE_TIMEOUT_S)[1]:
                    self._hang_up()
            except OSError:
                self._hang_up()

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
            self._received.clear()


def resumes(request: bytes) -> bool:
    """Whether a request lets the CPU run, so that its reply is the next stop."""
    return request.startswith(_RESUMING) and not request.startswith(b"vCont?")


def steps(request: bytes) -> bool:
    """Whether a request lets the CPU run one instruction only."""
    return request[:1] in (b"s", b"S") or request.startswith((b"vCont;s", b"vCont;S"))

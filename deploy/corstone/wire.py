"""A UART whose other end is in this process: a pair of sockets in place of a terminal's TCP port."""

from __future__ import annotations

import contextlib
import socket

_BACKLOG = 1 << 20
"""What is sent faster than it is read is kept up to this size, as a terminal keeps it."""


class Wire:
    """The machine's end; never blocks.

    Attributes:
        far: the other end; whoever takes it closes it.
    """

    connected = True
    """Nobody has to come first."""

    def __init__(self) -> None:
        self._near, self.far = socket.socketpair()
        self._near.setblocking(False)
        self._backlog = bytearray()
        self._open = True

    @property
    def reading(self) -> list[int]:
        """Descriptors to wait for."""
        return [self._near.fileno()] if self._open else []

    @property
    def writing(self) -> list[int]:
        """Descriptors that output waits for."""
        return [self._near.fileno()] if self._open and self._backlog else []

    def send(self, data: bytes) -> None:
        """Send a UART's output."""
        self._backlog += data
        del self._backlog[:-_BACKLOG]
        self.flush()

    def flush(self) -> None:
        """Pass on what the other end takes."""
        if not self._open or not self._backlog:
            return
        try:
            del self._backlog[: self._near.send(self._backlog)]
        except BlockingIOError:
            return
        except OSError:
            self._open = False

    def receive(self) -> bytes:
        """What the other end has sent."""
        try:
            data = self._near.recv(4096)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        self._open = bool(data)
        return data

    def close(self) -> None:
        """Pass on the rest and close the machine's end."""
        with contextlib.suppress(OSError):
            self._near.settimeout(1.0)
            if self._open:
                self._near.sendall(self._backlog)
        self._open = False
        self._near.close()

"""The other end of a UART behind a socket: never waited for; what it does not take yet is kept, up to a bound."""

from __future__ import annotations

import contextlib
import socket

_BACKLOG = 1 << 20
"""What is sent before somebody comes, or faster than it is read, is kept up to this size."""
_LAST_S = 1.0
"""How long the rest may take at the end."""


class SocketPeer:
    """A peer that may come later and go again.

    Args:
        connection: to it, which does not block; None while there is none.
    """

    def __init__(self, connection: socket.socket | None = None) -> None:
        self._connection = connection
        self._backlog = bytearray()
        self._deaf = False

    @property
    def writing(self) -> list[int]:
        """Descriptors that output waits for."""
        if self._connection is None or not self._backlog or self._deaf:
            return []
        return [self._connection.fileno()]

    def send(self, data: bytes) -> None:
        """Send a UART's output, now or when somebody takes it."""
        self._backlog += data
        del self._backlog[:-_BACKLOG]
        self.flush()

    def flush(self) -> None:
        """Pass on what the peer takes."""
        if self._connection is None or not self.writing:
            return
        try:
            del self._backlog[: self._connection.send(self._backlog)]
        except BlockingIOError:
            return
        except OSError:
            self._deaf = True  # what the peer sent before it went is still to be received

    def receive(self) -> bytes:
        """What the peer has sent."""
        if self._connection is None:
            return b""
        try:
            data = self._connection.recv(4096)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._hang_up()
        return data

    def close(self) -> None:
        """Pass on the rest, and close the connection."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.settimeout(_LAST_S)
                self._connection.sendall(self._backlog)
            self._hang_up()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._deaf = False

"""A UART whose other end is in this process: a pair of sockets in place of a terminal's TCP port."""

from __future__ import annotations

import socket

from deploy.corstone.peer import SocketPeer


class Wire(SocketPeer):
    """The machine's end; never blocks.

    Attributes:
        far: the other end; whoever takes it closes it.
    """

    def __init__(self) -> None:
        near, self.far = socket.socketpair()
        near.setblocking(False)
        super().__init__(near)

    @property
    def reading(self) -> list[int]:
        """Descriptors to wait for."""
        return [self._connection.fileno()] if self._connection is not None else []

"""A UART on a TCP port, as the FVP's telnet terminals offer it: loopback only, one client at a time."""

from __future__ import annotations

import contextlib
import socket

from deploy.corstone.peer import SocketPeer
from deploy.errors import BadInputError

_HOST = "127.0.0.1"
_PORTS_TO_TRY = 1000
_IAC = 0xFF
_SUBNEGOTIATION, _SUBNEGOTIATION_END = 0xFA, 0xF0


class Terminal(SocketPeer):
    """The server side of one terminal; never blocks.

    Args:
        first_port: the next free port from there on is taken.
        telnet: speak the telnet protocol (bytes 0xFF are escaped, commands removed) instead of raw bytes.

    Raises:
        BadInputError: no port is free.
    """

    def __init__(self, first_port: int, *, telnet: bool) -> None:
        super().__init__()
        self._listener = _listen(first_port)
        self._telnet = TelnetDecoder() if telnet else None

    @property
    def port(self) -> int:
        """The TCP port."""
        number: int = self._listener.getsockname()[1]
        return number

    @property
    def reading(self) -> list[int]:
        """Descriptors to wait for: a new client, or what the client types."""
        return [(self._connection or self._listener).fileno()]

    def send(self, data: bytes) -> None:
        """Send a UART's output to the client, now or when it comes."""
        super().send(data.replace(b"\xff", b"\xff\xff") if self._telnet else data)

    def receive(self) -> bytes:
        """Accept a client if one is waiting; returns what the client typed."""
        if self._connection is None:
            self._connection = accepted(self._listener)
            if self._telnet:
                self._telnet = TelnetDecoder()  # the last client may have left within a command
            self.flush()
            return b""
        data = super().receive()
        return self._telnet.feed(data) if self._telnet else data

    def close(self) -> None:
        """Pass on the rest and close everything."""
        super().close()
        self._listener.close()


class TelnetDecoder:
    """Takes the telnet protocol's commands (RFC 854) out of what a client sends."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> bytes:
        """The bytes that the client typed; an unfinished command waits for the next call."""
        data = self._pending + data
        typed = bytearray()
        position = 0
        while position < len(data):
            if data[position] != _IAC:
                # A carriage return is sent as CR NUL.
                if not (data[position] == 0 and typed.endswith(b"\r")):
                    typed.append(data[position])
                position += 1
                continue
            length = _command_length(data[position:])
            if length is None:
                break
            if data[position + 1] == _IAC:
                typed.append(_IAC)
            position += length
        self._pending = data[position:][:4096]
        return bytes(typed)


def _command_length(data: bytes) -> int | None:
    """Length of the telnet command that begins with IAC; None while it is incomplete."""
    if len(data) < 2:
        return None
    if data[1] == _SUBNEGOTIATION:
        end = data.find(bytes([_IAC, _SUBNEGOTIATION_END]), 2)
        return None if end < 0 else end + 2
    if 251 <= data[1] <= 254:  # WILL, WONT, DO, DONT and their option
        return 3 if len(data) >= 3 else None
    return 2


def listener(port: int) -> socket.socket:
    """A socket for one client on a port of the loopback interface.

    Raises:
        OSError: the port is taken.
    """
    waiting = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        waiting.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        waiting.bind((_HOST, port))
        waiting.listen(1)
    except OSError:
        waiting.close()
        raise
    return waiting


def accepted(waiting: socket.socket) -> socket.socket | None:
    """The client that is waiting; None if it is gone again."""
    with contextlib.suppress(OSError):
        client, _ = waiting.accept()
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client
    return None


def _listen(first_port: int) -> socket.socket:
    for port in range(first_port, min(first_port + _PORTS_TO_TRY, 65536)):
        with contextlib.suppress(OSError):
            found = listener(port)
            found.setblocking(False)
            return found
    raise BadInputError(f"no free TCP port for a terminal from {first_port} on")

"""A UART on a TCP port, as the FVP's telnet terminals offer it: loopback only, one client at a time."""

from __future__ import annotations

import contextlib
import socket

from deploy.errors import BadInputError

_HOST = "127.0.0.1"
_PORTS_TO_TRY = 1000
# What was sent before a client came, or faster than it reads, is kept up to this size.
_BACKLOG = 1 << 20
_IAC = 0xFF
_SUBNEGOTIATION, _SUBNEGOTIATION_END = 0xFA, 0xF0


class Terminal:
    """The server side of one terminal; never blocks.

    Args:
        first_port: the next free port from there on is taken.
        telnet: speak the telnet protocol (bytes 0xFF are escaped, commands removed) instead of raw bytes.

    Raises:
        BadInputError: no port is free.
    """

    def __init__(self, first_port: int, *, telnet: bool) -> None:
        self._listener = _listen(first_port)
        self._telnet = TelnetDecoder() if telnet else None
        self._client: socket.socket | None = None
        self._backlog = bytearray()

    @property
    def port(self) -> int:
        """The TCP port."""
        number: int = self._listener.getsockname()[1]
        return number

    @property
    def connected(self) -> bool:
        """Whether there is a client."""
        return self._client is not None

    @property
    def reading(self) -> list[int]:
        """Descriptors to wait for: a new client, or what the client types."""
        return [(self._client or self._listener).fileno()]

    @property
    def writing(self) -> list[int]:
        """Descriptors that output waits for."""
        return [self._client.fileno()] if self._client is not None and self._backlog else []

    def send(self, data: bytes) -> None:
        """Send a UART's output to the client, now or when it comes."""
        self._backlog += data.replace(b"\xff", b"\xff\xff") if self._telnet else data
        del self._backlog[:-_BACKLOG]
        self.flush()

    def flush(self) -> None:
        """Pass on what the client takes."""
        if self._client is None or not self._backlog:
            return
        try:
            del self._backlog[: self._client.send(self._backlog)]
        except BlockingIOError:
            return
        except OSError:
            self._hang_up()

    def receive(self) -> bytes:
        """Accept a client if one is waiting; returns what the client typed."""
        if self._client is None:
            self._client = accepted(self._listener)
            self.flush()
            return b""
        try:
            data = self._client.recv(4096)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._hang_up()
        return self._telnet.feed(data) if self._telnet else data

    def close(self) -> None:
        """Pass on the rest and close everything."""
        if self._client is not None:
            with contextlib.suppress(OSError):
                self._client.settimeout(1.0)
                self._client.sendall(self._backlog)
            self._hang_up()
        self._listener.close()

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


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

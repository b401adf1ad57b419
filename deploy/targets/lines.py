"""What carries the protocol's bytes: a port by pyserial, or a socket that this process has already."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from typing import Protocol

from deploy.errors import BadInputError, TargetError

DEFAULT_BAUD = 115200
SLICE_S = 0.1
"""So long one read waits at most."""

_PORTS = "ports are /dev/ttyUSB0, COM3 or socket://HOST:PORT"


class Line(Protocol):
    """Bytes in both directions. Whatever breaks the line is an OSError."""

    def read(self, wanted: int) -> bytes:
        """What has come, at most so many bytes; waits a moment for them."""

    def write(self, content: bytes, timeout_s: float) -> None:
        """Send all bytes.

        Raises:
            TimeoutError: they are not taken in time.
        """

    def close(self) -> None:
        """Let go of it."""


class SerialLine:
    """A port by pyserial's name.

    Args:
        port: ``/dev/ttyUSB0``, ``COM3`` or ``socket://HOST:PORT``.
        baud: bits per second of a serial port; a socket does not care.

    Raises:
        TargetError: the port cannot be opened.
        BadInputError: pyserial does not know such a port.
    """

    def __init__(self, port: str, baud: int) -> None:
        import serial

        self._too_late = serial.SerialTimeoutException
        try:
            self._serial: serial.SerialBase = serial.serial_for_url(port, baudrate=baud, timeout=SLICE_S)
        except serial.SerialException as error:
            raise TargetError(
                f"{port}: cannot be opened: {error}",
                hints=["is the board connected, and does no other program use the port?"],
            ) from error
        except ValueError as error:
            raise BadInputError(f"--port {port}: {error}", hints=[_PORTS]) from error

    def read(self, wanted: int) -> bytes:
        """What has come; see :class:`Line`."""
        return bytes(self._serial.read(wanted))

    def write(self, content: bytes, timeout_s: float) -> None:
        """Send all bytes; see :class:`Line`."""
        try:
            self._serial.write_timeout = max(timeout_s, SLICE_S)
            self._serial.write(content)
        except self._too_late as error:
            raise TimeoutError from error

    def close(self) -> None:
        """Close the port."""
        with contextlib.suppress(OSError):
            self._serial.close()


class SocketLine:
    """One end of a connection within this process."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection

    def read(self, wanted: int) -> bytes:
        """What has come; see :class:`Line`."""
        if not select.select([self._socket], [], [], SLICE_S)[0]:
            return b""
        content = self._socket.recv(max(wanted, 1 << 16))
        if not content:
            raise ConnectionResetError("the other end is closed")
        return content

    def write(self, content: bytes, timeout_s: float) -> None:
        """Send all bytes; see :class:`Line`."""
        deadline, rest = time.monotonic() + max(timeout_s, SLICE_S), memoryview(content)
        while rest:
            if not select.select([], [self._socket], [], max(deadline - time.monotonic(), 0))[1]:
                raise TimeoutError
            rest = rest[self._socket.send(rest) :]

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

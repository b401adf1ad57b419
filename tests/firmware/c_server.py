"""Serves the firmware's C protocol server on a TCP port, with the line faults that a test asks for."""

from __future__ import annotations

import ctypes
import socket
import threading
from collections.abc import Callable
from pathlib import Path

Fault = Callable[[bytes], bytes]


class CServer:
    """A target without a processor: real server code, a socket for a UART.

    Attributes:
        to_host: changes what the server sends, per reply.
        to_target: changes what the server receives.
        silent: the target takes everything in and says nothing.
        close_after: closes the connection after that many replies.
        restart_at: restarts the server (as a reset would) in place of reply number n.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._buffer = ctypes.create_string_buffer(1 << 20)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._stop = threading.Event()
        self.to_host: Fault = lambda data: data
        self.to_target: Fault = lambda data: data
        self.silent = False
        self.close_after: int | None = None
        self.restart_at: int | None = None
        self.idle_s = 0.3
        self.replies = 0
        self._kept: list[bytes | None] = []
        self._folder: bytes | None = None
        self.problems()
        self.serves(None)

    @property
    def port(self) -> str:
        return f"socket://127.0.0.1:{self._listener.getsockname()[1]}"

    def problems(self, at_start: str | None = None, at_inference: str | None = None) -> None:
        """What the runtime shall fail from."""
        self._kept = [text.encode() if text else None for text in (at_start, at_inference)]
        self._library.harness_problems(*self._kept)

    def serves(self, folder: Path | None) -> None:
        """The folder that the host serves to the target; None for none."""
        self._folder = None if folder is None else bytes(folder)
        self._library.harness_folder(self._folder)

    @property
    def host_calls(self) -> int:
        """Semihosting calls that were served since the library was loaded."""
        return int(self._library.harness_host_calls())

    def __enter__(self) -> CServer:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._listener.close()
        self._thread.join(5)

    def take(self) -> bytes:
        self._library.harness_take.restype = ctypes.c_size_t
        count = self._library.harness_take(self._buffer)
        return ctypes.string_at(self._buffer, count)

    def _serve(self) -> None:
        try:
            self._listener.settimeout(0.1)
            while not self._stop.is_set():
                try:
                    connection, _ = self._listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    self._converse(connection)
        except OSError:
            return

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(self.idle_s)
        self._library.server_start()
        self._send(connection, self.take())
        while not self._stop.is_set():
            try:
                received = connection.recv(65536)
            except TimeoutError:
                self._library.server_idle()
                self._send(connection, self.take())
                continue
            if not received:
                return
            received = self.to_target(received)
            self._library.harness_push(received, ctypes.c_size_t(len(received)))
            reply = self.take()
            if reply:
                self.replies += 1
                if self.replies == self.restart_at:
                    self._library.server_start()
                    reply = self.take()
                if self.close_after is not None and self.replies > self.close_after:
                    return
            self._send(connection, reply)

    def _send(self, connection: socket.socket, reply: bytes) -> None:
        if reply and not self.silent and (changed := self.to_host(reply)):
            connection.sendall(changed)

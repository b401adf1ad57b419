"""QEMU's machine protocol, an object of JSON a line: its version, a reset, how many instructions were run."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

from deploy.corstone.gdb_remote import ConnectionLostError
from deploy.errors import TargetError

_MAX_LINE = 65536
_GREETING_TIMEOUT_S = 20.0
_ANSWER_TIMEOUT_S = 10.0
_TIMERS_HANG = (
    "where it counts instructions, QEMU hangs at the board's system timers if their counter is scaled (CNTSCR), "
    "and at the fourth (0x48003000, 0x58003000) unless what it compares with is a multiple of 4; "
    'with -C ethosu.extra_args="--fast" it counts none'
)
"""What :mod:`deploy.corstone.system_timers` does not mend."""


class QmpConnection:
    """One connection to QEMU's machine protocol."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._received = b""
        self._negotiated = False

    def version(self) -> str:
        """Wait for QEMU's greeting; returns its version, like ``7.2.22``.

        Raises:
            TimeoutError: it says nothing.
            ConnectionError: it ended instead.
            ValueError: what it says is no greeting.
        """
        self._socket.settimeout(_GREETING_TIMEOUT_S)
        try:
            numbers = self._object()["QMP"]["version"]["qemu"]
            return f"{numbers['major']}.{numbers['minor']}.{numbers['micro']}"
        except (KeyError, TypeError) as error:
            raise ValueError("no greeting of QEMU") from error

    def reset(self) -> None:
        """Reset every device, and load what is loaded into memory at the start; the CPU stands still afterwards.

        Memory that nothing is loaded into keeps its content.

        Raises:
            TargetError: QEMU does not answer, refuses, or is gone.
        """
        self.tidy()  # programs reset the machine, too
        # The event comes when all is done; the answer, before or after it, is not left for others.
        self._carried_out("system_reset", "return", "event")

    def instructions(self) -> int:
        """How many instructions the CPU has run, where QEMU counts them.

        Raises:
            TargetError: QEMU does not answer, refuses, or is gone.
        """
        self.tidy()
        found = self._carried_out("query-replay", "return")
        if not isinstance(found, dict) or not isinstance(found.get("icount"), int):
            raise TargetError("QEMU does not tell how many instructions it has run")
        return int(found["icount"])

    def tidy(self) -> None:
        """Take what QEMU tells unasked about every stop, so that it does not have to keep it."""
        if not self._negotiated:
            return
        self._socket.setblocking(False)
        # Whoever is gone is noticed by who asks something.
        with contextlib.suppress(OSError):
            while received := self._socket.recv(_MAX_LINE):
                self._received = (self._received + received).rpartition(b"\n")[2]

    def _carried_out(self, command: str, *awaited: str) -> Any:
        """As :meth:`_ask`, with the errors of a connection that is used."""
        self._socket.settimeout(_ANSWER_TIMEOUT_S)
        try:
            if not self._negotiated:
                self._ask("qmp_capabilities", "return")
                self._negotiated = True
            return self._ask(command, *awaited)
        except TimeoutError:
            hints = [_TIMERS_HANG] if command == "query-replay" else []
            raise TargetError(f"QEMU does not answer ({command})", hints=hints) from None
        except OSError as error:
            raise ConnectionLostError("QEMU closed its connection for the machine protocol") from error
        except ValueError as error:
            raise TargetError("QEMU's machine protocol cannot be read") from error

    def _ask(self, command: str, *awaited: str) -> Any:
        """Send a command, and wait for its answer (``return``), and for the event RESET (``event``), if asked to.

        Returns:
            The answer.
        """
        self._socket.sendall(b'{"execute":"%b"}' % command.encode())  # no byte more: QEMU takes each on its own
        found: dict[str, Any] = {}
        while not all(name in found for name in awaited):
            said = self._object()
            if "error" in said:
                raise TargetError(f"QEMU refused {command}: {str(said['error'])[:80]}")
            if "return" in said or said.get("event") == "RESET":
                found |= said
        return found["return"]

    def _object(self) -> dict[str, Any]:
        while b"\n" not in self._received:
            received = self._socket.recv(4096)
            if not received or len(self._received) > _MAX_LINE:
                raise ConnectionResetError
            self._received += received
        line, _, self._received = self._received.partition(b"\n")
        found = json.loads(line)
        if not isinstance(found, dict):
            raise ValueError("no object")
        return found

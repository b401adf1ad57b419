"""QEMU's machine protocol, one JSON object a line: its greeting tells the version, and it resets the machine."""

from __future__ import annotations

import json
import socket
from typing import Any

from deploy.corstone.gdb_remote import ConnectionLostError
from deploy.errors import TargetError

_MAX_LINE = 65536
_GREETING_TIMEOUT_S = 20.0
_ANSWER_TIMEOUT_S = 10.0


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
        self._socket.settimeout(_ANSWER_TIMEOUT_S)
        try:
            if not self._negotiated:
                self._ask("qmp_capabilities", "return")
                self._negotiated = True
            # The event comes when all is done; the answer may come before or after it.
            self._ask("system_reset", "event")
        except TimeoutError:
            raise TargetError("QEMU does not answer (machine protocol)") from None
        except OSError as error:
            raise ConnectionLostError("QEMU closed its connection for the machine protocol") from error
        except ValueError as error:
            raise TargetError("QEMU's machine protocol cannot be read") from error

    def _ask(self, command: str, awaited: str) -> None:
        """Send a command, and wait for its answer (``return``) or for the event RESET (``event``)."""
        self._socket.sendall(json.dumps({"execute": command}).encode() + b"\n")
        while True:
            said = self._object()
            if "error" in said:
                raise TargetError(f"QEMU refused {command}: {str(said['error'])[:80]}")
            if awaited in said and (awaited == "return" or said["event"] == "RESET"):
                return

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

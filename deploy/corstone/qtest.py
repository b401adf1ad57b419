"""QEMU's test protocol: one line asks, one line answers. Drives the NPU's interrupt line, reaches all memory."""

from __future__ import annotations

import base64
import socket
from collections.abc import Sequence

from deploy.corstone.gdb_remote import ConnectionLostError
from deploy.errors import TargetError

_INTERRUPT_CONTROLLER = "/machine/iotkit/cluster0/armv7m0"
_CHUNK = 256 * 1024
_CLEARED = 4 * 1024 * 1024
"""So many bytes QEMU has to find room for at once to make them 0."""


class QtestConnection:
    """One connection to QEMU's qtest server."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(10.0)
        self._socket = connection
        self._received = b""

    def request(self, *lines: str) -> list[str]:
        """Send lines in one write; returns the answers without their ``OK``.

        Raises:
            TargetError: QEMU refused one of them, or does not answer.
        """
        try:
            self._socket.sendall("".join(line + "\n" for line in lines).encode())
            return [self._answer(line) for line in lines]
        except TimeoutError:
            raise TargetError(f"QEMU does not answer (qtest {lines[0][:60]})") from None
        except OSError as error:
            raise ConnectionLostError("QEMU closed its qtest connection") from error

    def _answer(self, line: str) -> str:
        while b"\n" not in self._received:
            data = self._socket.recv(1 << 20)
            if not data:
                raise ConnectionLostError("QEMU closed its qtest connection")
            self._received += data
        answer, _, self._received = self._received.partition(b"\n")
        if not answer.startswith(b"OK"):
            raise TargetError(
                f"QEMU refused a qtest command: {line[:60]} -> {answer[:80].decode('ascii', 'replace')}"
            )
        return answer[2:].strip().decode("ascii")

    def set_interrupt(self, number: int, level: bool) -> None:
        """Drive an external interrupt line of the CPU."""
        self.request(f"set_irq_in {_INTERRUPT_CONTROLLER} unnamed-gpio-in {number} {int(level)}")

    def wake(self) -> None:
        """Make QEMU's main loop look at all its inputs again, without any other effect."""
        self.request("endianness")

    def read(self, address: int, size: int) -> bytes:
        """Read memory as the CPU sees it."""
        pieces = []
        for start in range(0, size, _CHUNK):
            count = min(_CHUNK, size - start)
            pieces.append(base64.b64decode(self.request(f"b64read {address + start:#x} {count:#x}")[0]))
        return b"".join(pieces)

    def write(self, address: int, content: bytes) -> None:
        """Write memory as the CPU sees it."""
        for start in range(0, len(content), _CHUNK):
            piece = content[start : start + _CHUNK]
            self.request(write_line(address + start, piece))

    def clear(self, address: int, size: int) -> None:
        """Make bytes of memory 0 as the CPU sees it."""
        for start in range(0, size, _CLEARED):
            self.request(f"memset {address + start:#x} {min(_CLEARED, size - start):#x} 0x0")

    def exchange(self, reads: Sequence[tuple[int, int]]) -> list[bytes]:
        """Read several small places in one round trip."""
        answers = self.request(*(f"b64read {address:#x} {size:#x}" for address, size in reads))
        return [base64.b64decode(answer) for answer in answers]


def write_line(address: int, content: bytes) -> str:
    """The qtest line that writes ``content``."""
    return f"b64write {address:#x} {len(content):#x} {base64.b64encode(content).decode('ascii')}"

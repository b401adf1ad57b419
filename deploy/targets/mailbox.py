"""The mailbox of firmware: frames lie in memory that is reached here, or in files; a byte on the UART says so.

``firmware/mailbox.h`` describes it. On the open machine a byte on the UART costs some microseconds and a byte of
memory none. The firmware chooses the places; lengths are bounded before they are believed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from deploy.targets.protocol import MailboxPlace

_LENGTH_BYTES = 4
REQUEST_FILE, REPLY_FILE = "deploy-request.bin", "deploy-reply.bin"
"""In a folder that the target's simulator serves to it."""
PROOF_BYTES = 16


class SharedMemory(Protocol):
    """Memory of a target that runs, by the addresses of its processor."""

    def read(self, address: int, size: int) -> bytes:
        """Bytes; TargetError where there is no such memory, or the target is gone."""

    def write(self, address: int, content: bytes) -> None:
        """Change bytes; TargetError where there is no such memory, or the target is gone."""


class Mailbox:
    """Two areas of memory, each the length of a frame and the frame."""

    def __init__(self, memory: SharedMemory, place: MailboxPlace) -> None:
        self._memory, self._place = memory, place

    def holds(self, frame: bytes) -> bool:
        """Whether a request fits."""
        return len(frame) <= self._place.request_bytes

    def put(self, frame: bytes) -> None:
        """Lay a request down, and take away what was answered earlier.

        Raises:
            TargetError: there is no such memory.
        """
        self._memory.write(self._place.reply, bytes(_LENGTH_BYTES))
        self._memory.write(self._place.request, len(frame).to_bytes(_LENGTH_BYTES, "little") + frame)

    def take(self) -> bytes:
        """The reply; empty where there is none, or one that is longer than the firmware said it could be.

        Raises:
            TargetError: there is no such memory.
        """
        place = self._place.reply
        length = int.from_bytes(self._memory.read(place, _LENGTH_BYTES), "little")
        if not 0 < length <= self._place.reply_bytes:
            return b""
        return self._memory.read(place + _LENGTH_BYTES, length)


class FileMailbox:
    """Two files, each a frame, for a target whose simulator serves a folder to it (semihosting).

    Args:
        folder: the same as the target's.
        place: how long frames may be.
    """

    def __init__(self, folder: Path, place: MailboxPlace) -> None:
        self._request, self._reply = folder / REQUEST_FILE, folder / REPLY_FILE
        self._place = place

    def holds(self, frame: bytes) -> bool:
        """Whether a request fits."""
        return len(frame) <= self._place.request_bytes

    def put(self, frame: bytes) -> None:
        """Lay a request down, and take away what was answered earlier.

        Raises:
            OSError: the folder is gone.
        """
        self._reply.unlink(missing_ok=True)
        self._request.write_bytes(frame)

    def take(self) -> bytes:
        """The reply; empty where there is none, or one that is longer than the firmware said it could be."""
        try:
            with self._reply.open("rb") as file:
                found = file.read(self._place.reply_bytes + 1)
        except FileNotFoundError:
            return b""
        return found if len(found) <= self._place.reply_bytes else b""

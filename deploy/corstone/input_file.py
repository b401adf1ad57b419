"""What a UART receives from a file, and then from a terminal."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from deploy.corstone.uart import Peer
from deploy.errors import BadInputError

_STDIN = 0


class InputFile:
    """A peer of a UART that types a file, and leaves the place to another one at its end.

    Args:
        in_file: ``-`` for the standard input, or a file; a pipe will do.
        behind: who gets the output at once, and types after the file; None for nobody.

    Raises:
        BadInputError: the file cannot be read.
    """

    def __init__(self, in_file: str, behind: Peer | None = None) -> None:
        self._behind = behind
        self._owned = in_file != "-"
        self._descriptor = _STDIN
        self._ended = False
        if self._owned:
            try:
                self._descriptor = os.open(in_file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                raise BadInputError(f"UART input file {Path(in_file)}: cannot be read: {reason}") from error

    @property
    def reading(self) -> list[int]:
        """Descriptors to wait for."""
        if not self._ended:
            return [self._descriptor]
        return [] if self._behind is None else self._behind.reading

    @property
    def writing(self) -> list[int]:
        """Descriptors that output waits for."""
        return [] if self._behind is None else self._behind.writing

    def send(self, data: bytes) -> None:
        """Pass output to whoever is behind."""
        if self._behind is not None:
            self._behind.send(data)

    def flush(self) -> None:
        """Pass on what is taken."""
        if self._behind is not None:
            self._behind.flush()

    def receive(self) -> bytes:
        """The next bytes; empty where there are none at the moment.

        Raises:
            BadInputError: the file cannot be read after all, a folder for example.
        """
        if self._ended:
            return b"" if self._behind is None else self._behind.receive()
        try:
            data = os.read(self._descriptor, 4096)
        except BlockingIOError:
            return b""  # a pipe whose writer has nothing yet
        except OSError as error:
            raise BadInputError(f"UART input cannot be read: {error.strerror}") from error
        self._ended = not data
        return data

    def close(self) -> None:
        """Close the file, and whoever is behind."""
        if self._owned:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        if self._behind is not None:
            self._behind.close()

"""Where a UART's output goes, and when it asks for the end of the simulation."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from deploy.errors import BadInputError, TargetError

EOT = 0x04
STDOUT = 1


class UartSink:
    """Passes a UART's bytes on at once and watches for what ends the simulation.

    Args:
        out_file: ``-`` for the standard output, a file, or "" for nowhere.
        shutdown_on_eot: EOT (0x04) ends the simulation.
        shutdown_tag: this text ends the simulation; "" for none.

    Raises:
        BadInputError: the file cannot be written.
    """

    def __init__(self, out_file: str, *, shutdown_on_eot: bool = False, shutdown_tag: str = "") -> None:
        self._shutdown_on_eot = shutdown_on_eot
        self._tag = shutdown_tag.encode()
        self._line_tail = b""
        self._descriptor: int | None = None
        self._owned = False
        if out_file == "-":
            self._descriptor = STDOUT
        elif out_file:
            try:
                self._descriptor = os.open(out_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                raise BadInputError(f"UART output file {Path(out_file)}: cannot be written: {reason}") from error
            self._owned = True

    def feed(self, data: bytes) -> bytes | None:
        """Pass bytes on; what follows an end mark is dropped, as on a machine that stops there.

        Returns:
            The bytes passed on if they end with an end mark, None if the simulation goes on.

        Raises:
            TargetError: the output cannot be written (disk full, reader gone).
        """
        end = self._end(data)
        passed = data if end is None else data[:end]
        self._write(passed)
        if self._tag:
            self._line_tail = (self._line_tail + passed)[-len(self._tag) :]
        return None if end is None else passed

    def close(self) -> None:
        """Close the file."""
        if self._owned and self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def _end(self, data: bytes) -> int | None:
        """How many bytes belong to the output up to and with the first end mark."""
        ends = []
        if self._shutdown_on_eot and (position := data.find(EOT)) >= 0:
            ends.append(position + 1)
        if self._tag:
            # The tag may have begun in what came before.
            before = self._line_tail[-(len(self._tag) - 1) :] if len(self._tag) > 1 else b""
            if (position := (before + data).find(self._tag)) >= 0:
                ends.append(position + len(self._tag) - len(before))
        return min(ends, default=None)

    def _write(self, data: bytes) -> None:
        if self._descriptor is None:
            return
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise TargetError(f"UART output cannot be written: {error.strerror}") from error

"""Standard input, output and error as whoever started this process left them: open, closed, or with no reader."""

from __future__ import annotations

import io
import os
import select
import sys
from typing import Any, TextIO, cast


def standard_streams() -> None:
    """Have all three, whatever was closed, and print any text in any locale. Call once, first thing.

    A closed one is the null device: left closed, the next file that is opened would take its number, and be
    written to by whatever prints. What standard error cannot take is dropped: a note that nobody reads changes no
    exit status. Characters that the locale does not have are printed as escapes.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number, which is this one
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.stderr = io.TextIOWrapper(
        cast("Any", io.BufferedWriter(_Unfailing(2, "w", closefd=False))),
        encoding=sys.stderr.encoding if sys.stderr is not None else sys.stdout.encoding,
        errors="backslashreplace",
        line_buffering=True,
        write_through=True,
    )


def reader_gone(stream: TextIO) -> bool:
    """Whether a stream is a pipe or a socket that nobody reads any more."""
    poll = select.poll()
    try:
        poll.register(stream.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (OSError, ValueError):
        return False


class _Unfailing(io.FileIO):
    """A descriptor on which what cannot be written is lost."""

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except OSError:
            return len(content)

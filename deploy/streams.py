"""Paths that are no files on a disk: devices, FIFOs, and the descriptors that this process was given.

They are written to, never replaced, and hold nothing that could be stale. ``/dev/stdout``, ``/dev/fd/63`` (a
shell's ``>(...)``) and ``/proc/self/fd/1`` are links to an open file, maybe an ordinary one: opened anew it would
be cut off and written from its start, so it is the descriptor itself that is used.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import sys
import time
from pathlib import Path

from deploy.errors import BadInputError

STANDARD_OUTPUT = Path("/dev/stdout")
"""What :data:`DASH` stands for."""

DASH = "-"
"""How a user writes standard output where a file is wanted."""

_LINKS = 40
_READER_S = 10.0
_KINDS = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def is_stream(path: Path) -> bool:
    """Whether a path is to be written to and never replaced."""
    return descriptor(path) is not None or _kind(path) is not None


def descriptor(path: Path) -> int | None:
    """The descriptor of this process that a path names, through any number of links; None for other paths."""
    own = re.compile(rf"/proc/{os.getpid()}(?:/task/\d+)?/fd/(\d+)")
    for _ in range(_LINKS):
        # The last part is looked at as it is: followed, it would be the file behind the descriptor.
        place = Path(os.path.realpath(path.parent)) / path.name
        if (found := own.fullmatch(str(place))) is not None:
            return int(found[1])
        try:
            path = place.parent / place.readlink()
        except OSError:
            return None
    return None


def check_readable_file(path: Path) -> None:
    """Check that reading a path comes to an end: it is a file, a folder, missing, or a descriptor of this process.

    Raises:
        BadInputError: it is a FIFO, a device or a socket.
    """
    if (kind := _kind(path)) is not None and descriptor(path) is None:
        raise BadInputError(
            f"{path}: {kind}, not a file", hints=["write what comes out of it to a file, and name that"]
        )


def pour(source: Path, path: Path) -> None:
    """Write a file's content to a stream.

    Raises:
        BrokenPipeError: it is standard output, and its reader has gone.
        BadInputError: nobody reads the FIFO.
        OSError: it cannot be written.
    """
    number = descriptor(path)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # what was printed before comes before
    opened = _opened(path) if number is None else os.dup(number)
    with os.fdopen(opened, "wb") as target, source.open("rb") as content:
        shutil.copyfileobj(content, target)


def _kind(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    return next((name for test, name in _KINDS if test(mode)), None)


def _opened(path: Path) -> int:
    """A device, or a FIFO as soon as somebody reads it; without a bound that would be for ever."""
    deadline = time.monotonic() + _READER_S
    while True:
        try:
            opened = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError as error:
            if error.errno != errno.ENXIO or not path.is_fifo():
                raise
            if time.monotonic() > deadline:
                raise BadInputError(f"{path}: cannot be written: nobody reads it") from error
            time.sleep(0.05)
        else:
            os.set_blocking(opened, True)
            return opened

"""Keeps the hundreds of lines that TensorFlow prints off the terminal, and shows them when they matter."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from deploy.errors import DeployError
from deploy.printable import printable

_TAIL_BYTES = 8192
_TAIL_LINES = 40


@contextlib.contextmanager
def silenced(*, verbose: bool = False) -> Iterator[None]:
    """Hold back everything written to standard output and error, at file descriptor level.

    TensorFlow's converter writes from C++, so replacing ``sys.stdout`` is not enough. When the block fails with
    anything but an error of our own (which says what is wrong by itself), the last lines held back are printed.
    """
    if verbose:
        yield
        return
    with tempfile.TemporaryFile() as held:
        try:
            with _redirected(held):
                yield
        except DeployError:
            raise
        except Exception:
            for line in _tail(held):
                print(f"  | {printable(line)}", file=sys.stderr)
            raise


@contextlib.contextmanager
def _redirected(target: BinaryIO) -> Iterator[None]:
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    try:
        # Python's own streams too: under a test runner or a notebook they are not descriptors 1 and 2.
        with (
            os.fdopen(os.dup(target.fileno()), "w", encoding="utf-8", errors="replace") as text,
            contextlib.redirect_stdout(text),
            contextlib.redirect_stderr(text),
        ):
            os.dup2(target.fileno(), 1)
            os.dup2(target.fileno(), 2)
            yield
    finally:
        for number, descriptor in enumerate(saved, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)


def _tail(held: BinaryIO) -> list[str]:
    held.seek(0, os.SEEK_END)
    held.seek(max(0, held.tell() - _TAIL_BYTES))
    return held.read().decode("utf-8", "replace").splitlines()[-_TAIL_LINES:]

"""Removes what AutoGraph leaves among the temporary files.

TensorFlow writes the code that it generates into a file there, imports it, and removes it at the end of the
process; the bytecode that Python makes of it stays.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import sys
from pathlib import Path

_PREFIX = "__autograph_generated_file"
"""Of the names of modules that AutoGraph generates."""


@functools.cache
def remove_bytecode_at_exit() -> None:
    """Have the bytecode of all that AutoGraph generates in this process removed at its end."""
    atexit.register(_remove_bytecode)


def _remove_bytecode() -> None:
    for name, module in list(sys.modules.items()):
        bytecode = getattr(module, "__cached__", None) if name.startswith(_PREFIX) else None
        if bytecode:
            with contextlib.suppress(OSError):
                Path(bytecode).unlink(missing_ok=True)
                Path(bytecode).parent.rmdir()  # where nothing of another process lies in it

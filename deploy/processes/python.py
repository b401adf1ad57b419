"""The one way in which a Python module is run as a program."""

from __future__ import annotations

import sys


def module_command(module: str, *arguments: str) -> list[str]:
    """``python -m MODULE ARGUMENTS``, with this Python and what is installed in it.

    The working folder is often one that was cloned or unpacked a moment ago. ``-P`` keeps it off the import path,
    where ``-m`` alone puts it first: a ``json.py`` that lies there would be run.
    """
    return [sys.executable, "-P", "-m", module, *arguments]

"""Programs and forks are started one at a time in a process.

While a thread starts a program it waits for the end of a pipe that the program closes. A fork made by another
thread meanwhile would hold that pipe open for as long as it lives, and the thread would wait as long.
"""

from __future__ import annotations

import os
import threading

STARTING = threading.RLock()
"""Held by whoever starts a program."""


def fork() -> int:
    """``os.fork``, while nobody starts a program."""
    with STARTING:  # in the child it belongs to the thread that made the fork, which lets go of it there, too
        return os.fork()

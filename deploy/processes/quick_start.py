"""What a command sets before it imports anything large: it starts sooner."""

from __future__ import annotations

import gc
import os
import sys

_OBJECTS = 200_000
"""Imports make many and no garbage: to look for it among them takes 5 % of a short command (measured)."""

_TURN_S = 0.0005
"""A thread that asks QEMU again and again waits that long for one that computes, and not ten times as long."""


def quick_start() -> None:
    """Set it, once, first thing."""
    # OpenBLAS's threads begin with 25 ms of spinning each (measured), and nothing here multiplies in them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(_OBJECTS)
    sys.setswitchinterval(_TURN_S)

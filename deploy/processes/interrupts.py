"""Keeps Ctrl-C from getting lost where Python cannot raise it."""

from __future__ import annotations

import _thread
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_AGAIN_S = 0.005
"""At once would be in the hook itself, where it is dropped as well."""


def interrupts_are_kept() -> None:
    """Have a ``KeyboardInterrupt`` that Python drops come again.

    It drops what is raised in a destructor or in the callback of a weak reference, which imports run by the
    hundred: without this, a Ctrl-C may do nothing.
    """
    before = sys.unraisablehook

    def again(dropped: UnraisableHookArgs) -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            timer = threading.Timer(_AGAIN_S, _thread.interrupt_main)
            timer.daemon = True
            timer.start()
        else:
            before(dropped)

    sys.unraisablehook = again

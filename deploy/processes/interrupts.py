"""Keeps Ctrl-C from getting lost in code that drops it: destructors, callbacks, an ``except:`` of a library."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

_AGAIN_S = 0.3
_NONE = (None, (None, None, None))
"""No exception, as Python 3.12 says it, and 3.11."""

_answered = threading.Event()
_watched = False


def interrupts_are_kept() -> None:
    """Have a ``KeyboardInterrupt`` come again when nothing came of it.

    Call once, from the main thread. Where Ctrl-C is ignored, it stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def interrupt_answered() -> None:
    """Say that the program ends because of it: it comes no more."""
    _answered.set()


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    global _watched  # noqa: PLW0603 - signals belong to the process
    if not _watched:
        _watched = True
        threading.Thread(target=_watch, args=[threading.get_ident()], daemon=True).start()
    raise KeyboardInterrupt


def _watch(main: int) -> None:
    """Interrupt again, unless an exception is on its way: then the program cleans up."""
    while not _answered.wait(_AGAIN_S):
        if sys._current_exceptions().get(main) in _NONE:
            signal.pthread_kill(main, signal.SIGINT)  # a signal, for that it ends what waits, too

"""Keeps Ctrl-C from getting lost in code that drops it, and waiting while a child is started.

Destructors, callbacks, an ``except:`` of a library drop it. Nobody could end a child that is not known yet.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
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


_RAISING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Signals whose handler is a function here, which may raise, wait until the context ends.

    Their handlers are exchanged; to block signals would block them in a child that is started meanwhile, too. Only
    the main thread handles signals: in others there is nothing to do.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    handlers = {number: handler for number in _RAISING if callable(handler := signal.getsignal(number))}
    for number in handlers:
        signal.signal(number, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for raised in came:
            signal.raise_signal(raised)

"""Keeps Ctrl-C and the like waiting while a child is started: nobody could end one that is not known yet."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

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

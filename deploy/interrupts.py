"""Signals that end the program come through, and to what tidies up.

Ctrl-C is kept from getting lost in code that drops it (destructors, callbacks, an ``except:`` of a library), and
from waiting while a child is started. A wait that begins just behind a signal knows nothing of it, and may be for
ever: Python only notes the signal, until the wait is over. Nobody could end a child that is not known yet.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

_AGAIN_S = 0.3
_NUDGES_S = (0.05, 0.2, 1.0)
"""How long behind a signal, one after the other, waits are ended that may not know of it."""
_NUDGE = signal.SIGURG
"""Ends a wait of the main thread, and is ignored otherwise, as it is by default."""

_OTHERS_S = 5.0
"""An exception that does not come of the interrupt has so long to clean up: what it is may hide the interrupt."""

_answered = threading.Event()
_watched = False
_termination: signal.Signals | None = None


class Terminated(SystemExit):
    """A signal has the program leave, through all that tidies up."""


def signals_terminate() -> None:
    """Have SIGTERM, and SIGHUP of a terminal that is closed, raise :class:`Terminated`.

    Where a hang-up is ignored, as ``nohup`` has it, it stays so.
    """
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _terminate)


def _terminate(number: int, _frame: FrameType | None) -> NoReturn:
    global _termination  # noqa: PLW0603 - signals belong to the process
    if number == signal.SIGHUP:  # the shell and the kernel each send one
        signal.signal(number, signal.SIG_IGN)
    _termination = signal.Signals(number)
    raise Terminated(128 + number)


def termination() -> signal.Signals | None:
    """The signal that raised :class:`Terminated`, if one did: an error since then may come of it."""
    return _termination


def interrupts_are_kept() -> None:
    """Have a ``KeyboardInterrupt`` come again when nothing came of it.

    Call once, from the main thread. Where Ctrl-C is ignored, it stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def signals_end_waits() -> None:
    """Have a signal end what the main thread waits for, even if the wait began behind it.

    Call once, from the main thread, behind what needs a process without threads.
    """
    noted, note = os.pipe()
    os.set_blocking(note, False)
    signal.signal(_NUDGE, lambda _number, _frame: None)
    signal.set_wakeup_fd(note, warn_on_full_buffer=False)
    threading.Thread(target=_nudge, args=[noted, threading.get_ident()], daemon=True).start()


def _nudge(noted: int, main: int) -> None:
    while numbers := os.read(noted, 64):
        if set(numbers) != {_NUDGE}:
            for pause in _NUDGES_S:
                time.sleep(pause)
                signal.pthread_kill(main, _NUDGE)


def interrupt_came() -> bool:
    """Whether there was one: an error since then may come of it, whatever it says (compiled code rewords it)."""
    return _watched


def comes_of_interrupt(exception: BaseException | None) -> bool:
    """Whether an exception is an interrupt, or was raised because of one or while one was handled."""
    for _ in range(100):  # somebody may have made a circle
        if exception is None or isinstance(exception, KeyboardInterrupt):
            break
        exception = exception.__cause__ or exception.__context__
    return isinstance(exception, KeyboardInterrupt)


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
    others_s = 0.0
    while not _answered.wait(_AGAIN_S):
        exception = _current_exception(main)
        others_s += _AGAIN_S
        if comes_of_interrupt(exception):
            others_s = 0.0
        elif exception is None or others_s > _OTHERS_S:
            signal.pthread_kill(main, signal.SIGINT)  # a signal, for that it ends what waits, too


def _current_exception(thread: int) -> BaseException | None:
    found = sys._current_exceptions().get(thread)
    return found[1] if isinstance(found, tuple) else found  # as Python 3.11 says it, and 3.12


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

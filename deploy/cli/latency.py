"""What makes a command answer sooner: work that begins before it is needed, beside what the command waits for.

Nothing but time depends on it: the verbs would do the same without, and what they call gets what runs Vela as an
argument. (Processes that a library keeps warm for hundreds of jobs are :mod:`deploy.processes.warm`'s own.)
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.build_folder import BuildFolder
    from deploy.processes.supervisor import Ended, RunCommand
    from deploy.processes.warm import WarmPool

_started: list[WarmPool] = []
_HELP = {"-h", "--help"}


def start_vela(words: Sequence[str]) -> None:
    """Start Vela before the command line is read, which takes time, where its words say that it will be needed.

    What :func:`starting_vela` does not take over ends with this process.

    Args:
        words: after ``deploy``.
    """
    if words[:1] == ["compile"] and any(word.endswith(".tflite") for word in words) and not _HELP & {*words}:
        with contextlib.suppress(ImportError):  # whoever needs it says so
            import numpy  # noqa: F401 - this process and Vela's both need it: its fork has it
        _started.append(_vela(twin=True, forked=True))


def _vela(*, twin: bool, forked: bool = False) -> WarmPool:
    from deploy.compiling import vela_program
    from deploy.processes.warm import WarmPool

    pool = WarmPool(vela_program.MODULE, vela_program.IMPORTED, vela_program.LIMITS)
    pool.start(twin=twin, forked=forked)
    return pool


@contextlib.contextmanager
def starting_vela(*, twin: bool = False) -> Iterator[RunCommand]:
    """Vela while it starts: it gets imported beside whatever the caller still does, and runs in a fork then.

    Args:
        twin: whether two runs side by side are to come.

    Yields:
        What runs Vela's command; usable once or more, until the context ends.
    """
    pool = _started.pop() if _started else _vela(twin=twin)
    try:
        yield pool.run
    finally:
        pool.close()


def with_first(run: RunCommand, begin: Callable[[], None]) -> RunCommand:
    """What runs commands, and begins something beside the first of them: before, that would delay it.

    Args:
        run: what runs them.
        begin: begins it, without waiting for its end.
    """
    begun = False

    def running(command: Sequence[str], folder: Path, *, timeout_s: float) -> Ended:
        nonlocal begun
        if not begun:
            begun = True
            begin()
        return run(command, folder, timeout_s=timeout_s)

    return running


def load_report() -> None:
    """Load what the HTML report needs, while Vela is waited for."""
    _beside(_preload_report)


def load_verdict(build: BuildFolder, *, quiet: bool) -> None:
    """Load what prints a verdict, and the part of the report that is known already, while a target is waited for.

    Args:
        build: what is judged.
        quiet: little will be printed.
    """

    def load() -> None:
        import importlib.metadata  # noqa: F401

        if not quiet:
            from rich import console, table  # noqa: F401

            from deploy.reporting.text import verdict  # noqa: F401
        _preload_report(build)

    _beside(load)


def _preload_report(build: BuildFolder | None = None) -> None:
    from deploy.reporting.charts.library import installed_version

    installed_version()  # without it there is no report

    from deploy.reporting.pages.build import preload

    preload(build)


def _beside(load: Callable[[], None]) -> None:
    def loading() -> None:
        with contextlib.suppress(Exception):  # who needs it loads it again, and says what is wrong
            load()

    threading.Thread(target=loading, daemon=True).start()

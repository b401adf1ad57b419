"""Signs of life of long work: a bar on standard error that names the stage, and goes away at the end."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import TaskID


class Bar(Protocol):
    """A progress bar, as far as the verbs use one."""

    def __enter__(self) -> Bar:
        """Show it."""

    def __exit__(self, *error: object) -> None:
        """Remove it."""

    def stage(self, title: str) -> None:
        """Say what the work is from now on; nobody knows yet how much of it there is."""

    def advance(self, done: int, total: int) -> None:
        """Say how far the work is."""

    def close(self) -> None:
        """Remove it, before something is printed that stays."""


class HiddenBar:
    """A bar that shows nothing and loads nothing."""

    def __enter__(self) -> HiddenBar:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def stage(self, title: str) -> None:
        """Nothing to say."""

    def advance(self, done: int, total: int) -> None:
        """Nothing to say."""

    def close(self) -> None:
        """Nothing is there."""


class ShownBar:
    """A bar on standard error that goes away at the end.

    It moves although the work is not counted, and while what libraries print is held back. What is printed
    meanwhile stands above it.

    Args:
        title: what it says.
    """

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeElapsedColumn
        from rich.text import Text

        class Counted(MofNCompleteColumn):
            def render(self, task: Task) -> Text:
                return Text("") if task.total is None else super().render(task)

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            Counted(),
            TimeElapsedColumn(),
            console=Console(file=_terminal()),
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )
        self._task: TaskID = self._progress.add_task(title, total=None)

    def __enter__(self) -> ShownBar:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def stage(self, title: str) -> None:
        """Say what the work is from now on; nobody knows yet how much of it there is."""
        before, self._task = self._task, self._progress.add_task(title, total=None)
        self._progress.remove_task(before)

    def advance(self, done: int, total: int) -> None:
        """Say how far the work is."""
        self._progress.update(self._task, completed=done, total=total)

    def close(self) -> None:
        """Remove it, before something is printed that stays."""
        self._progress.stop()


def _terminal() -> TextIO:
    """Standard error as it is now, also when descriptor 2 leads elsewhere for a while."""
    return os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding, errors="replace")


def progress(title: str, *, quiet: bool = False) -> Bar:
    """A progress bar on standard error; hidden when that is no terminal, or with ``quiet``."""
    return HiddenBar() if quiet or not sys.stderr.isatty() else ShownBar(title)


def working(title: str, *, quiet: bool = False) -> Bar:
    """A progress bar that is shown at once, and until it is closed or the running verb ends."""
    import click

    return click.get_current_context().with_resource(progress(title, quiet=quiet))

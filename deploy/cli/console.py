"""What the command line prints with: rich consoles, error messages and progress bars."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from deploy.errors import DeployError, TargetError
from deploy.printable import printable

if TYPE_CHECKING:
    from rich.console import Console


def stdout() -> Console:
    """Console on standard output; soft-wraps, so that pipes get whole lines."""
    from deploy.cli.safe_console import SafeConsole

    return SafeConsole(soft_wrap=True, highlight=False, emoji=False, markup=False)


def print_markdown(text: str) -> None:
    """Print Markdown: laid out on a terminal, as it is into a file or pipe."""
    if not sys.stdout.isatty():
        print(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text))


def report_error(error: DeployError) -> None:
    """Print an error on standard error: what is wrong, the target's last lines, what to try."""
    print(f"deploy: error: {printable(error.message)}", file=sys.stderr)
    if isinstance(error, TargetError) and error.log:
        print("  last lines from the target:", file=sys.stderr)
        for line in error.log:
            print(f"    | {printable(line, keep='')}", file=sys.stderr)
    for hint in error.hints:
        print(f"  try: {printable(hint)}", file=sys.stderr)


def note_slow_npu_model() -> None:
    """Say that the NPU model is slow where its core is not compiled, and what to type."""
    from deploy.npu.core.library import slowness

    if (said := slowness()) is not None:
        print(f"note: {said}", file=sys.stderr)


class Bar(Protocol):
    """A progress bar, as far as the verbs use one."""

    def __enter__(self) -> Bar:
        """Show it."""

    def __exit__(self, *error: object) -> None:
        """Remove it."""

    def advance(self, done: int, total: int) -> None:
        """Say how far the work is."""


class HiddenBar:
    """A bar that shows nothing and loads nothing."""

    def __enter__(self) -> HiddenBar:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def advance(self, done: int, total: int) -> None:
        """Nothing to say."""


class ShownBar:
    """A bar on standard error that goes away at the end.

    Args:
        title: what it says.
    """

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task(title)

    def __enter__(self) -> ShownBar:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def advance(self, done: int, total: int) -> None:
        """Say how far the work is."""
        self._progress.update(self._task, completed=done, total=total)


def progress(title: str, *, quiet: bool = False) -> Bar:
    """A progress bar on standard error; hidden when that is no terminal, or with ``quiet``."""
    return HiddenBar() if quiet or not sys.stderr.isatty() else ShownBar(title)

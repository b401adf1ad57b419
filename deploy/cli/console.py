"""What the command line prints with: rich consoles, error messages and progress bars."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from deploy.errors import DeployError, TargetError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


def stdout() -> Console:
    """Console on standard output; soft-wraps, so that pipes get whole lines."""
    from rich.console import Console

    return Console(soft_wrap=True, highlight=False, emoji=False, markup=False)


def report_error(error: DeployError) -> None:
    """Print an error on standard error: what is wrong, the target's last lines, what to try."""
    print(f"deploy: error: {error.message}", file=sys.stderr)
    if isinstance(error, TargetError) and error.log:
        print("  last lines from the target:", file=sys.stderr)
        for line in error.log:
            print(f"    | {line}", file=sys.stderr)
    for hint in error.hints:
        print(f"  try: {hint}", file=sys.stderr)


def progress(*, quiet: bool = False) -> Progress:
    """A progress bar on standard error that shows nothing when that is no terminal, or with ``quiet``."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    hidden = quiet or not console.is_terminal
    console.quiet = hidden  # A disabled bar still ends with an empty line.
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=hidden,
    )

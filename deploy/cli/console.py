"""What the command line prints with: rich consoles and error messages."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

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


def report_error(error: DeployError, hints: Sequence[str] | None = None) -> None:
    """Print an error on standard error: what is wrong, the target's last lines, what to try.

    Args:
        error: what to print.
        hints: in place of its own.
    """
    print(f"deploy: error: {printable(error.message)}", file=sys.stderr)
    if isinstance(error, TargetError) and error.log:
        print("  last lines from the target:", file=sys.stderr)
        for line in error.log:
            print(f"    | {printable(line, keep='')}", file=sys.stderr)
    for hint in error.hints if hints is None else hints:
        print(f"  try: {printable(hint)}", file=sys.stderr)


def note_slow_npu_model() -> None:
    """Say that the NPU model is slow where its core is not compiled, and what to type."""
    from deploy.npu.core.library import slowness

    if (said := slowness()) is not None:
        print(f"note: {said}", file=sys.stderr)

"""What the command line prints with: rich consoles and error messages."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import DeployError, TargetError
from deploy.printable import printable

if TYPE_CHECKING:
    from rich.console import Console


def stdout() -> Console:
    """Console on standard output; soft-wraps, so that pipes get whole lines."""
    from deploy.cli.safe_console import SafeConsole

    return SafeConsole(soft_wrap=True, highlight=False, emoji=False, markup=False)


@contextlib.contextmanager
def into(path: Path | None) -> Iterator[None]:
    """What is printed meanwhile goes to a file, whole or not at all, as into a pipe; for None it is printed.

    Raises:
        BadInputError: it cannot be written.
    """
    if path is None:
        yield
        return
    from deploy.files import check_writable, write_text

    check_writable(path)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        yield
    write_text(path, printed.getvalue())


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


def note(text: str, *, quiet: bool = False) -> None:
    """Say what a user should know beside the result: on standard error, and in the documents of the call.

    Args:
        text: one sentence.
        quiet: in the documents alone.
    """
    from deploy.cli.call_documents import current

    current().note(text)
    if not quiet:
        print(f"note: {text}", file=sys.stderr)


def note_slow_npu_model(*, quiet: bool = False) -> None:
    """Say that the NPU model is slow where its core is not compiled, and what to type; see :func:`note`."""
    from deploy.npu.core.library import slowness

    if (said := slowness()) is not None:
        note(said, quiet=quiet)

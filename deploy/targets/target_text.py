"""What a target says, made safe to print: without anything that a terminal would act upon, and bounded. Pure."""

from __future__ import annotations

from deploy.printable import printable

_LAST_TEXT = 64 * 1024
_MAX_LINE = 200


def shown(text: str, limit: int = 400) -> str:
    """One piece of text, not longer than ``limit``; dots stand for what cannot be printed."""
    return printable(text[:limit], keep="", mark=".")


def last_lines(text: str, count: int = 12) -> tuple[str, ...]:
    """The last lines that say something, at most 200 characters each; a profile in ``<metrics>`` says nothing."""
    # A target that talks without end is cut off: what it said last is near the end.
    lines = (line.strip("\x04 \t") for line in text[-_LAST_TEXT:].splitlines())
    said = [shown(line, _MAX_LINE) for line in lines if line and not line.startswith("<metrics>")]
    return tuple(said[-count:])


def simulator_lines(said: str) -> tuple[str, ...]:
    """The last lines of what a simulator said itself, told from those of its firmware."""
    return tuple(f"[simulator] {line}" for line in last_lines(said, 4))

"""The exception tree: every error carries what is wrong, what to try, and the exit status it ends with.

Exit status (a contract of the command line): 0 verdict pass, 1 verdict fail, 2 usage or bad input,
3 something is not installed, 4 the target failed or gave no complete answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum

_PRIVATE_FOLDER = re.compile(r"[^\s'\"`=,;(]*/\.?deploy-[a-z]+-[0-9a-f]{16}/?")
_UNFINISHED_FILE = re.compile(r"(?<![^\s'\"`=,;(/])\.([^\s/]{1,40})\.[0-9a-f]{16}(?![0-9a-f])")


def public(text: str) -> str:
    """A text without the names of private folders and unfinished files, which are gone when somebody reads it."""
    return _UNFINISHED_FILE.sub(r"\1", _PRIVATE_FOLDER.sub("", text))


class ExitStatus(IntEnum):
    """The exit statuses of every ``deploy`` command."""

    PASS = 0
    FAIL = 1
    BAD_INPUT = 2
    NOT_INSTALLED = 3
    TARGET_FAILED = 4


class DeployError(Exception):
    """Root of all errors that ``deploy`` reports to its user."""

    exit_status: ExitStatus = ExitStatus.TARGET_FAILED

    def __init__(self, message: str, *, hints: Sequence[str] = ()) -> None:
        message = public(message)
        super().__init__(message)
        self.message = message
        self.hints = tuple(map(public, hints))
        for hint in self.hints:  # seen where nobody catches the error: in a test's report, in a notebook
            self.add_note(f"try: {hint}")


class BadInputError(DeployError):
    """An option, file or model that cannot be used as it is."""

    exit_status = ExitStatus.BAD_INPUT


class NotInstalledError(DeployError):
    """A program or package that this step needs is missing."""

    exit_status = ExitStatus.NOT_INSTALLED


class TargetError(DeployError):
    """The target (simulator, firmware, NPU) failed or gave no complete answer; its last lines are the log."""

    exit_status = ExitStatus.TARGET_FAILED

    def __init__(self, message: str, *, hints: Sequence[str] = (), log: Sequence[str] = ()) -> None:
        super().__init__(message, hints=hints)
        self.log = tuple(map(public, log))

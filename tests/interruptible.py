"""Programs that tests interrupt."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

import pytest


def started(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """``subprocess.Popen`` of a program that Ctrl-C and a hang-up end.

    Else it would inherit that they are ignored from whoever started the tests so: a shell's background job,
    ``nohup``, some CI runners. Then it would rightly go on; tests are about one that a user started at a terminal.
    """
    options["env"] = {**options.get("env", os.environ), "PYTHONFAULTHANDLER": "1"}
    return subprocess.Popen(command, preexec_fn=_heed_signals, **options)  # noqa: PLW1509


def said(process: subprocess.Popen[str], timeout_s: float) -> tuple[str, str]:
    """What a program prints until it ends, as ``communicate`` returns it; a test fails with where it hangs."""
    try:
        return process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # Python's fault handler prints what each thread is at
        try:
            output, errors = process.communicate(timeout=10)
        except subprocess.TimeoutExpired as error:
            process.kill()
            output, errors = "", f"and nothing more: {error}"
    pytest.fail(f"it has not ended within {timeout_s:g} s\n{output or ''}\n{errors or ''}")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts this process, however the tests were started."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _heed_signals() -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)

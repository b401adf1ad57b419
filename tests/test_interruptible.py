"""Tests that interrupt a program do so whoever started them."""

import signal
import subprocess
import sys

import interruptible
import pytest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_program_is_interrupted_where_the_tests_were_started_with_the_signal_ignored(number: int) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        program = interruptible.started(["sleep", "60"])
    finally:
        signal.signal(number, before)
    program.send_signal(number)
    assert program.wait(timeout=10) == -number


def test_of_a_program_that_hangs_is_said_where() -> None:
    code = "import time\ndef hanging():\n    time.sleep(60)\nhanging()"
    program = interruptible.started([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    with pytest.raises(pytest.fail.Exception, match="in hanging"):
        interruptible.said(program, 1)
    assert program.poll() == -signal.SIGABRT

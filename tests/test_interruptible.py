"""Tests that interrupt a program do so whoever started them."""

import signal

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

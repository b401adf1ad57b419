"""Ctrl-C counts wherever it arrives."""

import subprocess
import sys

import pytest

DROPPED = """
import os, signal, time
from deploy.processes.interrupts import interrupts_are_kept
if {kept}:
    interrupts_are_kept()
class Closing:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100): pass
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    Closing()
    time.sleep(1)
    print("went on")
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(("kept", "said"), [(True, "interrupted"), (False, "went on")])
def test_an_interrupt_in_a_destructor_comes_again(kept: bool, said: str) -> None:
    code = DROPPED.format(kept=kept)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"{said}\n"


def test_other_errors_of_destructors_are_told_as_before() -> None:
    code = (
        "from deploy.processes.interrupts import interrupts_are_kept\ninterrupts_are_kept()\n"
        "class Closing:\n    def __del__(self): raise ValueError('told')\nClosing()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "ValueError: told" in done.stderr

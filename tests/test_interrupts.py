"""Ctrl-C counts wherever it arrives."""

import signal
import subprocess
import sys
import time

import pytest

START = """
import os, signal, sys, time
from deploy import interrupts
from deploy.interrupts import interrupt_answered, interrupts_are_kept
signal.signal(signal.SIGINT, signal.default_int_handler)
interrupts_are_kept()
interrupts._OTHERS_S = 1.0
class Closing:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100): pass
"""


def said(code: str) -> list[str]:
    """What a program prints."""
    done = subprocess.run(
        [sys.executable, "-c", START + code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "dropped",
    [
        "    Closing()\n",
        "    try: os.kill(os.getpid(), signal.SIGINT); time.sleep(1)\n    except: pass\n",
        "    try: 1 / 0\n    except ZeroDivisionError: Closing(); time.sleep(20)\n",
    ],
)
def test_an_interrupt_that_is_dropped_comes_again(dropped: str) -> None:
    code = f"try:\n{dropped}    time.sleep(10)\n    print('went on')\n"
    code += "except KeyboardInterrupt: print('interrupted')\n"
    assert said(code) == ["interrupted"]


def test_cleaning_up_is_left_alone_and_so_is_the_end() -> None:
    code = (
        "try:\n    try: os.kill(os.getpid(), signal.SIGINT); time.sleep(1)\n"
        "    finally:\n        time.sleep(1); print('clean')\n"
        "except KeyboardInterrupt:\n    interrupt_answered()\ntime.sleep(1); print('end')\n"
    )
    assert said(code) == ["clean", "end"]


def test_an_interrupt_that_is_ignored_stays_so() -> None:
    code = (
        START.replace("default_int_handler", "SIG_IGN") + "print('ready', flush=True); time.sleep(1); print('end')"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        assert process.communicate(timeout=30)[0] == "end\n"


@pytest.mark.parametrize(
    "wait", ["lock.acquire()", "select.select([], [], [])", "os.read(end, 1)", "thread.join()"]
)
def test_a_signal_ends_a_wait_that_knows_nothing_of_it(wait: str) -> None:
    # As when the wait begins just behind the signal: another thread is told of it, and no wait of this one's ends.
    code = f"""
import select, threading
from deploy.interrupts import signals_end_waits
signals_end_waits()
lock, (end, _) = threading.Lock(), os.pipe()
lock.acquire()
thread = threading.Thread(target=time.sleep, args=[50], daemon=True)
thread.start()
threading.Timer(0.2, lambda: signal.pthread_kill(thread.ident, signal.SIGINT)).start()
began = time.monotonic()
try:
    {wait}
except KeyboardInterrupt:
    interrupt_answered()
    print("ended", time.monotonic() - began < 30, flush=True)
os._exit(0)
"""
    assert said(code) == ["ended True"]

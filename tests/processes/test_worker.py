"""A child that answers requests, and what is left when it cannot."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from processes.child_programs import assert_gone, number_in

from deploy.processes import worker as module
from deploy.processes.forked import ForkedCall
from deploy.processes.worker import TOO_LONG, Buffer, Worker, WorkerEndedError


def answer(head: bytes, body: bytearray) -> tuple[bytes, Sequence[Buffer]]:
    """Does what the head says."""
    match head:
        case b"number":
            return str(os.getpid()).encode(), ()
        case b"print":
            os.write(2, bytes(body))
        case b"abort":
            os.write(2, b"Check failed: scale\n")
            os.abort()
        case b"sleep":
            time.sleep(60)
        case b"raise":
            raise ZeroDivisionError("no number")
        case b"memory":
            return str(len(bytearray(1 << 60))).encode(), ()
        case b"interrupt":
            os.kill(os.getpid(), signal.SIGINT)
    return head, (body, b"", body)


@pytest.mark.parametrize("size", [0, 1, 1 << 16, 5 << 20])
def test_a_request_is_answered_whatever_its_size(size: int) -> None:
    body = os.urandom(size)
    child = Worker(answer)
    for _ in range(2):
        assert child.ask(b"twice", [body[: size // 2], body[size // 2 :]], timeout_s=10) == (b"twice", 2 * body)


@pytest.mark.parametrize(
    ("head", "how", "printed"),
    [
        (b"abort", "SIGABRT", ("Check failed: scale",)),
        (b"raise", "status 1", ("ZeroDivisionError: no number",)),
        (b"memory", "status 1", ("MemoryError:",)),
    ],
)
def test_what_ends_the_child_is_named_with_its_last_words_and_this_process_lives(
    head: bytes, how: str, printed: tuple[str, ...]
) -> None:
    child = Worker(answer)
    with pytest.raises(WorkerEndedError) as ended:
        child.ask(head, timeout_s=10)
    assert ended.value.how == how
    assert (child.alive, child.printed()) == (False, printed)
    with pytest.raises(WorkerEndedError):
        child.ask(b"number", timeout_s=10)


def test_a_child_that_hangs_is_killed() -> None:
    child = Worker(answer)
    number = int(child.ask(b"number", timeout_s=10)[0])
    with pytest.raises(WorkerEndedError) as ended:
        child.ask(b"sleep", timeout_s=0.2)
    assert ended.value.how == TOO_LONG
    assert_gone(number)


def test_what_was_printed_for_an_earlier_request_is_forgotten() -> None:
    child = Worker(answer)
    child.ask(b"print", [b"first\n"], timeout_s=10)
    assert child.printed() == ("first",)
    child.ask(b"print", [b"second\n"], timeout_s=10)
    assert child.printed() == ("second",)


def test_it_ends_when_it_is_closed_and_when_nobody_holds_it_any_more() -> None:
    child = Worker(answer)
    number = int(child.ask(b"number", timeout_s=10)[0])
    child.close()
    child.close()
    assert_gone(number)
    child = Worker(answer)
    number = int(child.ask(b"number", timeout_s=10)[0])
    del child
    gc.collect()
    assert_gone(number)


def test_who_waits_for_an_answer_learns_that_another_thread_has_closed_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wait looks again at the descriptor's number, which must not be another's by then."""
    child, open_then, begun = Worker(answer), list[bool](), threading.Event()
    received = module._received

    def slowly(channel: socket.socket, deadline: float | None) -> tuple[bytes, bytearray]:
        begun.set()
        try:
            return received(channel, deadline)
        finally:
            time.sleep(0.2)  # in which the other thread would close it
            open_then.append(channel.fileno() >= 0)

    monkeypatch.setattr(module, "_received", slowly)
    ended = list[str]()

    def ask() -> None:
        with pytest.raises(WorkerEndedError) as caught:
            child.ask(b"sleep", timeout_s=20)
        ended.append(caught.value.how)

    thread = threading.Thread(target=ask)
    thread.start()
    assert begun.wait(10)
    child.close()
    thread.join(10)
    assert (ended, open_then) == (["SIGKILL"], [True])
    assert child._process.channel.fileno() < 0


@pytest.mark.parametrize("where", ["the main thread", "another thread"])
def test_it_ends_when_its_parent_is_killed(tmp_path: Path, where: str) -> None:
    start = "make()" if where == "the main thread" else "threading.Thread(target=make).start()"
    code = (
        "import threading, time\nfrom deploy.processes.worker import Worker\n"
        "def make():\n    global child\n    child = Worker(lambda head, body: (head, ()))\n"
        f"    open({str(tmp_path / 'number')!r}, 'w').write(f'{{child._process._child}}\\n')\n"
        f"{start}\ntime.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    number = number_in(tmp_path / "number")
    parent.kill()
    parent.wait()
    assert_gone(number)


def test_a_child_that_hangs_when_its_parent_is_killed_ends_when_its_time_is_up(tmp_path: Path) -> None:
    code = (
        "import threading, time\nfrom deploy.processes.worker import Worker\n"
        "def make():\n    child = Worker(lambda head, body: time.sleep(60))\n"
        f"    open({str(tmp_path / 'number')!r}, 'w').write(f'{{child._process._child}}\\n')\n"
        "    child.ask(b'', timeout_s=1)\n"
        "threading.Thread(target=make).start()\ntime.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    number = number_in(tmp_path / "number")
    parent.kill()
    parent.wait()
    assert_gone(number)


def test_it_outlives_the_thread_that_started_it() -> None:
    made: list[Worker] = []
    thread = threading.Thread(target=lambda: made.append(Worker(answer)))
    thread.start()
    thread.join()
    time.sleep(0.05)
    assert made[0].ask(b"still there", timeout_s=10)[0] == b"still there"


def test_ctrl_c_is_for_its_parent() -> None:
    child = Worker(answer)
    assert child.ask(b"interrupt", timeout_s=10)[0] == b"interrupt"


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_request_leaves_no_answer_for_the_next_one() -> None:
    child = Worker(answer)
    number = int(child.ask(b"number", timeout_s=10)[0])
    timer = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        child.ask(b"sleep", timeout_s=30)
    assert time.monotonic() - started < 0.2 + module._EXIT_S, "it is ended, not waited for"
    assert not child.alive
    assert_gone(number)


def test_a_fork_of_this_process_neither_asks_it_nor_ends_it_nor_keeps_it_alive(tmp_path: Path) -> None:
    child = Worker(answer)

    def fork() -> None:
        (tmp_path / "alive").write_text(str(child.alive))
        with pytest.raises(WorkerEndedError):
            child.ask(b"number", timeout_s=1)
        child.close()
        (tmp_path / "done").touch()
        time.sleep(60)

    other = ForkedCall(fork)
    deadline = time.monotonic() + 10
    while not (tmp_path / "done").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (tmp_path / "alive").read_text() == "False"
    number = int(child.ask(b"number", timeout_s=10)[0])
    child._process.channel.close()  # as when this process ends: the fork's copy must not hold it open
    assert_gone(number)
    other.kill()


def test_a_message_that_says_it_is_endless_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    child = Worker(answer)
    child.ask(b"x", timeout_s=10)
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 10)
    with pytest.raises(WorkerEndedError):
        child.ask(b"twice", [b"eight by"], timeout_s=10)


def test_what_this_process_has_open_is_not_held_open_by_the_child() -> None:
    reads, writes = os.pipe()
    child = Worker(answer)
    os.close(writes)
    assert os.read(reads, 1) == b""
    os.close(reads)
    assert child.ask(b"here", timeout_s=10)[0] == b"here"

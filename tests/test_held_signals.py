"""A signal that comes while a child is started finds it where it can be ended."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest
from processes.child_programs import assert_gone, children, python

from deploy.interrupts import held
from deploy.processes import supervisor
from deploy.processes.child import Child
from deploy.processes.guard import GUARD


@pytest.fixture
def raising() -> Iterator[None]:
    def handle(_number: int, _frame: object) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGTERM, handle)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("raising")
def test_a_signal_waits_until_the_context_ends_and_is_handled_then() -> None:
    done = []

    def work() -> None:
        with held():
            signal.raise_signal(signal.SIGTERM)
            done.append("all of it")

    with pytest.raises(InterruptedError):
        work()
    assert done
    with pytest.raises(InterruptedError):
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.usefixtures("raising")
def test_a_child_that_a_signal_finds_half_started_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    before = children()
    started: list[int] = []

    def watch(child: int, *, polite: bool) -> None:
        started.append(child)
        os.kill(os.getpid(), signal.SIGTERM)
        original(child, polite=polite)

    original = GUARD.watch
    monkeypatch.setattr(GUARD, "watch", watch)
    for start in (lambda: Child(["sleep", "60"]), lambda: supervisor.run(["sleep", "60"], timeout_s=60)):
        with pytest.raises(InterruptedError):
            start()
        assert_gone(started[-1], within_s=1)
    assert children() == before


@pytest.mark.usefixtures("raising")
def test_a_child_does_not_inherit_that_signals_wait() -> None:
    ended = supervisor.run(python("import os; os.kill(os.getpid(), 15)"), timeout_s=30)
    assert ended.describe() == "was killed by SIGTERM"


def test_threads_that_get_no_signals_start_children_all_the_same() -> None:
    ended: list[str] = []
    thread = threading.Thread(target=lambda: ended.append(supervisor.run(["echo", "here"], timeout_s=30).output))
    thread.start()
    thread.join()
    assert ended == ["here\n"]

"""Programs that are started while this process is forked."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from deploy.processes.child import Child
from deploy.processes.forked import ForkedCall
from deploy.processes.starting import STARTING, fork
from deploy.processes.worker import Worker


def forked_call() -> Callable[[], None]:
    return ForkedCall(lambda: time.sleep(60)).kill


def worker() -> Callable[[], None]:
    return Worker(lambda head, _body: (head, ())).close


@pytest.mark.parametrize("forked", [forked_call, worker])
def test_a_fork_made_meanwhile_does_not_keep_a_thread_from_starting_a_program(
    forked: Callable[[], Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread waits for the end of a pipe, of which the fork would hold a copy."""
    begun = threading.Event()
    start = subprocess._fork_exec  # type: ignore[attr-defined]

    def slow_start(*arguments: Any) -> Any:
        begun.set()
        time.sleep(0.3)  # in which the fork would be made
        return start(*arguments)

    monkeypatch.setattr(subprocess, "_fork_exec", slow_start)
    done = threading.Event()

    def program() -> None:
        with Child(["true"]) as child:
            child.wait(10)
            done.set()

    thread = threading.Thread(target=program, daemon=True)
    thread.start()
    assert begun.wait(10)
    end = forked()
    try:
        assert done.wait(5), "the thread waits for the fork's end"
    finally:
        end()
        thread.join(10)


def test_a_fork_may_start_programs_itself() -> None:
    child = fork()
    if child == 0:
        free = STARTING.acquire(blocking=False)
        os._exit(0 if free else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

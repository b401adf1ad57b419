"""A call is made where it can do no harm, and ends with all that it has forked."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from processes.child_programs import assert_gone, number_in, says_its_number

from deploy.processes.forked import ForkedCall
from deploy.processes.limits import Limits


@pytest.mark.parametrize("call", [lambda: None, lambda: 1 / 0, os.abort, lambda: os.write(1, b"printed")])
def test_a_call_ends_as_it_likes_and_prints_nothing(
    call: Callable[[], object], capfd: pytest.CaptureFixture[str]
) -> None:
    forked = ForkedCall(call)
    assert forked.wait(10)
    assert forked.ended()
    forked.kill()
    assert capfd.readouterr() == ("", "")


def test_a_call_ends_when_deploy_is_killed(tmp_path: Path) -> None:
    code = (
        "import time; from deploy.processes.forked import ForkedCall\n"
        f"def call():\n    {says_its_number(tmp_path / 'number')}\n    time.sleep(60)\n"
        "ForkedCall(call).wait(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    called = number_in(tmp_path / "number")
    parent.kill()
    parent.wait()
    assert_gone(called)


@pytest.mark.parametrize("end", [ForkedCall.kill, ForkedCall.end])
def test_a_call_that_never_ends_is_killed_with_what_it_has_forked(
    end: Callable[[ForkedCall], None], tmp_path: Path
) -> None:
    def call() -> None:
        if os.fork() == 0:
            (tmp_path / "number").write_text(f"{os.getpid()}\n")
            time.sleep(60)
        time.sleep(60)

    leading = ForkedCall(call)
    forked = number_in(tmp_path / "number")
    assert os.getpgid(forked) == leading._child
    assert not leading.wait(0.1)
    end(leading)
    assert leading.ended()
    assert_gone(forked)


def test_a_call_keeps_its_bounds(tmp_path: Path) -> None:
    bounded = ForkedCall(lambda: (tmp_path / "large").write_bytes(bytes(4096)), limits=Limits(file_bytes=100))
    assert bounded.wait(10)
    assert (tmp_path / "large").stat().st_size == 100

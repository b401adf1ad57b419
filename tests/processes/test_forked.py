"""A call is tried where it can do no harm."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes.child_programs import assert_gone, number_in, says_its_number

from deploy.processes import forked
from deploy.processes.forked import ForkedCall
from deploy.processes.limits import Limits


def test_a_call_that_aborts_is_named_by_its_signal_and_one_that_raises_is_not() -> None:
    assert ForkedCall(os.abort).fatal_signal(until=time.monotonic() + 10) == "SIGABRT"
    assert ForkedCall(lambda: 1 / 0).fatal_signal(until=time.monotonic() + 10) is None


def test_a_call_that_never_ends_is_killed() -> None:
    with pytest.raises(TimeoutError):
        ForkedCall(lambda: time.sleep(60)).fatal_signal(until=time.monotonic() + 0.2)


def test_a_call_ends_when_deploy_is_killed(tmp_path: Path) -> None:
    code = (
        "import time; from deploy.processes.forked import ForkedCall\n"
        f"def call():\n    {says_its_number(tmp_path / 'number')}\n    time.sleep(60)\n"
        "ForkedCall(call).fatal_signal(until=time.monotonic() + 60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    tried = number_in(tmp_path / "number")
    parent.kill()
    parent.wait()
    assert_gone(tried)


def test_a_call_can_be_left_running_waited_for_and_killed(tmp_path: Path) -> None:
    call = ForkedCall((tmp_path / "done").touch)
    assert call.fatal_signal(until=time.monotonic() + 10) is None
    assert (tmp_path / "done").exists()
    call.kill()
    waiting = ForkedCall(lambda: time.sleep(60))
    waiting.kill()
    assert waiting.fatal_signal(until=time.monotonic()) == "SIGKILL"


def test_a_call_without_a_descriptor_for_its_end_is_looked_at_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forked, "_end_of", lambda _child: None)
    assert ForkedCall(os.abort).fatal_signal(until=time.monotonic() + 10) == "SIGABRT"
    with pytest.raises(TimeoutError):
        ForkedCall(lambda: time.sleep(60)).fatal_signal(until=time.monotonic() + 0.2)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors in /proc")
def test_a_call_that_has_ended_leaves_no_descriptor_open() -> None:
    before = len([*Path("/proc/self/fd").iterdir()])
    assert ForkedCall(lambda: None).fatal_signal(until=time.monotonic() + 10) is None
    ForkedCall(lambda: time.sleep(60)).kill()
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_a_call_that_leads_is_killed_with_what_it_forks_and_keeps_its_bounds(tmp_path: Path) -> None:
    def call() -> None:
        if os.fork() == 0:
            (tmp_path / "number").write_text(f"{os.getpid()}\n")
            time.sleep(60)
        time.sleep(60)

    leading = ForkedCall(call, leads=True)
    forked = number_in(tmp_path / "number")
    assert os.getpgid(forked) == leading._child
    assert not leading.wait(0)
    leading.kill()
    assert leading.wait(0)
    assert_gone(forked)
    bounded = ForkedCall(lambda: (tmp_path / "large").write_bytes(bytes(4096)), limits=Limits(file_bytes=100))
    assert bounded.wait(10)
    assert (tmp_path / "large").stat().st_size == 100

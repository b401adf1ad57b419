"""Warm processes give what the command gives, and end with whoever started them."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from deploy import bounded_process
from deploy.warm_process import WarmPool, WarmProcess

TOOL = """
import os, sys
STATE = []
def main():
    STATE.append(1)
    print("runs:", len(STATE), sys.argv[1:], os.getcwd())
    if "sleep" in sys.argv:
        import time
        print(os.getpid(), flush=True)
        time.sleep(60)
    if "raise" in sys.argv:
        raise ValueError("said so")
    if "abort" in sys.argv:
        os.abort()
    sys.exit(3 if "three" in sys.argv else None)
"""


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    package = tmp_path / "path" / "warmtool"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "tool.py").write_text(TOOL)
    (package / "__main__.py").write_text("from warmtool.tool import main\nmain()\n")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    return "warmtool"


def folder(tmp_path: Path, name: str) -> Path:
    made = tmp_path / name
    made.mkdir()
    return made


@pytest.mark.parametrize("words", [["a", "b c"], ["three"], ["raise"], ["abort"]])
def test_a_warm_run_ends_and_says_what_the_command_does(tool: str, tmp_path: Path, words: list[str]) -> None:
    command = [sys.executable, "-m", tool, *words]
    work = folder(tmp_path, "work")
    cold = bounded_process.run(command, work, timeout_s=30)
    pool = WarmPool(tool, f"{tool}.tool")
    try:
        for _ in range(2):
            warm = pool.run(command, work, timeout_s=30)
            assert warm.status == cold.status
            assert warm.timed_out == cold.timed_out
            assert warm.output.splitlines()[0] == cold.output.splitlines()[0]
            assert warm.last_lines(1) == cold.last_lines(1)
    finally:
        pool.close()


def test_a_run_that_takes_too_long_is_killed_and_the_next_one_works(tool: str, tmp_path: Path) -> None:
    pool = WarmPool(tool, f"{tool}.tool")
    work = folder(tmp_path, "work")
    try:
        ended = pool.run([sys.executable, "-m", tool, "sleep"], work, timeout_s=2)
        assert ended.timed_out
        assert ended.describe() == "took too long"
        assert_gone(int(ended.output.split()[-1]))
        assert pool.run([sys.executable, "-m", tool, "three"], work, timeout_s=30).status == 3
    finally:
        pool.close()


def test_a_killed_warm_process_costs_time_and_nothing_else(tool: str, tmp_path: Path) -> None:
    pool = WarmPool(tool, f"{tool}.tool")
    work = folder(tmp_path, "work")
    try:
        assert pool.run([sys.executable, "-m", tool], work, timeout_s=30).status == 0
        (warm,) = pool._all
        warm._process.kill()
        warm._process.wait()
        assert pool.run([sys.executable, "-m", tool, "three"], work, timeout_s=30).status == 3
    finally:
        pool.close()


def test_closing_ends_a_run_that_another_thread_waits_for(tool: str, tmp_path: Path) -> None:
    pool = WarmPool(tool, f"{tool}.tool")
    work = folder(tmp_path, "work")
    ended: list[bounded_process.Ended] = []
    thread = threading.Thread(
        target=lambda: ended.append(pool.run([sys.executable, "-m", tool, "sleep"], work, timeout_s=60))
    )
    thread.start()
    child = wait_for_number(work / bounded_process.OUTPUT_FILE)
    pool.close()
    thread.join(timeout=10)
    assert ended and ended[0].status != 0
    assert_gone(child)


def test_twins_run_side_by_side_and_each_ends_without_the_other(tool: str, tmp_path: Path) -> None:
    pool = WarmPool(tool, f"{tool}.tool")
    pool.start(twin=True)
    works = [folder(tmp_path, name) for name in ("one", "two", "three")]
    ended: list[bounded_process.Ended] = []
    asleep = threading.Thread(
        target=lambda: ended.append(pool.run([sys.executable, "-m", tool, "sleep"], works[0], timeout_s=60))
    )
    asleep.start()
    child = wait_for_number(works[0] / bounded_process.OUTPUT_FILE)
    try:
        assert pool.run([sys.executable, "-m", tool, "three"], works[1], timeout_s=30).status == 3
        assert len(pool._all) == 2, "no third process was needed"
        assert pool.run([sys.executable, "-m", tool, "sleep"], works[1], timeout_s=1).timed_out
        assert asleep.is_alive()
    finally:
        pool.close()
    asleep.join(timeout=10)
    assert ended and ended[0].status != 0
    assert_gone(child)


@pytest.mark.parametrize("half", [0, 1])
def test_a_twin_serves_on_when_the_other_half_is_closed(tool: str, tmp_path: Path, half: int) -> None:
    process = WarmProcess(tool, f"{tool}.tool", twin=True)
    assert process.twin is not None
    halves = (process, process.twin)
    halves[half].close()
    work = folder(tmp_path, "work")
    left = halves[1 - half].run(["three"], work, timeout_s=30)
    assert left is not None and left.status == 3
    assert halves[half].run([], work, timeout_s=30) is None
    halves[1 - half].close()


def test_nothing_outlives_a_killed_parent(tool: str, tmp_path: Path) -> None:
    work = folder(tmp_path, "work")
    code = (
        "import sys; from pathlib import Path; from deploy.warm_process import WarmProcess\n"
        f"WarmProcess({tool!r}, '{tool}.tool').run(['sleep'], Path({str(work)!r}), timeout_s=60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    child = wait_for_number(work / bounded_process.OUTPUT_FILE)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert_gone(child)


def test_a_module_that_cannot_be_imported_fails_as_the_command_does(tmp_path: Path) -> None:
    pool = WarmPool("nosuchmodule", "nosuchmodule.main")
    ended = pool.run([sys.executable, "-m", "nosuchmodule"], folder(tmp_path, "work"), timeout_s=30)
    assert ended.status == 1
    assert "No module named nosuchmodule" in ended.output
    assert WarmProcess("nosuchmodule", "nosuchmodule").run([], tmp_path, timeout_s=30) is None
    pool.close()


def wait_for_number(log: Path) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        words = log.read_text().split() if log.exists() else []
        if words and words[-1].isdigit():
            return int(words[-1])
        time.sleep(0.05)
    raise AssertionError("it never started")


def assert_gone(process: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except OSError:
            return
        time.sleep(0.05)
    os.kill(process, signal.SIGKILL)
    raise AssertionError(f"process {process} still runs")

"""Warm processes give what the command gives, and end with whoever started them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes.child_programs import assert_gone, number_in

from deploy.processes import supervisor, warm
from deploy.processes.child import Child
from deploy.processes.forked import ForkedCall
from deploy.processes.python import module_command
from deploy.processes.supervisor import Ended
from deploy.processes.warm import WarmPool

TOOL = """
import os, sys
STATE = []
def main():
    STATE.append(1)
    print("runs:", len(STATE), sys.argv[1:], os.getcwd(), flush=True)
    if "sleep" in sys.argv:
        import time
        print("sleeps", flush=True)
        with open("number", "w") as file:
            print(os.getpid(), file=file)
        time.sleep(60)
    if "flood" in sys.argv:
        for _ in range(400):
            os.write(1, b"x" * 65536)
    if "eat" in sys.argv:
        import resource
        print("memory:", resource.getrlimit(resource.RLIMIT_DATA)[0], resource.getrlimit(resource.RLIMIT_FSIZE)[0])
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
    command = module_command(tool, *words)
    work = folder(tmp_path, "work")
    cold = supervisor.run(command, work, timeout_s=30)
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
        ended = pool.run(module_command(tool, "sleep"), work, timeout_s=2)
        assert ended.timed_out
        assert ended.describe() == "took too long"
        assert "sleeps" in ended.output
        assert_gone(number_in(work / "number"))
        assert pool.run(module_command(tool, "three"), work, timeout_s=30).status == 3
    finally:
        pool.close()


def test_a_killed_warm_process_costs_time_and_nothing_else(tool: str, tmp_path: Path) -> None:
    pool = WarmPool(tool, f"{tool}.tool")
    work = folder(tmp_path, "work")
    try:
        assert pool.run(module_command(tool), work, timeout_s=30).status == 0
        (process,) = pool._all
        process._server.child.kill()
        process._server.child.wait(10)
        assert pool.run(module_command(tool, "three"), work, timeout_s=30).status == 3
    finally:
        pool.close()


@pytest.mark.parametrize("imported", ["warmtool.tool", "nosuchmodule"], ids=["warm", "on its own"])
def test_closing_ends_a_run_that_another_thread_waits_for(tool: str, tmp_path: Path, imported: str) -> None:
    pool = WarmPool(tool, imported)
    work = folder(tmp_path, "work")
    ended: list[Ended] = []
    thread = threading.Thread(
        target=lambda: ended.append(pool.run(module_command(tool, "sleep"), work, timeout_s=60))
    )
    thread.start()
    child = number_in(work / "number")
    pool.close()
    thread.join(timeout=10)
    assert ended and ended[0].status != 0
    assert_gone(child)


def test_a_closed_pool_starts_nothing_any_more(tool: str, tmp_path: Path) -> None:
    pool = WarmPool(tool, f"{tool}.tool")
    pool.close()
    assert (
        pool.run(module_command(tool), folder(tmp_path, "work"), timeout_s=30).describe()
        == "was killed by SIGKILL"
    )
    assert not pool._all


def test_twins_run_side_by_side_and_each_ends_without_the_other(tool: str, tmp_path: Path) -> None:
    pool = WarmPool(tool, f"{tool}.tool")
    pool.start(twin=True)
    works = [folder(tmp_path, name) for name in ("one", "two", "three")]
    ended: list[Ended] = []
    asleep = threading.Thread(
        target=lambda: ended.append(pool.run(module_command(tool, "sleep"), works[0], timeout_s=60))
    )
    asleep.start()
    child = number_in(works[0] / "number")
    try:
        assert pool.run(module_command(tool, "three"), works[1], timeout_s=30).status == 3
        assert len(pool._all) == 2, "no third process was needed"
        assert pool.run(module_command(tool, "sleep"), works[1], timeout_s=1).timed_out
        assert asleep.is_alive()
    finally:
        pool.close()
    asleep.join(timeout=10)
    assert ended and ended[0].status != 0
    assert_gone(child)


def test_the_module_is_imported_once_however_many_processes_run_it(tool: str, tmp_path: Path) -> None:
    module = tmp_path / "path" / "warmtool" / "tool.py"
    module.write_text(f"open({str(tmp_path / 'imports')!r}, 'a').write('x')\n" + module.read_text())
    pool = WarmPool(tool, f"{tool}.tool")
    works = [folder(tmp_path, name) for name in ("one", "two", "three")]
    threads = [
        threading.Thread(target=pool.run, args=(module_command(tool, "sleep"), work), kwargs={"timeout_s": 60})
        for work in works
    ]
    try:
        for thread in threads:
            thread.start()
        asleep = [number_in(work / "number") for work in works]
        assert len(pool._all) == 3
        assert pool.run(module_command(tool, "sleep"), tmp_path, timeout_s=1).timed_out
        assert pool.run(module_command(tool, "three"), tmp_path, timeout_s=30).status == 3
        assert (tmp_path / "imports").read_text() == "x"
    finally:
        pool.close()
    for thread, child in zip(threads, asleep, strict=True):
        thread.join(timeout=10)
        assert_gone(child)


def test_a_pool_whose_processes_are_idle_or_still_import_is_closed_at_once(tool: str, tmp_path: Path) -> None:
    module = tmp_path / "path" / "warmtool" / "tool.py"
    module.write_text("import time\ntime.sleep(30)\n" + module.read_text())
    pool = WarmPool(tool, f"{tool}.tool")
    pool.start(twin=True)
    (child,) = {process._server.child for process in pool._all}
    began = time.monotonic()
    pool.close()
    assert child.ended()
    assert time.monotonic() - began < 15
    assert not pool._all


@pytest.mark.parametrize("one", [0, 1])
def test_a_warm_process_serves_on_when_another_one_is_closed(tool: str, tmp_path: Path, one: int) -> None:
    server = warm.WarmServer(tool, f"{tool}.tool")
    processes = [server.process(), server.process()]
    processes[one].close()
    work = folder(tmp_path, "work")
    left = processes[1 - one].run(["three"], work, timeout_s=30)
    assert left is not None and left.status == 3
    assert processes[one].run([], work, timeout_s=30) is None
    processes[1 - one].close()
    server.close()
    assert server.child.ended()


def test_nothing_outlives_a_killed_parent(tool: str, tmp_path: Path) -> None:
    work = folder(tmp_path, "work")
    code = (
        "import sys; from pathlib import Path; from deploy.processes import warm\n"
        f"warm.WarmServer({tool!r}, '{tool}.tool').process().run(['sleep'], Path({str(work)!r}), timeout_s=60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    child = number_in(work / "number")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert_gone(child)


def test_a_module_that_cannot_be_imported_fails_as_the_command_does(tmp_path: Path) -> None:
    pool = WarmPool("nosuchmodule", "nosuchmodule.main")
    ended = pool.run(module_command("nosuchmodule"), folder(tmp_path, "work"), timeout_s=30)
    assert ended.status == 1
    assert "No module named nosuchmodule" in ended.output
    server = warm.WarmServer("nosuchmodule", "nosuchmodule")
    process = server.process()
    assert process.run([], tmp_path, timeout_s=30) is None
    assert server.process().run([], tmp_path, timeout_s=30) is None
    process.close()
    server.close()
    pool.close()


def test_a_warm_run_is_bounded_as_the_command_is(tool: str, tmp_path: Path) -> None:
    command = module_command(tool, "flood", "eat")
    work = folder(tmp_path, "work")
    cold = supervisor.run(command, work, timeout_s=60)
    pool = WarmPool(tool, f"{tool}.tool")
    try:
        assert pool.run(command, work, timeout_s=60).output == cold.output
        assert "bytes are left out here" in cold.output
        assert "memory: " in cold.output.splitlines()[-1]
        assert not list(work.iterdir()), "it fills no disk"
    finally:
        pool.close()


def test_a_warm_process_outlives_the_thread_that_started_it(tool: str, tmp_path: Path) -> None:
    pool = WarmPool(tool, f"{tool}.tool")
    work = folder(tmp_path, "work")
    command = module_command(tool)
    try:
        thread = threading.Thread(target=pool.run, args=(command, work), kwargs={"timeout_s": 30})
        thread.start()
        thread.join()
        (process,) = pool._all
        time.sleep(0.2)
        assert pool.run(command, work, timeout_s=30).status == 0
        assert pool._all == {process}
        assert not process._server.child.ended()
    finally:
        pool.close()


@pytest.fixture
def forked(tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WarmPool]:
    """A pool whose program is a fork of this process, which has not imported the module."""
    monkeypatch.syspath_prepend(tmp_path / "path")
    pool = WarmPool(tool, f"{tool}.tool")
    pool.start(twin=True, forked=True)
    assert "warmtool" not in sys.modules
    yield pool
    pool.close()
    assert "warmtool" not in sys.modules


def child_of(pool: WarmPool) -> Child | ForkedCall:
    (child,) = {process._server.child for process in pool._all}
    return child


@pytest.mark.parametrize("words", [["a", "b c"], ["three"], ["raise"], ["abort"], ["eat"]])
def test_a_run_of_a_forked_program_ends_and_says_what_the_command_does(
    forked: WarmPool, tool: str, tmp_path: Path, words: list[str]
) -> None:
    command, work = module_command(tool, *words), folder(tmp_path, "work")
    cold = supervisor.run(command, work, timeout_s=30)
    for _ in range(2):
        warm = forked.run(command, work, timeout_s=30)
        assert (warm.status, warm.last_lines(1)) == (cold.status, cold.last_lines(1))
        assert warm.output.splitlines()[0] == cold.output.splitlines()[0]
    assert isinstance(child_of(forked), ForkedCall)


def test_a_forked_program_is_no_more_there_once_its_pool_is_closed(
    forked: WarmPool, tool: str, tmp_path: Path
) -> None:
    work, ended = folder(tmp_path, "work"), list[Ended]()
    command = module_command(tool, "sleep")
    thread = threading.Thread(target=lambda: ended.append(forked.run(command, work, timeout_s=60)))
    thread.start()
    run, child = number_in(work / "number"), child_of(forked)
    forked.close()
    thread.join(timeout=10)
    assert ended and ended[0].status != 0
    assert child.ended()
    assert_gone(run)


def test_a_forked_program_that_is_killed_is_started_as_a_command(
    forked: WarmPool, tool: str, tmp_path: Path
) -> None:
    work = folder(tmp_path, "work")
    assert forked.run(module_command(tool), work, timeout_s=30).status == 0
    child_of(forked).kill()
    child_of(forked).wait(10)
    for _ in range(3):
        assert forked.run(module_command(tool, "three"), work, timeout_s=30).status == 3
    assert forked._server is not None and isinstance(forked._server.child, Child)


def test_nothing_of_a_forked_program_outlives_a_killed_parent(tool: str, tmp_path: Path) -> None:
    work = folder(tmp_path, "work")
    code = (
        "import os; from pathlib import Path; from deploy.processes.warm import WarmPool\n"
        f"pool = WarmPool({tool!r}, '{tool}.tool'); pool.start(forked=True)\n"
        f"Path({str(tmp_path / 'group')!r}).write_text(str(os.getpgid(pool._server.child._child)) + '\\n')\n"
        f"pool.run({module_command(tool, 'sleep')!r}, Path({str(work)!r}), timeout_s=60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    run, program = number_in(work / "number"), number_in(tmp_path / "group")
    assert program != os.getpgid(parent.pid), "Ctrl-C would reach it"
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert_gone(run)
    assert_gone(program)


def test_a_forked_program_that_cannot_import_its_module_ends_and_the_command_says_why(tmp_path: Path) -> None:
    pool = WarmPool("nosuchmodule", "nosuchmodule.main")
    try:
        pool.start(forked=True)
        assert child_of(pool).wait(10)
        ended = pool.run(module_command("nosuchmodule"), tmp_path, timeout_s=30)
        assert (ended.status, "No module named nosuchmodule" in ended.output) == (1, True)
    finally:
        pool.close()


def test_a_forked_program_imports_nothing_from_the_working_folder(
    tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = folder(tmp_path, "cloned")
    (work / "warmtool").mkdir()
    (work / "warmtool" / "tool.py").write_text("import os\nos.abort()\n")
    monkeypatch.syspath_prepend(tmp_path / "path")
    monkeypatch.syspath_prepend(work)
    monkeypatch.chdir(work)
    pool = WarmPool(tool, f"{tool}.tool")
    try:
        pool.start(forked=True)
        assert pool.run(module_command(tool, "three"), tmp_path, timeout_s=30).status == 3
        assert isinstance(child_of(pool), ForkedCall), "it has not been started anew"
    finally:
        pool.close()

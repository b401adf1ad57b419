"""Tools end in time, their children with them, and say how they ended."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy import bounded_process
from deploy.errors import NotInstalledError


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def gone(process: int) -> bool:
    """Whether a process ends within a few seconds (a zombie has ended; nobody may be there to reap it)."""
    status = Path(f"/proc/{process}/stat")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if status.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_output_and_status_are_kept(tmp_path: Path) -> None:
    ended = bounded_process.run(
        python("import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)"), tmp_path, timeout_s=30
    )
    assert ended.status == 3
    assert sorted(ended.last_lines(5)) == ["one", "two"]
    assert ended.describe() == "ended with status 3"


def test_a_crash_is_named_by_its_signal(tmp_path: Path) -> None:
    ended = bounded_process.run(python("import os; os.kill(os.getpid(), 11)"), tmp_path, timeout_s=30)
    assert ended.describe() == "was killed by SIGSEGV"


def test_a_tool_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    code = "import os, time\nif os.fork() == 0:\n    open('child', 'w').write(str(os.getpid()))\ntime.sleep(60)"
    started = time.monotonic()
    ended = bounded_process.run(python(code), tmp_path, timeout_s=2)
    assert ended.timed_out
    assert ended.describe() == "took too long"
    assert time.monotonic() - started < 20
    assert gone(int((tmp_path / "child").read_text()))


def test_a_tool_ends_when_deploy_is_killed(tmp_path: Path) -> None:
    tool = "import os, time; open('tool', 'w').write(str(os.getpid())); time.sleep(60)"
    code = (
        "from pathlib import Path; from deploy import bounded_process; import sys; "
        f"bounded_process.run([sys.executable, '-c', {tool!r}], Path({str(tmp_path)!r}), timeout_s=60)"
    )
    parent = subprocess.Popen(python(code))
    deadline = time.monotonic() + 20
    while not (tmp_path / "tool").exists() or not (tmp_path / "tool").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    assert gone(int((tmp_path / "tool").read_text()))


def test_a_file_that_grows_without_bound_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_process, "_MAX_FILE_BYTES", 100_000)
    ended = bounded_process.run(python("while True: print('x' * 10000)"), tmp_path, timeout_s=30)
    assert ended.status != 0
    assert not ended.timed_out
    assert (tmp_path / bounded_process.OUTPUT_FILE).stat().st_size <= 100_000


def test_a_program_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match="no-such-tool"):
        bounded_process.run(["no-such-tool"], tmp_path, timeout_s=1)


def test_a_python_child_runs_this_package(tmp_path: Path) -> None:
    ended = bounded_process.run(python("import deploy; print(deploy.__file__)"), tmp_path, timeout_s=30)
    assert ended.output.strip() == str(Path(bounded_process.__file__).parent / "__init__.py")
    assert os.environ.get("PYTHONPATH") is None or ended.status == 0

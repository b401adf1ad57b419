"""Tools end in time, their children with them, and say how they ended."""

import os
import sys
import time
from pathlib import Path

import pytest

from deploy import bounded_process
from deploy.errors import NotInstalledError


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


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
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        if "Z" in Path(f"/proc/{child}/stat").read_text().split()[2]:
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{child}").exists()


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

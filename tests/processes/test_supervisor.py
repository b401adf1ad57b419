"""Commands end in time, with all that they started, within their bounds, and say how they ended."""

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes.child_programs import assert_gone, number_in, python, says_its_number

import deploy
from deploy.errors import NotInstalledError
from deploy.processes import supervisor


def test_output_and_status_are_kept(tmp_path: Path) -> None:
    ended = supervisor.run(
        python("import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)"), tmp_path, timeout_s=30
    )
    assert ended.status == 3
    assert sorted(ended.last_lines(5)) == ["one", "two"]
    assert ended.describe() == "ended with status 3"


def test_standard_error_is_read_apart_on_request() -> None:
    ended = supervisor.run(
        python("import sys; print('one'); print('two', file=sys.stderr)"), timeout_s=30, apart=True
    )
    assert (ended.output, ended.errors) == ("one\n", "two\n")


def test_nothing_is_fed_on_standard_input() -> None:
    assert supervisor.run(python("import sys; print(len(sys.stdin.read()))"), timeout_s=30).output == "0\n"


def test_a_crash_is_named_by_its_signal(tmp_path: Path) -> None:
    ended = supervisor.run(python("import os; os.kill(os.getpid(), 11)"), tmp_path, timeout_s=30)
    assert ended.describe() == "was killed by SIGSEGV"


@pytest.mark.parametrize("deaf", [False, True])
def test_a_command_that_never_ends_is_killed_with_its_children(tmp_path: Path, deaf: bool) -> None:
    code = (
        f"import os, signal, time\n{'signal.signal(signal.SIGTERM, signal.SIG_IGN)' if deaf else ''}\n"
        f"if os.fork() == 0:\n    {says_its_number(tmp_path / 'child')}\ntime.sleep(60)"
    )
    started = time.monotonic()
    ended = supervisor.run(python(code), tmp_path, timeout_s=2)
    assert ended.timed_out
    assert ended.describe() == "took too long"
    assert time.monotonic() - started < 20
    assert_gone(number_in(tmp_path / "child"))


def test_a_command_that_writes_without_end_is_killed_when_it_has_written_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deploy.processes.output.FLOOD_BYTES", 3 << 20)
    ended = supervisor.run(python("while True: print('x' * 100)"), timeout_s=50)
    assert (ended.timed_out, ended.flooded) == (True, True)
    assert ended.describe() == "wrote more than 256 MiB of messages"


def test_a_command_that_closes_its_output_and_goes_on_is_killed_in_time() -> None:
    started = time.monotonic()
    ended = supervisor.run(python("import os, time; os.close(1); os.close(2); time.sleep(60)"), timeout_s=1)
    assert ended.timed_out
    assert time.monotonic() - started < 20


def test_what_a_command_leaves_in_its_group_goes_with_it(tmp_path: Path) -> None:
    code = f"import os, time\nif os.fork() == 0:\n    {says_its_number(tmp_path / 'child')}\n    time.sleep(60)"
    ended = supervisor.run(
        python(f"{code}\nwhile not os.path.exists('child'): time.sleep(0.01)"), tmp_path, timeout_s=9
    )
    assert (ended.status, ended.timed_out) == (0, False)
    assert_gone(number_in(tmp_path / "child"))


def test_a_command_and_its_children_end_when_deploy_is_killed(tmp_path: Path) -> None:
    tool = (
        f"import os, time\nif os.fork() == 0:\n    {says_its_number(tmp_path / 'child')}\n    time.sleep(60)\n"
        f"{says_its_number(tmp_path / 'tool')}time.sleep(60)"
    )
    code = f"from deploy.processes import supervisor; supervisor.run({python(tool)!r}, timeout_s=60)"
    parent = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    started = [number_in(tmp_path / name) for name in ("tool", "child")]
    os.killpg(parent.pid, signal.SIGKILL)
    parent.wait()
    for process in started:
        assert_gone(process)


def test_a_program_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match="no-such-tool"):
        supervisor.run(["no-such-tool"], tmp_path, timeout_s=1)


def test_a_python_child_runs_this_package(tmp_path: Path) -> None:
    code = "import deploy; print(deploy.__file__)"
    ended = supervisor.run([sys.executable, "-c", code], tmp_path, timeout_s=30)
    assert ended.output.strip() == deploy.__file__
    assert os.environ.get("PYTHONPATH") is None or ended.status == 0


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"#!/nonexistent/interpreter\n", FileNotFoundError),
        (b"\x7fELF\x02\x01" + bytes(10) + struct.pack("<HH", 2, 999) + bytes(44), OSError),
    ],
    ids=["a missing interpreter", "another processor's program"],
)
def test_what_the_system_cannot_start_is_no_program_that_failed(
    tmp_path: Path, content: bytes, cause: type[OSError]
) -> None:
    program = tmp_path / "a program"
    program.write_bytes(content)
    program.chmod(0o755)
    for apart in (False, True):
        with pytest.raises(NotInstalledError, match="a program: cannot be started: ") as caught:
            supervisor.run([program], timeout_s=20, apart=apart)
        assert type(caught.value.__cause__) is cause


def test_a_program_may_end_as_a_shell_does_that_finds_none(tmp_path: Path) -> None:
    ended = supervisor.run(["/bin/sh", "-c", "nonexistent; exit 127"], timeout_s=20)
    assert ended.status == 127

"""Commands end in time, with all that they started, within their bounds, and say how they ended."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from processes.child_programs import assert_gone, number_in, python, says_its_number

import deploy
from deploy.errors import NotInstalledError
from deploy.processes import supervisor
from deploy.processes.limits import MEMORY_BYTES, Limits, computer_memory
from deploy.processes.output import Keep
from deploy.processes.supervisor import Supervisor


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


def test_a_command_that_eats_memory_fails_by_itself(tmp_path: Path) -> None:
    limited = Supervisor(limits=Limits(memory_bytes=200 << 20))
    code = "eaten = []\nwhile True: eaten.append(bytearray(1 << 20))"
    ended = limited.run(python(code), tmp_path, timeout_s=30)
    assert (ended.status, ended.timed_out) == (1, False)
    assert ended.last_lines(1) == ("MemoryError",)


def test_each_process_of_a_command_has_the_bound_of_memory(tmp_path: Path) -> None:
    limited = Supervisor(limits=Limits(memory_bytes=200 << 20))
    code = (
        "import os\n"
        "if os.fork() == 0: bytearray(300 << 20)\n"
        "else: os._exit(os.waitstatus_to_exitcode(os.wait()[1]))"
    )
    ended = limited.run(python(code), tmp_path, timeout_s=30)
    assert ended.status == 1
    assert "MemoryError" in ended.output


def test_addresses_that_are_only_reserved_or_shared_do_not_count_as_memory() -> None:
    limited = Supervisor(limits=Limits(memory_bytes=200 << 20))
    reserved = "mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ)"
    ended = limited.run(python(f"import mmap\na, b = {reserved}, mmap.mmap(-1, 1 << 30)"), timeout_s=30)
    assert (ended.status, ended.output) == (0, "")


def test_every_command_is_bounded_by_the_computers_memory() -> None:
    said = supervisor.run(
        python("import resource; print(*resource.getrlimit(resource.RLIMIT_DATA))"), timeout_s=30
    )
    assert int(said.output.split()[0]) == MEMORY_BYTES
    assert max(computer_memory(), 4 << 30) >= MEMORY_BYTES


def test_a_tighter_bound_of_the_users_stays(tmp_path: Path) -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))\n"
        "from deploy.processes import supervisor\n"
        "print(supervisor.run(['/bin/sh', '-c', 'ulimit -f'], timeout_s=9).output)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(said.stdout) == 5000 // 512


def test_a_file_that_grows_without_bound_is_cut_off(tmp_path: Path) -> None:
    limited = Supervisor(limits=Limits(file_bytes=100_000))
    ended = limited.run(python("f = open('huge', 'w')\nwhile True: f.write('x' * 10000)"), tmp_path, timeout_s=30)
    assert ended.status != 0
    assert not ended.timed_out
    assert "File too large" in ended.output
    assert (tmp_path / "huge").stat().st_size <= 100_000


def test_of_a_flood_of_output_the_beginning_and_the_end_are_kept(tmp_path: Path) -> None:
    limited = Supervisor(keep=Keep(first_bytes=100_000, last_bytes=1000))
    code = "import os\nos.write(1, b'BEGIN')\nfor _ in range(300): os.write(1, b'x' * 65536)\nos.write(1, b'END')"
    ended = limited.run(python(code), tmp_path, timeout_s=60)
    assert ended.status == 0
    assert ended.output.startswith("BEGINxxx")
    assert ended.output.endswith("xxxEND")
    written = len("BEGIN") + 300 * 65536 + len("END")
    assert f"\n[{written - 101_000} bytes are left out here]\n" in ended.output
    assert len(ended.output) < 101_100
    assert not list(tmp_path.iterdir()), "it fills no disk"


def test_a_flood_is_read_on_until_the_time_is_over() -> None:
    ended = supervisor.run(python("while True: print('x' * 10000)"), timeout_s=2)
    assert ended.timed_out
    assert len(ended.output) <= 17 << 20


def test_a_program_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match="no-such-tool"):
        supervisor.run(["no-such-tool"], tmp_path, timeout_s=1)


def test_a_python_child_runs_this_package(tmp_path: Path) -> None:
    code = "import deploy; print(deploy.__file__)"
    ended = supervisor.run([sys.executable, "-c", code], tmp_path, timeout_s=30)
    assert ended.output.strip() == deploy.__file__
    assert os.environ.get("PYTHONPATH") is None or ended.status == 0


def test_many_run_side_by_side_with_descriptors_of_any_number() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 2048), before[1]))
    held = [os.dup(0) for _ in range(1100)]  # select() takes numbers below 1024 only
    try:
        ends: list[str] = []
        threads = [
            threading.Thread(target=lambda: ends.append(supervisor.run(["echo", "here"], timeout_s=30).output))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ends == ["here\n"] * 4
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

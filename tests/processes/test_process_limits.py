"""Each bound of a child holds, and none that is tighter is widened."""

import subprocess
import sys
from pathlib import Path

from processes.child_programs import python

from deploy.processes import supervisor
from deploy.processes.limits import MEMORY_BYTES, Limits, computer_memory
from deploy.processes.supervisor import Supervisor


def test_a_command_that_eats_memory_fails_by_itself(tmp_path: Path) -> None:
    limited = Supervisor(limits=Limits(memory_bytes=200 << 20))
    code = "eaten = []\nwhile True: eaten.append(bytearray(1 << 20))"
    ended = limited.run(python(code), tmp_path, timeout_s=30)
    assert (ended.status, ended.timed_out) == (1, False)
    assert ended.last_lines(1)[0].rstrip(": ") == "MemoryError"


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
    assert int(said.output.split()[0]) == MEMORY_BYTES // 1024 * 1024
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
    grow = python("f = open('huge', 'w')\nwhile True: f.write('x' * 10000)")
    ended = limited.run(grow, tmp_path, timeout_s=30)
    assert ended.status != 0
    assert not ended.timed_out
    assert "File too large" in ended.output
    assert (tmp_path / "huge").stat().st_size <= 100_000

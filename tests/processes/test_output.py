"""All that a child writes is read, and what is kept of it is bounded."""

import os
import resource
import threading
from pathlib import Path

from processes.child_programs import python

from deploy.processes import supervisor
from deploy.processes.output import Keep
from deploy.processes.supervisor import Supervisor


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

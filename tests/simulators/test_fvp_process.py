"""Simulators are bounded in time and output, and never left behind."""

import os
import signal
import sys
import threading
import time

import pytest

from deploy.errors import NotInstalledError
from deploy.processes.supervisor import Ended
from deploy.simulators.fvp_process import simulators

ENVIRONMENT = dict(os.environ)


def run(code: str, timeout_s: float = 20) -> Ended:
    command = [sys.executable, "-S", "-c", code]
    return simulators().run(command, timeout_s=timeout_s, environment=ENVIRONMENT)


def test_output_and_exit_status_are_returned() -> None:
    end = run("import sys; print('hello'); print('there', file=sys.stderr); sys.exit(7)")
    assert (end.status, end.timed_out) == (7, False)
    assert {"hello", "there"} <= set(end.output.split())


def test_a_hung_simulator_is_killed_when_its_time_is_over() -> None:
    end = run("import time; print('started', flush=True); time.sleep(60)", timeout_s=1)
    assert end.timed_out
    assert end.status == -signal.SIGKILL
    assert "started" in end.output


def test_a_child_that_outlives_the_simulator_does_not_hold_up_the_answer() -> None:
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid(); time.sleep(30); os._exit(0)\n"
        "print('parent ends', flush=True); os._exit(0)"
    )
    started = time.monotonic()
    end = run(code)
    assert "parent ends" in end.output
    assert time.monotonic() - started < 20


def test_only_the_last_of_endless_output_is_kept() -> None:
    end = run("import os\nfor i in range(100): os.write(1, b'x' * 65536)\nos.write(1, b'END')")
    assert end.output.endswith("END")
    assert len(end.output) <= 256 * 1024


def test_cancel_ends_what_runs_and_starts_no_more() -> None:
    processes = simulators()
    ends: list[Ended] = []
    command = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
    thread = threading.Thread(
        target=lambda: ends.append(processes.run(command, timeout_s=30, environment=ENVIRONMENT))
    )
    thread.start()
    time.sleep(0.3)
    processes.cancel()
    thread.join(timeout=10)
    assert ends
    assert ends[0].status < 0
    assert processes.run(command, timeout_s=30, environment=ENVIRONMENT).status < 0


def test_a_simulator_that_cannot_be_started_is_not_installed() -> None:
    with pytest.raises(NotInstalledError, match="cannot be started"):
        simulators().run(["/nonexistent/FVP"], timeout_s=1, environment=ENVIRONMENT)


def test_output_is_handed_on_as_it_arrives() -> None:
    arrived: list[tuple[float, bytes]] = []
    code = "import time; print('port 5000', flush=True); time.sleep(1.5); print('end', flush=True)"
    began = time.monotonic()
    simulators().run(
        [sys.executable, "-S", "-c", code],
        timeout_s=20,
        environment=ENVIRONMENT,
        on_output=lambda chunk: arrived.append((time.monotonic(), chunk)),
    )
    first = next(at for at, chunk in arrived if b"port 5000" in chunk)
    assert time.monotonic() - first > 1.4
    assert first - began < 15
    assert b"".join(chunk for _, chunk in arrived) == b"port 5000\nend\n"


def test_a_simulator_that_ignores_being_told_to_end_is_killed() -> None:
    supervisor = simulators()
    ends: list[Ended] = []
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\n"
        "time.sleep(60)"
    )
    deaf = threading.Event()
    thread = threading.Thread(
        target=lambda: ends.append(
            supervisor.run([sys.executable, "-S", "-c", code], timeout_s=30, on_output=lambda _chunk: deaf.set())
        )
    )
    thread.start()
    assert deaf.wait(20)
    supervisor.cancel()
    thread.join(timeout=10)
    assert [end.status for end in ends] == [-signal.SIGKILL]


def test_a_simulator_may_share_all_of_its_memory_as_a_file_and_fill_no_disk() -> None:
    code = (
        "import os; f = os.memfd_create('ddr'); os.truncate(f, 2 << 30); print('shared', flush=True)\n"
        "os.truncate(f, (4 << 30) + 1); print('filled')"
    )
    end = run(code)
    assert end.status != 0
    assert "shared" in end.output.splitlines()
    assert "filled" not in end.output.splitlines()
    assert "File too large" in end.output

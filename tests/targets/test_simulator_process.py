"""Simulators are bounded in time and output, and never left behind."""

import os
import signal
import sys
import threading
import time

import pytest

from deploy.errors import NotInstalledError
from deploy.targets.simulator_process import ProcessEnd, SimulatorProcesses

ENVIRONMENT = dict(os.environ)


def run(code: str, timeout_s: float = 20) -> ProcessEnd:
    command = [sys.executable, "-S", "-c", code]
    return SimulatorProcesses().run(command, timeout_s=timeout_s, environment=ENVIRONMENT)


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
        "    os.setsid(); time.sleep(8); os._exit(0)\n"
        "print('parent ends', flush=True); os._exit(0)"
    )
    started = time.monotonic()
    end = run(code)
    assert "parent ends" in end.output
    assert time.monotonic() - started < 6


def test_only_the_last_of_endless_output_is_kept() -> None:
    end = run("import os\nfor i in range(100): os.write(1, b'x' * 65536)\nos.write(1, b'END')")
    assert end.output.endswith("END")
    assert len(end.output) <= 256 * 1024


def test_cancel_ends_what_runs_and_starts_no_more() -> None:
    processes = SimulatorProcesses()
    ends: list[ProcessEnd] = []
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
        SimulatorProcesses().run(["/nonexistent/FVP"], timeout_s=1, environment=ENVIRONMENT)


def test_output_is_handed_on_as_it_arrives() -> None:
    arrived: list[tuple[float, bytes]] = []
    code = "import time; print('port 5000', flush=True); time.sleep(1.5); print('end', flush=True)"
    began = time.monotonic()
    SimulatorProcesses().run(
        [sys.executable, "-S", "-c", code],
        timeout_s=20,
        environment=ENVIRONMENT,
        on_output=lambda chunk: arrived.append((time.monotonic(), chunk)),
    )
    first = next(at for at, chunk in arrived if b"port 5000" in chunk)
    assert time.monotonic() - first > 1.4
    assert first - began < 15
    assert b"".join(chunk for _, chunk in arrived) == b"port 5000\nend\n"

"""Nothing outlives a process that is killed outright, whatever it had started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes.child_programs import assert_gone, number_in, says_its_number

HOLD = """
import sys, time
from deploy.processes.child import Child
held = Child([sys.executable, "-S", "-c", sys.argv[1]], polite="polite" in sys.argv)
time.sleep(60)
"""
HOLD_POLITELY = HOLD.replace(
    "held =",
    "from deploy.processes import guard\n"
    "guard._SHELL = guard._SHELL.replace(f'sleep {guard._GRACE_S}', f'sleep {sys.argv[3]}')\n"
    "held =",
)
"""The same with another time that a child has to clean up."""


@pytest.mark.parametrize("fate", ["killed", "killed with its group"])
def test_a_child_and_its_own_child_end_when_the_parent_is_killed(tmp_path: Path, fate: str) -> None:
    own = f"if os.fork() == 0:\n    {says_its_number(tmp_path / 'grandchild')}\n    time.sleep(60)\n"
    program = f"import os, time\n{own}{says_its_number(tmp_path / 'child')}time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", HOLD, program], start_new_session=True)
    started = [number_in(tmp_path / name) for name in ("child", "grandchild")]
    (os.kill if fate == "killed" else os.killpg)(parent.pid, signal.SIGKILL)
    parent.wait()
    for process in started:
        assert_gone(process)


@pytest.mark.parametrize("deaf", [False, True])
def test_a_polite_parents_child_may_clean_up_before_it_ends(tmp_path: Path, deaf: bool) -> None:
    asked = tmp_path / "asked"
    program = (
        "import signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (open({str(asked)!r}, 'w'), {deaf} or sys.exit()))\n"
        f"{says_its_number(tmp_path / 'child')}"
        "while True: time.sleep(1)"
    )
    # Whoever heeds the request is gone long before the deaf are killed.
    grace_s = 1 if deaf else 40
    parent = subprocess.Popen([sys.executable, "-c", HOLD_POLITELY, program, "polite", str(grace_s)])
    child = number_in(tmp_path / "child")
    parent.kill()
    parent.wait()
    assert_gone(child, within_s=20)
    assert asked.exists()


def test_a_fork_does_not_stand_for_its_parent(tmp_path: Path) -> None:
    """It may live on: the children of a parent that is killed end all the same."""
    program = f"{says_its_number(tmp_path / 'child')}import time; time.sleep(60)"
    forked = f"import os\nif os.fork() == 0:\n    {says_its_number(tmp_path / 'fork')}\ntime.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", HOLD.replace("time.sleep(60)", forked), program])
    child, fork = (number_in(tmp_path / name) for name in ("child", "fork"))
    parent.kill()
    parent.wait()
    assert_gone(child)
    os.kill(fork, signal.SIGKILL)


def test_what_is_still_running_when_a_program_leaves_is_ended_at_once(tmp_path: Path) -> None:
    program = f"{says_its_number(tmp_path / 'number')}import time; time.sleep(60)"
    written = f"__import__('os').path.exists({str(tmp_path / 'number')!r})"
    code = HOLD.replace("time.sleep(60)", f"while not {written}: time.sleep(0.1)")
    subprocess.run([sys.executable, "-c", code, program], check=True, timeout=30)
    assert_gone(number_in(tmp_path / "number"))


def test_a_program_does_not_start_where_its_parent_is_killed_before_the_guard_knows_of_it(tmp_path: Path) -> None:
    started = tmp_path / "started"
    script = (
        "import os, signal, sys\n"
        "from deploy.processes.child import DEVNULL, PIPE, Child\n"
        "from deploy.processes.guard import GUARD\n"
        "GUARD.watch = lambda *_child, **_how: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Child(['touch', sys.argv[1]], stdin=PIPE if sys.argv[2] == 'read' else DEVNULL, stdout=None)\n"
    )
    for kind in ("read", "nothing"):
        # The shell that waits has this output too: it is over when the shell is.
        done = subprocess.run(
            [sys.executable, "-c", script, started, kind], stdout=subprocess.PIPE, timeout=60, check=False
        )
        assert done.returncode == -signal.SIGKILL
        assert not started.exists()

"""A child is talked to while it runs, and ended with what it started, whatever ends its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes.child_programs import assert_gone, children, number_in, python, says_its_number

from deploy.errors import NotInstalledError
from deploy.processes.child import PIPE, Child


def test_a_child_answers_over_its_pipes_and_leaves_nothing_open() -> None:
    before, descriptors = children(), len(list(Path("/proc/self/fd").iterdir()))
    with Child(["cat"], stdin=PIPE, stdout=PIPE) as child:
        child.stdin.write(b"hello")
        assert os.read(child.stdout.fileno(), 100) == b"hello"
        assert not child.ended()
        assert child.wait(0.01) is None
        with pytest.raises(ValueError, match="no pipe"):
            _ = child.stderr
    assert child.end() == -signal.SIGKILL
    child.kill()  # harmless: its number may be another's by now
    assert children() == before
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_a_child_that_ends_says_how() -> None:
    with Child(python("import sys; sys.exit(7)")) as child:
        assert child.wait(20) == 7
        assert child.ended()
    assert child.end() == 7


def test_a_child_gets_the_descriptors_that_it_inherits_and_no_others() -> None:
    reads, writes = os.pipe()
    os.set_inheritable(reads, True)
    code = f"import os; os.write({writes}, b'%d' % len(os.listdir('/proc/self/fd')))"
    with Child(python(code), inherited=[writes]) as child:
        assert child.wait(20) == 0
    assert os.read(reads, 100) == b"5"  # three streams, the pipe, and the listing itself
    for end in (reads, writes):
        os.close(end)


def test_a_program_that_cannot_be_started_is_not_installed() -> None:
    before = children()
    with pytest.raises(NotInstalledError, match="/nonexistent: cannot be started: No such file") as caught:
        Child(["/nonexistent"])
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    assert children() == before


HOLD = """
import sys, time
from deploy.processes import child, limits
from deploy.processes.child import Child
way, program = sys.argv[1:]
if way == "shell":  # as where the kernel does not tell a child of its parent's end
    limits._libc, child.SUPPORTED = None, False
held = Child([sys.executable, "-S", "-c", program], childless=way == "kernel", told=None if way == "told" else 9)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("way", "within_s"),
    [
        pytest.param("kernel", 3, id="the kernel alone"),
        pytest.param("shell", 15, id="the shell alone"),
        pytest.param("told", 15, id="a child that outlives its thread"),
    ],
)
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path, way: str, within_s: float) -> None:
    program = f"{says_its_number(tmp_path / 'number')}import time; time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", HOLD, way, program], start_new_session=True)
    child = number_in(tmp_path / "number")
    time.sleep(0.2)
    os.killpg(parent.pid, signal.SIGKILL)
    parent.wait()
    assert_gone(child, within_s=within_s)


def test_what_is_still_running_when_a_program_leaves_is_ended_at_once(tmp_path: Path) -> None:
    program = f"{says_its_number(tmp_path / 'number')}import time; time.sleep(60)"
    written = f"__import__('os').path.exists({str(tmp_path / 'number')!r})"
    code = HOLD.replace("time.sleep(60)", f"while not {written}: time.sleep(0.1)")
    subprocess.run([sys.executable, "-c", code, "told", program], check=True, timeout=30)
    assert_gone(number_in(tmp_path / "number"), within_s=1)

"""A child is talked to while it runs, and leaves nothing behind when it is ended."""

import os
import signal
from pathlib import Path

import pytest
from processes.child_programs import children, python

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


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (b"\x7fELF broken", 0o755, "Exec format error"),
        (b"echo hello", 0o755, "Exec format error"),
        (b"#!/bin/sh\nexit 7\n", 0o644, "Permission denied"),
    ],
)
def test_what_is_no_program_is_not_started(tmp_path: Path, content: bytes, mode: int, says: str) -> None:
    program = tmp_path / "program"
    program.write_bytes(content)
    program.chmod(mode)
    with pytest.raises(NotInstalledError, match=f"program: cannot be started: {says}"):
        Child([program])


def test_a_program_is_looked_for_in_its_working_folder_and_on_its_path(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "seven"
    program.write_bytes(b"#!/bin/sh\nexit 7\n")
    program.chmod(0o755)
    with Child(["bin/seven"], folder=tmp_path) as child:
        assert child.wait(20) == 7
    with Child(["seven"], environment={"PATH": f"{tmp_path / 'bin'}:/bin:/usr/bin"}) as child:
        assert child.wait(20) == 7


def test_a_program_that_cannot_be_started_is_not_installed(tmp_path: Path) -> None:
    before = children()
    with pytest.raises(NotInstalledError, match="/missing: cannot be started: No such file") as caught:
        Child([str(tmp_path / "missing")])
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    assert children() == before

"""What is printed inside silenced() stays off the terminal unless the block fails."""

import os
import sys

import pytest

from deploy.chatter import silenced
from deploy.errors import BadInputError


def chatter() -> None:
    print("from python")
    print("from python to stderr", file=sys.stderr)
    os.write(1, b"from C\n")
    os.write(2, b"from C to stderr\n")


def test_python_and_descriptor_output_is_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    with silenced():
        chatter()
    print("after")
    captured = capfd.readouterr()
    assert captured.out == "after\n"
    assert captured.err == ""


def test_verbose_holds_nothing_back(capfd: pytest.CaptureFixture[str]) -> None:
    with silenced(verbose=True):
        chatter()
    captured = capfd.readouterr()
    assert "from C\n" in captured.out
    assert "from C to stderr\n" in captured.err


def test_an_unexpected_failure_shows_the_last_lines(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with silenced():
            for i in range(100):
                os.write(2, f"line {i}\n".encode())
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError):
        fail()
    error = capfd.readouterr().err
    assert "  | line 99\n" in error
    assert "line 59\n" not in error


def test_an_error_that_explains_itself_comes_without_chatter(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with silenced():
            chatter()
            raise BadInputError("clear")

    with pytest.raises(BadInputError):
        fail()
    assert capfd.readouterr().err == ""

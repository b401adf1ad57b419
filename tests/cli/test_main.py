"""The command line as a whole: help at once, one message for a mistake, no traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy import __version__
from deploy.cli.main import run

HEAVY = ("tensorflow", "keras", "ai_edge_litert", "ethosu", "pydantic", "numpy", "capstone", "PIL")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from deploy.cli.main import run; status = run(['--help']);"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"
    for verb in ("quantize", "compile", "report", "run-fvp", "models", "doctor", "init"):
        assert verb in done.stdout


def test_help_alone_says_what_the_whole_command_line_says(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = []
    for words in (["--help"], ["-h"], []):  # without a word, all verbs are there with their options
        run(words)
        printed = capsys.readouterr()
        shown.append((printed.out + printed.err).strip())
    assert shown[0] == shown[1] == shown[2]
    assert "quantize" in shown[0]


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"deploy {__version__}\n"


@pytest.mark.parametrize("words", [["comple"], ["compile", "--npuu", "U55-128"], ["run-fvp", "--count", "many"]])
def test_a_mistyped_command_is_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    assert "Usage" in capsys.readouterr().err


def test_python_dash_m_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "--version"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == f"deploy {__version__}\n"


@pytest.mark.parametrize("words", [["comple"], ["compile", "--npuu", "U55-128"], ["models", "buidl"]])
def test_what_may_have_been_meant_is_said_once(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    assert capsys.readouterr().err.count("Did you mean") == 1

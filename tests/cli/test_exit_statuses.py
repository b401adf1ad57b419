"""The exit status says what came out, whatever became of standard input, output and error."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from deploy.cli import main as command_line
from deploy.cli.main import run

pytestmark = pytest.mark.early

DEPLOY = f"{shlex.quote(sys.executable)} -P -m deploy"
NONE = "none: not a build folder"


def shell(folder: Path, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command of bash; ``deploy`` in it is the program."""
    return subprocess.run(
        ["bash", "-c", f'deploy() {{ {DEPLOY} "$@"; }}\n{command}'],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )


CLOSED = ["", "0<&-", "1>&-", "2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"]


@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize("words", ["verify none", pytest.param("verify", marks=pytest.mark.slow)])
def test_closed_streams_change_no_exit_status(tmp_path: Path, closed: str, words: str) -> None:
    done = shell(tmp_path, f"deploy {words} {closed}")
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("closed", CLOSED)
def test_a_verdict_stands_and_is_written_whatever_is_closed(built: Path, tmp_path: Path, closed: str) -> None:
    done = shell(tmp_path, f"deploy verify {shlex.quote(str(built))} -q --json v.json {closed}")
    assert done.returncode == 0
    assert "Traceback" not in done.stdout + done.stderr
    assert json.loads((tmp_path / "v.json").read_text())["verdict"] == "pass"


@pytest.mark.parametrize(
    "words", ["verify b -q", "verify b", "report b", "report b --format json", "--help", "doctor"]
)
def test_a_reader_that_has_gone_is_status_141(built: Path, tmp_path: Path, words: str) -> None:
    (tmp_path / "b").symlink_to(built)
    done = shell(tmp_path, f"deploy {words} | true; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == 141
    assert done.stderr == ""


def test_nobody_reads_the_errors(built: Path, tmp_path: Path) -> None:
    """What cannot be said on standard error changes nothing."""
    done = shell(tmp_path, "deploy verify none 2>&1 >/dev/null | true; exit ${PIPESTATUS[0]}")
    assert done.returncode == 2
    done = shell(tmp_path, f"deploy verify {shlex.quote(str(built))} -q 2>/dev/full")
    assert done.returncode == 0


def test_a_locale_without_anything_prints_escapes(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "gr\N{LATIN SMALL LETTER O WITH DIAERESIS}ße"
    shutil.copytree(built, folder)
    where = shlex.quote(folder.name)
    for words, status in ((f"verify {where}", 0), (f"report {where}", 0), (f"verify {where}x", 2)):
        done = shell(tmp_path, f"deploy {words}", LC_ALL="C", PYTHONUTF8="0")
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        assert "defect" not in done.stderr


def test_an_exception_in_a_thread_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise KeyError("lost")

    def verb(*_: object) -> int:
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        return 0

    monkeypatch.setattr(command_line, "_called", verb)
    monkeypatch.setattr(threading, "excepthook", command_line._thread_failed)
    assert run([]) == 4
    error = capsys.readouterr().err
    assert "KeyError" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("raised", "status", "says"),
    [
        (MemoryError(), 2, "not enough memory"),
        (SystemExit(0), 4, "SystemExit"),
        (RecursionError("deep"), 4, "RecursionError"),
        (BrokenPipeError(32, "Broken pipe"), 2, "Broken pipe"),
    ],
)
def test_whatever_is_raised_is_a_status_of_the_contract(
    raised: BaseException,
    status: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def verb(*_: object) -> int:
        raise raised

    monkeypatch.setattr(command_line, "_called", verb)
    assert run([]) == status
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("raised", [RuntimeError("cannot be built: KeyboardInterrupt"), OSError(4, "interrupted")])
def test_an_error_after_ctrl_c_is_the_interrupt(
    raised: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Compiled code rewords it: "SchemaError: Error building serializer: KeyboardInterrupt"."""

    def verb(*_: object) -> int:
        raise raised

    monkeypatch.setattr(command_line, "_called", verb)
    monkeypatch.setattr(command_line, "interrupt_came", lambda: True)
    assert run([]) == 130
    assert capsys.readouterr().err == "deploy: interrupted\n"

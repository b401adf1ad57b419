"""The tutorials, typed word for word: what they show is what is printed, but for numbers."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from page_blocks import ROOT, Shell, blocks, carry_out, shell
from typed_here import typed_here

DOCS = ROOT / "docs"
FIRST = DOCS / "tutorials" / "own-model.md"
LATER = [
    *(DOCS / "tutorials" / f"{name}.md" for name in ("report", "ci", "board")),
    *(DOCS / "how-to" / f"{name}.md" for name in ("many-targets", "compare", "accuracy")),
]

pytestmark = [pytest.mark.early, pytest.mark.system, pytest.mark.tensorflow]


def follow(page: Path, folder: Path, run: Shell = shell) -> int:
    """Do what a page says; returns how many commands it typed."""
    count = 0
    for step, missing in carry_out(page, folder, run):
        assert missing is None, f"{page.name}: {step.command}: not printed: {missing}"
        count += 1
    return count


def test_a_keras_model_gets_its_verdict_by_the_tutorial_alone(tmp_path: Path) -> None:
    assert follow(FIRST, tmp_path, typed_here) >= 9
    assert (tmp_path / "build" / "gesture-u55-128" / "verify.json").is_file()


@pytest.mark.slow
def test_the_pages_behind_it_go_on_in_the_same_folder(tmp_path: Path) -> None:
    follow(FIRST, tmp_path)
    assert sum(follow(page, tmp_path) for page in LATER) >= 12


@pytest.mark.slow
def test_the_main_job_and_the_readme_show_what_is_printed(tmp_path: Path) -> None:
    (tmp_path / "build" / "demo").mkdir(parents=True)
    assert follow(DOCS / "tutorials" / "main-job.md", tmp_path) == 5
    assert follow(ROOT / "README.md", tmp_path) == 2


@pytest.mark.slow
def test_the_quick_start_shows_what_is_printed(tmp_path: Path) -> None:
    assert follow(DOCS / "quick-start.md", tmp_path) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["recurrent", "transformer", "detection", "streaming-audio", "two-inputs"])
def test_a_tutorial_of_a_kind_of_network_shows_what_is_printed(name: str, tmp_path: Path) -> None:
    assert follow(DOCS / "tutorials" / f"{name}.md", tmp_path) >= 3


def python_page() -> str:
    """All code of the page about Python."""
    page = DOCS / "tutorials" / "python.md"
    return "\n".join(block.text for block in blocks(page) if block.language == "python")


def test_the_page_about_python_runs_as_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.chdir(tmp_path):
        exec(python_page(), {"__name__": "__main__"})  # noqa: S102 - our own page
    shown = capsys.readouterr().out
    assert "U55-128 pass (2, 1, 4)" in shown
    assert "cycles, estimate" in shown


@pytest.mark.slow
def test_the_page_about_python_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-c", python_page()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "U55-128 pass (2, 1, 4)" in done.stdout

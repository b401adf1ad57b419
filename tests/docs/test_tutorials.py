"""The tutorials, typed word for word: what they show is what is printed, but for numbers."""

import subprocess
import sys
from pathlib import Path

import pytest
from page_blocks import ROOT, blocks, carry_out

DOCS = ROOT / "docs"
FIRST = DOCS / "tutorials" / "own-model.md"
LATER = [
    *(DOCS / "tutorials" / f"{name}.md" for name in ("report", "ci", "board")),
    *(DOCS / "how-to" / f"{name}.md" for name in ("many-targets", "compare", "accuracy")),
]

pytestmark = [pytest.mark.system, pytest.mark.tensorflow]


def follow(page: Path, folder: Path) -> int:
    """Do what a page says; returns how many commands it typed."""
    count = 0
    for step, missing in carry_out(page, folder):
        assert missing is None, f"{page.name}: {step.command}: not printed: {missing}"
        count += 1
    return count


def test_a_keras_model_gets_its_verdict_by_the_tutorial_alone(tmp_path: Path) -> None:
    assert follow(FIRST, tmp_path) >= 9
    assert (tmp_path / "build" / "gesture-u55-128" / "verify.json").is_file()


@pytest.mark.slow
def test_the_pages_behind_it_go_on_in_the_same_folder(tmp_path: Path) -> None:
    follow(FIRST, tmp_path)
    assert sum(follow(page, tmp_path) for page in LATER) >= 12


@pytest.mark.slow
def test_the_quick_start_shows_what_is_printed(tmp_path: Path) -> None:
    assert follow(DOCS / "quick-start.md", tmp_path) == 3


def test_the_page_about_python_runs_as_it_stands(tmp_path: Path) -> None:
    page = DOCS / "tutorials" / "python.md"
    code = "\n".join(block.text for block in blocks(page) if block.language == "python")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "U55-128 pass (2, 1, 4)" in done.stdout
    assert "cycles, estimate" in done.stdout

"""The tutorials, typed word for word: what they show is what is printed, but for numbers."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from page_blocks import ROOT, Block, Shell, blocks, carry_out, pages, shell
from page_starts import ALONE, BEHIND_THE_FIRST_TUTORIAL
from typed_here import typed_here
from typed_lines import ELSEWHERE, NOT_TYPED, SHORTER, lines_of, not_typed, typed_of

DOCS = ROOT / "docs"
FIRST = DOCS / "tutorials" / "own-model.md"
MAIN = [DOCS / "tutorials" / "main-job.md", ROOT / "README.md"]

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


def test_four_commands_of_the_quick_start_lead_from_a_checkout_to_a_verdict_on_a_keras_model(
    tiny_keras_model: Path, tiny_samples: Path, tmp_path: Path
) -> None:
    block = blocks(DOCS / "quick-start.md")[0]
    commands = block.text.splitlines()
    assert (block.language, len(commands)) == ("sh", 4)
    assert [command.split()[0] for command in commands] == ["pip", "sudo", "deploy", "deploy"]
    shutil.copy(tiny_keras_model, tmp_path / "mine.keras")
    for name in ("calibration.npz", "test.npz"):
        shutil.copy(tiny_samples, tmp_path / name)
    for command in commands[2:]:
        done = typed_here(["bash", "-c", command], tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "verdict: PASS" in done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_the_pages_behind_it_go_on_in_the_same_folder(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    follow(FIRST, tmp_path)
    try:
        for page, start in BEHIND_THE_FIRST_TUTORIAL.items():
            start(tmp_path, request)
            assert follow(page, tmp_path) > 0
    finally:
        for pids in tmp_path.glob("*.pid"):  # of what a page starts in the background, and did not end
            for pid in pids.read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGTERM)


@pytest.mark.slow
def test_the_main_job_and_the_readme_show_what_is_printed(tmp_path: Path) -> None:
    assert follow(MAIN[0], tmp_path) == 5
    assert follow(MAIN[1], tmp_path) == 4


@pytest.mark.slow
@pytest.mark.parametrize("page", ALONE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_is_carried_out_and_shows_what_is_printed(
    page: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    ALONE[page](tmp_path, request)
    assert follow(page, tmp_path) > 0


def test_every_page_with_commands_is_carried_out() -> None:
    carried_out = {FIRST, *MAIN, *BEHIND_THE_FIRST_TUTORIAL, *ALONE}
    found = {page for page in pages() if any(has_commands(block) for block in blocks(page))}
    assert found ^ carried_out == set()


def has_commands(block: Block) -> bool:
    """Whether something of it can be typed here."""
    return block.language == "console" or (block.language == "sh" and typed_of(block.text) != "")


def test_every_command_that_is_not_typed_or_shortened_stands_on_a_page() -> None:
    scripts = [block.text for page in pages() for block in blocks(page) if block.language == "sh"]
    lines = [line for script in scripts for line in lines_of(script)]
    assert {not_typed(line) for line in lines} - {None} == set(NOT_TYPED)
    for start in (*SHORTER, *ELSEWHERE):
        assert any(start in line for line in lines), start


def test_what_a_script_starts_is_typed_shortened_and_here() -> None:
    script = "make test  # all\ndeploy search \\\n    --seed 2 | jq .  # slow\ndask worker tcp://10.0.0.5:1 &\n"
    assert typed_of(script).split() == [
        *("deploy", "search", "--seed", "2", "--trials", "2", "--samples", "64", "--epochs", "1", "|", "jq", "."),
        *("dask", "worker", "tcp://127.0.0.5:1", "&"),
    ]


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

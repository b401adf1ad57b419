"""The tutorials, typed word for word: what they show is what is printed, but for numbers."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from page_blocks import ROOT, Shell, blocks, carry_out, pages, shell
from typed_here import typed_here

DOCS = ROOT / "docs"
FIRST = DOCS / "tutorials" / "own-model.md"
LATER = [
    *(DOCS / "tutorials" / f"{name}.md" for name in ("report", "ci", "board")),
    *(DOCS / "how-to" / f"{name}.md" for name in ("many-targets", "compare", "accuracy", "cluster")),
]
KINDS = ["recurrent", "transformer", "detection", "streaming-audio", "two-inputs"]
"""Tutorials of kinds of networks: each in a folder of its own."""

CARRIED_OUT = {
    FIRST,
    *LATER,
    *(DOCS / "tutorials" / f"{name}.md" for name in (*KINDS, "main-job")),
    DOCS / "quick-start.md",
    ROOT / "README.md",
}
"""Pages whose console blocks are typed here, word for word."""

SHOWN_ALONE = {
    DOCS / "how-to" / "locate.md": "a board, or a simulator that computes something wrong",
    DOCS / "optimize.md": "minutes of trials; tests/optimizing and tests/cli/test_optimize.py",
    DOCS / "how-to" / "miscompiled.md": "tests/verifying/test_miscompilations.py compiles each of these networks",
}
"""Pages with a console block that is not typed here, and what they need, or where it is tried."""

OPTIONS_ALONE = {
    ROOT / "CONTRIBUTING.md": "make itself, which CI types",
    DOCS / "advice.md": "tests/advising and tests/cli/test_advice.py",
    DOCS / "distillation.md": "hours of training",
    DOCS / "explanation" / "npu-model.md": "tests/verifying",
    DOCS / "explanation" / "strength.md": "a quarter of an hour; tests/strength types a part of it",
    DOCS / "how-to" / "quantizing.md": "tests/quantizing",
    DOCS / "how-to" / "state.md": "networks of the reader; tests/verifying types the same with small ones",
    DOCS / "how-to" / "terminal.md": "tests/cli/test_completion.py types it in both shells",
    DOCS / "how-to" / "cluster.md": "other computers, a Kubernetes",
    DOCS / "how-to" / "many-targets.md": "other computers; networks of the reader",
    DOCS / "how-to" / "accuracy.md": "tests/evaluating",
    DOCS / "how-to" / "model-explorer.md": "Model Explorer, and a browser: tests/reporting",
    DOCS / "networks.md": "tests/models; training takes hours",
    DOCS / "reference" / "json.md": "tests/cli/test_json_document.py types every verb",
    DOCS / "search.md": "hours of search; tests/searching",
    DOCS / "tutorials" / "board.md": "a board; tests/targets speaks to a simulated one",
    DOCS / "quick-start.md": "installs: tests/test_wheel.py, with pip, pipx and uv",
    ROOT / "README.md": "installs, and what demo.sh types: tests/test_demo.py",
    ROOT / "models" / "featherface_v1" / "README.md": "hours of training; tests/models",
    ROOT / "models" / "featherface_v2" / "README.md": "hours of training; tests/models",
    ROOT / "models" / "mobilenetv4" / "README.md": "hours of training; tests/models",
    ROOT / "models" / "multihead_mobilenetv3" / "README.md": "hours of training; tests/models",
}
"""Pages with an ``sh`` block, whose commands test_commands.py parses: why nobody types them here, or what does."""

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
def test_the_pages_behind_it_go_on_in_the_same_folder(tmp_path: Path) -> None:
    follow(FIRST, tmp_path)
    try:
        assert sum(follow(page, tmp_path) for page in LATER) >= 12
    finally:
        for pids in tmp_path.glob("*.pid"):  # of what a page starts in the background, and did not end
            for pid in pids.read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGTERM)


@pytest.mark.slow
def test_the_main_job_and_the_readme_show_what_is_printed(tmp_path: Path) -> None:
    (tmp_path / "build" / "demo").mkdir(parents=True)
    assert follow(DOCS / "tutorials" / "main-job.md", tmp_path) == 5
    assert follow(ROOT / "README.md", tmp_path) == 2


@pytest.mark.slow
def test_the_quick_start_shows_what_is_printed(tmp_path: Path) -> None:
    assert follow(DOCS / "quick-start.md", tmp_path) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_tutorial_of_a_kind_of_network_shows_what_is_printed(name: str, tmp_path: Path) -> None:
    assert follow(DOCS / "tutorials" / f"{name}.md", tmp_path) >= 3


def test_every_page_with_commands_is_carried_out_or_says_why_it_is_not() -> None:
    for language, typed, explained in (("console", CARRIED_OUT, SHOWN_ALONE), ("sh", set[Path](), OPTIONS_ALONE)):
        found = {page for page in pages() if any(block.language == language for block in blocks(page))}
        assert found - typed - set(explained) == set(), f"{language}: neither carried out nor explained"
        assert set(explained) - found == set(), f"{language}: no such block"


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

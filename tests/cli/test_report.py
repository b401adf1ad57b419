"""``deploy report`` with several builds: the comparison, its formats, its rules and its exit status."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from answers import answered

from deploy.build_folder import COMPILE_DOCUMENT
from deploy.cli.main import run


@pytest.fixture(scope="module")
def builds(mlperf_tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """ResNet-8 for U55-128, and for the half as wide U55-64."""
    folder = tmp_path_factory.mktemp("compared")
    names = []
    for npu in ("U55-128", "U55-64"):
        names.append(str(folder / npu))
        model = str(mlperf_tiny["image_classification"])
        assert run(["compile", model, "--npu", npu, "-o", names[-1], "-q"]) == 0
    return names[0], names[1]


def with_operators(build: str, target: Path, change: dict[str, object]) -> str:
    """A copy of a build whose last operator is another."""
    shutil.copytree(build, target)
    document = json.loads((target / COMPILE_DOCUMENT).read_text())
    document["operators"][-1].update(change)
    (target / COMPILE_DOCUMENT).write_text(json.dumps(document))
    return str(target)


def test_two_builds_are_shown_side_by_side_with_labels_and_notes(
    builds: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", *builds]) == 0
    text = capsys.readouterr().out
    assert "B (U55-64) against A (U55-128): estimate" in text
    assert "B (U55-64) against A (U55-128): measured" in text
    line = next(line for line in text.splitlines() if line.startswith(" cycles, total"))
    assert re.search(r"\+\d+\.\d % worse *$", line)
    assert "note: different NPUs: A U55-128, B U55-64" in text
    assert "Cycles from A to B (estimate), 10 of" in text
    assert "\x1b" not in text
    tables = [line.rstrip() for line in text.splitlines() if line.startswith(" ")]
    assert max(map(len, tables)) <= 80


def test_on_a_terminal_worse_is_red_and_better_is_green(builds: tuple[str, str]) -> None:
    main, terminal = pty.openpty()
    words = [sys.executable, "-m", "deploy", "report", builds[0], builds[1], "--fail-on", "flash+1M"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    for name in ("NO_COLOR", "FORCE_COLOR"):
        environment.pop(name, None)
    with subprocess.Popen(words, stdout=terminal, stderr=terminal, stdin=terminal, env=environment) as process:
        os.close(terminal)
        seen = b""
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:
                break
            if not part:
                break
            seen += part
        assert process.wait(timeout=60) == 0
    os.close(main)
    text = seen.decode()
    assert re.search(r"\x1b\[31m[^\x1b]*worse", text)
    assert "\x1b[1;32mpass\x1b[0m" in text


def test_operators_that_moved_are_listed_with_their_place(
    builds: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = with_operators(
        builds[0], tmp_path / "moved", {"placement": "CPU", "reason": "told so", "npu_cycles": None}
    )
    assert run(["report", builds[0], moved]) == 0
    assert "Operators from A to B: 1 moved to the CPU" in capsys.readouterr().out
    other = with_operators(builds[0], tmp_path / "other", {"type": "SIN"})
    assert run(["report", builds[0], other, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["builds"][1]["operators"] == []  # the same model: only placement and cycles can differ


def test_json_is_a_versioned_document_with_the_rules_outcome(
    builds: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["report", *builds, "--format", "json", "--fail-on", "cycles+1%,sram+0"]
    assert run(words) == 1
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document["schema_version"] == 1
    assert [build["letter"] for build in document["builds"]] == ["A", "B"]
    rows = {row["name"]: row for row in document["figures"]}
    assert rows["compiled_size"]["cells"][0]["label"] == "measured"
    assert [(rule["rule"], rule["holds"]) for rule in document["rules"]] == [
        ("cycles+1%", False),
        ("sram+0", True),
    ]
    assert captured.err.startswith("fail  cycles+1%: cycles, total of B")


def test_a_broken_rule_ends_with_status_1_and_the_line_that_broke(
    builds: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", *builds, builds[0], "-q", "--fail-on", "cycles+1%"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("fail  cycles+1%: cycles, total of B") and builds[1] in lines[0]
    assert run(["report", *builds, "-q", "--fail-on", "cycles+1000%,cpu_operators+0"]) == 0
    assert capsys.readouterr().out == "pass  all rules hold: cycles+1000%, cpu_operators+0\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fail-on", "cycels+5%"], "did you mean cycles?"),
        (["--fail-on", "accuracy-1"], "no build has an accuracy"),
        (["--fail-on", "target_npu_active_cycles+1"], "try: deploy run-fvp BUILD"),
        (["--format", "yaml"], "--format yaml: choose"),
    ],
)
def test_what_cannot_be_compared_ends_with_status_2(
    builds: tuple[str, str], words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", *builds, *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("format_", ["text", "json", "html"])
def test_every_format_goes_to_a_file_or_to_standard_output(
    builds: tuple[str, str], count: int, format_: str, in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["report", *builds[:count], "--format", format_]
    assert run([*words, "-o", "whole"]) == 0
    written = (in_folder / "whole").read_text()
    assert {"text": "SRAM peak", "json": '"total_cycles"', "html": "</html>"}[format_] in written
    said = capfd.readouterr().out
    assert said == ("report: whole\n" if format_ == "html" else "")
    assert run([*words, "-o", "-"]) == 0
    printed = capfd.readouterr().out
    if format_ != "json":
        assert printed == written
        return
    there, here = answered(written), answered(printed)
    assert (there.pop("written"), here.pop("written")) == (["whole"], [])
    assert there == here


@pytest.mark.parametrize("count", [1, 2])
def test_json_is_the_same_document_however_it_is_asked_for(
    builds: tuple[str, str], count: int, in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["report", *builds[:count]]
    for more in (["--format", "json"], ["--json", "-"], ["--format", "json", "--json", "-"]):
        assert run([*words, *more]) == 0
        printed = answered(capfd.readouterr().out)
        assert run([*words, "-q", "--json", "r.json"]) == 0
        capfd.readouterr()
        assert answered((in_folder / "r.json").read_text()) == printed
    assert printed["schema"] == f"ethosu-deploy/{'report' if count == 1 else 'comparison'}/1"


def test_a_report_that_fails_leaves_its_error_in_the_place_of_an_older_one(
    builds: tuple[str, str], in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", builds[0], "--format", "json", "-o", "r.json"]) == 0
    assert run(["report", "gone", "--format", "json", "-o", "r.json"]) == 2
    document = answered((in_folder / "r.json").read_text())
    assert document["error"]["message"] == "gone: not a build folder (no such folder)"
    assert capfd.readouterr().out == ""
    assert run(["report", "gone", "--format", "json"]) == 2
    assert answered(capfd.readouterr().out)["error"]["kind"] == "bad_input"


def test_a_file_whose_ending_promises_what_no_format_is_gets_written_only_where_the_format_is_said(
    builds: tuple[str, str], in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", builds[0], "-o", "r.svg"]) == 2
    assert "-o r.svg: no format here is .svg" in capfd.readouterr().err
    assert not Path("r.svg").exists()
    assert run(["report", builds[0], "-o", "r.svg", "--format", "text"]) == 0
    assert "SRAM peak" in Path("r.svg").read_text()


def test_values_for_model_explorer_are_files_in_a_folder_which_the_document_names(
    builds: tuple[str, str], in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["report", builds[0], "--format", "model-explorer"]
    assert run([*words, "-o", "values", "--json", "r.json"]) == 0
    written = answered((in_folder / "r.json").read_text())["written"]
    assert written and sorted(written) == sorted(str(path) for path in Path("values").iterdir())
    assert run([*words, "-o", "-"]) == 2
    assert "writes a folder" in capfd.readouterr().err


def test_rules_need_a_second_build(builds: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", builds[0], "--fail-on", "cycles+0"]) == 2
    assert "--fail-on compares: name two builds or more" in capsys.readouterr().err
    assert run(["report", builds[0], "gone"]) == 2
    assert "gone: not a build folder" in capsys.readouterr().err

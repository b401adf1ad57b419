"""The action and the hook: what the runner does with them, done here, and what they name exists."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.cli.main import command_line

pytestmark = pytest.mark.early

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
ACTION = ROOT / "action.yml"
SCRIPT = ROOT / ".github" / "actions" / "check.sh"


def action() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(ACTION.read_text())
    return content


def step(folder: Path, **inputs: str) -> tuple[subprocess.CompletedProcess[str], str, dict[str, str]]:
    """Run the step as the runner does; returns it, the summary and the outputs."""
    temporary = folder / "runner"
    temporary.mkdir(exist_ok=True)
    files = {name: temporary / name for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    for file in files.values():
        file.write_text("")
    declared = {f"INPUT_{name}": "" for name in re.findall(r"INPUT_([A-Z]+):", ACTION.read_text())}
    environment = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": os.environ["HOME"],
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "RUNNER_TEMP": str(temporary),
        **{name: str(file) for name, file in files.items()},
        **declared,
        **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
    }
    done = subprocess.run(
        ["sh", SCRIPT], cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
    return done, files["GITHUB_STEP_SUMMARY"].read_text(), outputs


def test_the_action_follows_its_schema() -> None:
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-actions", ACTION]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_inputs_reach_the_script_by_the_environment_and_never_as_its_text() -> None:
    for each in action()["runs"]["steps"]:
        assert "${{" not in each.get("run", "")
    used = set(re.findall(r"INPUT_([A-Z]+)", SCRIPT.read_text()))
    given = next(each["env"] for each in action()["runs"]["steps"] if each.get("id") == "check")
    assert given == {f"INPUT_{name}": f"${{{{ inputs.{name.lower()} }}}}" for name in used - {"MODEL"}} | {
        "INPUT_MODEL": "${{ inputs.model }}"
    }
    assert {name.lower() for name in used} < set(action()["inputs"])


def test_the_options_of_the_script_exist() -> None:
    known = {name for each in command_line().commands["check"].params for name in each.opts}  # type: ignore[attr-defined]
    assert set(re.findall(r" (--[a-z]+)", SCRIPT.read_text())) <= known


def test_a_pass_has_summary_outputs_and_results(tiny_tflite: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_tflite, tmp_path / "my model.tflite")
    limits = "sram<=200K\n\n  cpu_operators<=0\n"
    done, summary, outputs = step(tmp_path, model="my model.tflite", npu="U55-128", count="2", limits=limits)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "## deploy check: PASS" in summary
    assert "| sram&lt;=200K |" in summary
    assert "| cpu\\_operators&lt;=0 |" in summary
    assert "The chart is in the artifact of this run." in summary
    assert "![" not in summary
    assert (outputs["verdict"], outputs["exit-status"]) == ("pass", "0")
    assert {path.name for path in Path(outputs["results"]).iterdir()} == {
        "summary.md",
        "summary.svg",
        "verdict.json",
        "verdict.xml",
    }


def test_a_broken_limit_fails_the_step_and_annotates_it(built: Path, tmp_path: Path) -> None:
    done, summary, outputs = step(tmp_path, model=str(built), count="1", limits="time<=1us", arguments="--quiet")
    assert done.returncode == 1
    assert re.search(r"^::error title=deploy check%3A limit::time<=1us: ", done.stdout, re.MULTILINE)
    assert "## deploy check: FAIL" in summary
    assert (outputs["verdict"], outputs["exit-status"]) == ("fail", "1")


def test_in_an_empty_folder_the_step_fails_and_says_what_is_missing(tmp_path: Path) -> None:
    done, summary, outputs = step(tmp_path)
    assert done.returncode == 2
    assert "::error title=deploy check::no MODEL given" in done.stdout
    assert "## deploy check: ERROR" in summary
    assert outputs["verdict"] == "error"


@pytest.mark.parametrize("hostile", ["$(touch pwned)", "`touch pwned`", "; touch pwned", "--help"])
def test_what_an_input_holds_is_never_run(hostile: str, tmp_path: Path) -> None:
    done, summary, outputs = step(tmp_path, model=hostile, npu="U55-128", limits="sram<=1K")
    assert done.returncode == 2
    assert not (tmp_path / "pwned").exists()
    assert outputs["verdict"] == "error"
    assert "## deploy check: ERROR" in summary


def test_a_verdict_of_an_earlier_run_does_not_stay(built: Path, tmp_path: Path) -> None:
    assert step(tmp_path, model=str(built), count="1")[0].returncode == 0
    old = tmp_path / "runner" / "deploy-check" / "verdict.json"
    assert json.loads(old.read_text())["verdict"] == "pass"
    done, _, outputs = step(tmp_path, arguments="--unknown")
    assert done.returncode == 2
    assert outputs["verdict"] == "error"


def test_the_hook_calls_a_verb_that_exists_when_a_model_or_its_settings_change() -> None:
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert {"id", "name", "entry", "language"} <= set(hook)
    words = hook["entry"].split()
    assert words[:2] == ["deploy", "check"]
    command_line().commands["check"].make_context("check", words[2:])  # type: ignore[attr-defined]
    assert (hook["language"], hook["pass_filenames"]) == ("python", False)
    for name in ("model.tflite", "models/m.keras", "deploy.toml", "sub/deploy.toml", "pyproject.toml"):
        assert re.search(hook["files"], name)
    for name in ("model.py", "mydeploy.toml", "README.md"):
        assert not re.search(hook["files"], name)

"""deploy alone: where the project stands and what comes next; help where there is no project."""

import json
import os
import shutil
from pathlib import Path

import pytest

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.reporting.data.build_documents import VERDICT_COMMANDS
from deploy.settings.last_build import remember_build


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What stands before the colon -> what stands behind it."""
    assert run([]) == 0
    lines = capsys.readouterr().out.splitlines()
    return {line[:10].strip(" :"): line[10:] for line in lines}


def project_with(build: Path, folder: Path) -> Path:
    copy = folder / "build" / build.name
    shutil.copytree(build, copy)
    remember_build(copy, folder)
    return copy


def test_a_folder_that_is_no_project_is_answered_with_help(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([]) == 2
    captured = capsys.readouterr()
    assert "Usage" in captured.out + captured.err


def test_a_project_without_a_build_is_told_how_to_compile(
    in_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = in_folder / "deploy.toml"
    settings.write_text("")
    assert shown(capsys) == {
        "settings": "deploy.toml",
        "model": "not set",
        "build": "none yet",
        "next": "deploy compile MODEL --data DATA --npu U55-128",
    }
    (in_folder / "only.tflite").touch()
    assert shown(capsys)["next"] == "deploy compile only.tflite --npu U55-128"
    settings.write_text('model = "only.tflite"\nnpu = "U65-256"\n')
    assert shown(capsys)["next"] == "deploy compile"
    settings.write_text('model = "net.keras"\n[verb.compile]\nnpu = "U55-64"\n')
    assert shown(capsys)["model"] == "net.keras (not there)"
    assert shown(capsys)["next"] == "set `model` in deploy.toml"
    (in_folder / "net.keras").touch()
    assert shown(capsys)["next"] == "deploy compile --data DATA"
    (in_folder / "below").mkdir()
    monkeypatch.chdir("below")
    assert shown(capsys)["settings"] == "../deploy.toml"
    assert shown(capsys)["next"] == "deploy compile --data DATA"


def test_a_build_is_shown_with_its_last_verdict_and_what_comes_then(
    built: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = project_with(built, in_folder)
    for command in VERDICT_COMMANDS:
        BuildFolder.open(build).verdict_file(command).unlink(missing_ok=True)
    first = shown(capsys)
    assert first["build"].startswith(f"build/{build.name}, for U55-128, ")
    assert (first["verdict"], first["next"]) == ("none yet", "deploy run-fvp")
    assert run(["verify", "-q"]) == 0
    capsys.readouterr()
    assert shown(capsys)["verdict"].startswith("PASS")
    assert shown(capsys)["verdict"].endswith("(deploy verify)")
    assert shown(capsys)["next"] == "deploy run-fvp"
    verdict = json.loads((build / "verify.json").read_text())
    (build / "run-fvp.json").write_text(json.dumps(verdict | {"verdict": "fail", "reason": "differs"}))
    os.utime(build / "verify.json", (1, 1))
    assert shown(capsys)["verdict"] == "FAIL - differs (deploy run-fvp)"
    assert shown(capsys)["next"] == "deploy verify --layers"
    (build / "run-fvp.json").write_text(json.dumps(verdict))
    assert shown(capsys)["next"] == "deploy report, or deploy firmware"


def test_a_build_older_than_its_model_is_compiled_next(
    built: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = project_with(built, in_folder)
    (in_folder / "deploy.toml").write_text('model = "net.tflite"\nnpu = "U55-128"\n')
    model = in_folder / "net.tflite"
    model.touch()
    os.utime(build / "compile.json", (1, 1))
    found = shown(capsys)
    assert found[""] == "net.tflite is newer than it"
    assert found["next"] == "deploy compile"


def test_a_build_that_is_gone_or_damaged_is_said_so(
    built: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = project_with(built, in_folder)
    shutil.rmtree(build)
    found = shown(capsys)
    assert "no such folder" in found["build"]
    assert found["next"].startswith("deploy compile MODEL")


def test_a_project_that_was_renamed_stands_where_it_stood(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    project_with(built, before)
    before.rename(after)
    monkeypatch.chdir(after)
    assert shown(capsys)["build"].startswith("build/")
    assert run(["verify", "-q"]) == 0

"""deploy init: a commented file, never over an existing one."""

import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.main import run
from deploy.settings.project_settings import find


def kept() -> dict[str, Any]:
    [table] = find().tables
    return dict(table.values)


def test_init_writes_a_file_that_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.tflite").touch()
    assert run(["init"]) == 0
    assert kept()["model"] == "net.tflite"


def test_init_does_not_replace_a_file_without_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deploy.toml").write_text('npu = "U55-32"\n')
    assert run(["init"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert kept()["npu"] == "U55-32"
    assert run(["init", "--force"]) == 0
    assert "npu" not in kept()


def test_init_says_what_it_set_what_is_lacking_and_what_is_next(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (in_folder / "net.tflite").touch()
    (in_folder / "net_vela.tflite").touch()
    (in_folder / "test.npz").touch()
    assert run(["init"]) == 0
    assert capsys.readouterr().out == (
        "wrote deploy.toml\n"
        "  model = net.tflite\n"
        "  data = test.npz\n"
        "  not here, so not set: calibration (calibration.npz), labels (labels.json)\n"
        "next: deploy compile --npu U55-128\n"
    )
    assert kept() == {"model": "net.tflite", "data": "test.npz"}


def test_several_models_are_listed_and_none_is_set_where_nobody_can_be_asked(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (in_folder / "a.keras").touch()
    (in_folder / "saved").mkdir()
    (in_folder / "saved/saved_model.pb").touch()
    assert run(["init"]) == 0
    said = capsys.readouterr().out
    assert "  model is not set: 2 are here\n    a.keras\n    saved\n" in said
    assert "next: deploy init --force a.keras, or the model that you mean" in said
    assert kept() == {}
    assert run(["init", "--force", "saved"]) == 0
    assert kept() == {"model": "saved"}
    assert "next: deploy compile --data DATA --npu U55-128" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "chosen"), [("2", "b.tflite"), ("a.tflite", "a.tflite"), ("", None), ("3", None)]
)
def test_on_a_terminal_one_of_several_models_is_asked_for(
    answer: str, chosen: str | None, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.tflite", "b.tflite"):
        (in_folder / name).touch()
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: answer)
    assert run(["init"]) == 0
    assert kept().get("model") == chosen


def test_a_folder_without_a_model_and_a_model_that_is_none_are_said_so(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", "gone.tflite"]) == 2
    assert "gone.tflite: no such model" in capsys.readouterr().err
    assert not Path("deploy.toml").exists()
    assert run(["init"]) == 0
    said = capsys.readouterr().out
    assert "model is not set: none is here" in said
    assert "next: deploy compile MODEL --data DATA --npu U55-128" in said

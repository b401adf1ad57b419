"""deploy init: a commented file, never over an existing one."""

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

"""deploy init: a commented file, never over an existing one."""

from pathlib import Path

import pytest

from deploy import settings
from deploy.cli.main import run


def test_init_writes_a_file_that_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.tflite").touch()
    assert run(["init"]) == 0
    assert settings.load(tmp_path).model == "net.tflite"


def test_init_does_not_replace_a_file_without_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deploy.toml").write_text('npu = "U55-32"\n')
    assert run(["init"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert settings.load(tmp_path).npu == "U55-32"
    assert run(["init", "--force"]) == 0
    assert settings.load(tmp_path).npu is None

"""A missing file is answered with the one beside it that is called nearly so."""

from pathlib import Path

import pytest

from deploy.cli.main import run
from deploy.near_names import near_names


@pytest.mark.parametrize("wrong", ["modle.tflite", "Model.tflite", "model", "model.tflte", "MODEL.TFLITE"])
def test_the_near_name_is_told(wrong: str, tmp_path: Path) -> None:
    for name in ("model.tflite", "data.npz", ".model.tflite"):
        (tmp_path / name).touch()
    assert near_names(tmp_path / wrong) == (f"did you mean {tmp_path / 'model.tflite'}?",)


@pytest.mark.parametrize("path", ["data.npz", "quite.else", "gone/model.tflite", "a\0b", ""])
def test_nothing_is_made_up(path: str, in_folder: Path) -> None:
    (in_folder / "data.npz").touch()
    assert near_names(Path(path)) == ()


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["compile", "modle.tflite", "--npu", "U55-128"], "model.tflite"),
        (["verify", "b", "--data", "tset.npz"], "test.npz"),
        (["report", "build/modle-u55-128"], "build/model-u55-128"),
    ],
)
def test_the_verbs_tell_it(
    words: list[str], meant: str, built: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (in_folder / "b").symlink_to(built)
    (in_folder / "build").mkdir()
    for name in ("model.tflite", "test.npz", "build/model-u55-128"):
        (in_folder / name).touch()
    assert run(words) == 2
    assert f"try: did you mean {meant}?" in capsys.readouterr().err

"""Without the compiled core every command that runs the NPU model says so, once, and what to type."""

import json
from pathlib import Path

import pytest

from deploy.cli.main import run
from deploy.errors import BadInputError
from deploy.npu.core import library
from deploy.optimizing import optimization

NOTE = "note: the NPU model is slow"


@pytest.fixture(autouse=True)
def without_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "native", lambda: None)


def test_a_verification_says_it_once_and_its_document_which_model_computed(
    built: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", str(built), "--count", "3", "--json", "v.json"]) == 0
    said = capsys.readouterr().err
    assert said.count(NOTE) == 1
    assert "apt-get install gcc" in said and "-m pip install" in said
    assert json.loads(Path("v.json").read_text())["versions"]["npu-model"] == "NumPy"
    assert run(["verify", str(built), "--count", "3", "-q"]) == 0
    assert NOTE not in capsys.readouterr().err


def test_a_compilation_says_it_where_it_checks_operators(
    tiny_tflite: Path, in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["compile", str(tiny_tflite), "--npu", "U55-128", "--advice", "none"]
    for further, times in (([], 1), (["-q"], 0), (["--verify", "none"], 0)):
        assert run([*words, *further]) == 0
        assert capfd.readouterr().err.count(NOTE) == times


@pytest.mark.parametrize(
    "words", [["evaluate", "BUILD", "--data", "none.npz"], ["run-board", "BUILD", "--port", "/dev/no-board"]]
)
def test_others_say_it_before_they_begin(
    words: list[str], built: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for further, times in (([], 1), (["-q"], 0)):
        assert run([str(built) if word == "BUILD" else word for word in (*words, *further)]) != 0
        assert capsys.readouterr().err.count(NOTE) == times


def test_an_optimization_says_it(
    tiny_tflite: Path, in_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing(*_words: object, **_named: object) -> None:
        raise BadInputError("as far as it has to go")

    monkeypatch.setattr(optimization, "optimize", nothing)
    for further, times in (([], 1), (["-q"], 0)):
        assert run(["optimize", str(tiny_tflite), "--npu", "U55-128", *further]) == 2
        assert capsys.readouterr().err.count(NOTE) == times

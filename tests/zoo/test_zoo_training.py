"""``deploy models train`` with a teacher: what it is refused for, and a short real run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from answers import answered

from deploy import zoo
from deploy.cli.main import run
from deploy.models.datasets import fashion_mnist

NAME = "multihead-mobilenetv3"
PROJECT = f"models:{NAME}"

needs_data = pytest.mark.skipif(
    not fashion_mnist.FOLDER.is_dir(), reason="needs Debian's package dataset-fashion-mnist"
)

TEACHERS = """
import keras

def other_heads():
    image = keras.Input((56, 56, 1))
    features = keras.layers.GlobalAveragePooling2D()(image)
    return keras.Model(image, {name: keras.layers.Dense(classes)(features)
                               for name, classes in (("garment", 10), ("sort", 5))})

def softmax():
    image = keras.Input((56, 56, 1))
    features = keras.layers.GlobalAveragePooling2D()(image)
    return keras.Model(image, {name: keras.layers.Dense(classes, "softmax")(features)
                               for name, classes in (("garment", 10), ("kind", 5))})

def nothing():
    return 3
"""


@pytest.fixture
def teachers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a file of teachers in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "teachers.py").write_text(TEACHERS)
    (tmp_path / "model.tflite").write_bytes(b"TFL3")
    return tmp_path


def refusal(words: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """The whole message of a command that must end with exit status 2."""
    assert run(["models", "train", *words]) == 2
    message = capfd.readouterr().err
    assert message.startswith("deploy: error: ") and "Traceback" not in message
    return " ".join(message.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([NAME, "--temperature", "2"], "--temperature goes with --teacher"),
        ([NAME, "--soft", "0.5"], "--soft goes with --teacher"),
        ([NAME, "--teacher-set", "alpha=0.5"], "--teacher-set goes with --teacher"),
        ([NAME, "--teacher-weights", "x.weights.h5"], "--teacher-weights goes with --teacher"),
        ([NAME, "--teacher", PROJECT, "--temperature", "0"], "temperature is 0, must be above 0 and at most 100"),
        ([NAME, "--teacher", PROJECT, "--soft", "2"], "the teacher's share of the loss is 2"),
        ([NAME, "--augment", "mixpu"], "there is no augmentation set 'mixpu'; did you mean 'mixup'?"),
        (["featherface-v1", "--teacher", PROJECT], "--teacher: featherface-v1 is not trained that way"),
        (["featherface-v1", "--augment", "crop"], "--augment: featherface-v1 is not trained that way"),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_anything_is_loaded(
    words: list[str], message: str, teachers: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert message in refusal(words, capfd)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["models:multihed"], "--teacher models:multihed: no model is called 'multihed'"),
        (["gone.keras"], "--teacher gone.keras: gone.keras: no such model"),
        (["model.tflite"], "--teacher model.tflite: a TFLite file cannot teach try: a teacher is a Keras model"),
        (["teachers.py:nothing"], "teachers.py:nothing: returned builtins.int, expected a Keras model"),
        ([PROJECT, "--teacher-set", "alpa=1"], f"{NAME} has no option 'alpa'; did you mean 'alpha'?"),
        ([PROJECT, "--teacher-set", "alpha=1.0"], f"{NAME} brings no trained weights for these options"),
        ([PROJECT, "--teacher-weights", "gone.weights.h5"], "gone.weights.h5: no such weights file"),
        (["teachers.py:softmax", "--teacher-weights", "x.weights.h5"], "goes with --teacher models:NAME"),
    ],
)
def test_a_teacher_that_cannot_be_loaded_is_refused_by_name(
    words: list[str], message: str, teachers: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert message in refusal([NAME, "--teacher", *words], capfd)
    assert not (teachers / "build").exists()


@needs_data
@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            [PROJECT, "--teacher-set", "alpha=0.5", "--teacher-set", "size=64"],
            f"teacher {PROJECT} alpha=0.5 size=64: its input is Nx64x64x1, the student's Nx56x56x1",
        ),
        (
            ["teachers.py:other_heads"],
            "teacher teachers.py:other_heads: it has no output 'kind', which the student has "
            "try: its outputs: garment (10 classes), sort (5 classes)",
        ),
        (["teachers.py:softmax"], "teacher teachers.py:softmax: its output 'garment' is a softmax"),
    ],
    ids=["input", "heads", "softmax"],
)
def test_a_teacher_that_does_not_fit_the_student_is_refused_by_name(
    words: list[str], message: str, teachers: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert message in refusal([NAME, "--teacher", *words], capfd)
    assert not (teachers / "build").exists()


@pytest.mark.slow  # Keras takes half a minute to trace its optimizer; test_distillation trains smaller networks
@needs_data
@pytest.mark.tensorflow
def test_the_larger_network_of_the_zoo_teaches_the_smaller_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "student.weights.h5"
    teacher = ["--teacher", PROJECT, "--teacher-set", "alpha=0.5", "--temperature", "2", "--soft", "0.9"]
    words = [
        NAME,
        *teacher,
        "--augment",
        "shift:2,crop,mixup",
        "--images",
        "256",
        "--epochs",
        "1",
        "-o",
        str(file),
    ]
    assert run(["models", "train", *words, "--json", str(tmp_path / "t.json")]) == 0
    document = answered((tmp_path / "t.json").read_text())
    lines = capfd.readouterr().out.splitlines()
    known = re.fullmatch(
        rf"teacher {PROJECT} alpha=0.5: accuracy on 256 training images garment (0\.\d+), kind (0\.\d+)", lines[0]
    )
    assert known is not None and float(known[1]) > 0.9 and float(known[2]) > 0.95, "it is the trained one"
    assert lines[1].startswith("epoch 1/1: loss ") and lines[2].startswith(f"{file}: written")
    assert (document["log"], document["file"]) == (lines[:2], str(file))
    assert zoo.network(NAME, weights=file).model.count_params() == 102_335

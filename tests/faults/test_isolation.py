"""The working folder is somebody else's, perhaps: nothing in it is imported or run unless the user names it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

DEPLOY = Path(sys.executable).with_name("deploy")
PLANTED = ("json", "random", "numpy", "tensorflow", "keras", "site", "sitecustomize", "usercustomize", "conftest")
PACKAGES = ("deploy", "ethosu", "ai_edge_litert", "tflite_micro", "distributed")
PROGRAMS = ("qemu-system-arm", "cmake", "gcc", "arm-none-eabi-gcc", "git", "sh", "python", "python3", "vela")


@pytest.fixture
def hostile(tmp_path: Path, tiny_tflite: Path, tiny_keras_model: Path, tiny_samples: Path) -> Path:
    """A working folder with modules, packages and programs that leave a note when somebody runs them."""
    folder = tmp_path / "cloned"
    folder.mkdir()
    note = f"open({str(tmp_path / 'ran')!r}, 'a').write(__file__ + '\\n')\n"
    for name in PLANTED:
        (folder / f"{name}.py").write_text(note)
    for name in PACKAGES:
        (folder / name).mkdir()
        for file in ("__init__", "__main__"):
            (folder / name / f"{file}.py").write_text(note)
    for name in PROGRAMS:
        (folder / name).write_text(f"#!/bin/sh\necho $0 >> {tmp_path / 'ran'}\n")
        (folder / name).chmod(0o755)
    for model in (tiny_tflite, tiny_keras_model, tiny_samples):
        shutil.copy(model, folder)
    return folder


def test_the_modules_that_are_planted_would_tell(hostile: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "deploy"], cwd=hostile, capture_output=True, timeout=60, check=False)
    assert "deploy/__init__.py" in (tmp_path / "ran").read_text()


@pytest.mark.parametrize(
    "words",
    [
        ["doctor"],
        pytest.param(
            ["quantize", "tiny.keras", "--calibration", "images.npz", "-o", "again.tflite"], marks=pytest.mark.slow
        ),
        pytest.param(
            ["compile", "tiny.keras", "--calibration", "images.npz", "--npu", "U55-128"], marks=pytest.mark.slow
        ),
        ["compile", "tiny.tflite", "--npu", "U55-128", "-o", "b"],
        ["verify", "b", "--layers"],
        ["run-fvp", "b", "--fvp", "open"],
        pytest.param(["run-fvp", "b", "--fvp", "open", "--firmware", "npu"], marks=pytest.mark.slow),
        ["report", "b", "--format", "html"],
        pytest.param(["optimize", "tiny.tflite", "--npu", "U55-128"], marks=pytest.mark.slow),
        pytest.param(["sweep", "tiny.tflite", "--npu", "U55-64,U55-128"], marks=pytest.mark.slow),
        ["models", "list"],
    ],
    ids=" ".join,
)
def test_nothing_of_the_working_folder_is_run(
    hostile: Path, tmp_path: Path, built: Path, words: list[str]
) -> None:
    if words[1:2] == ["b"]:
        shutil.copytree(built, hostile / "b")
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    done = subprocess.run(
        [DEPLOY, *words], cwd=hostile, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()
    assert done.returncode == 0, done.stdout + done.stderr

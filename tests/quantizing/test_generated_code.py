"""What TensorFlow generates among the temporary files is gone when a command has ended."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from deploy.quantizing import generated_code

pytestmark = pytest.mark.tensorflow


def test_quantize_leaves_nothing_among_the_temporary_files(
    tiny_keras_model: Path, tiny_samples: Path, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    (temporary / "__pycache__").mkdir(parents=True)
    (temporary / "__pycache__" / "other.pyc").touch()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    words = ["quantize", tiny_keras_model, "--calibration", tiny_samples, "-o", "quantized.tflite", "-q"]
    subprocess.run(
        [sys.executable, "-m", "deploy", *words],
        cwd=tmp_path,
        env={**environment, "TMPDIR": str(temporary)},
        timeout=300,
        check=True,
    )
    assert (tmp_path / "quantized.tflite").is_file()
    assert [path.name for path in temporary.rglob("*") if path.is_file()] == ["other.pyc"]


def test_a_folder_of_bytecode_in_which_nothing_of_others_lies_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bytecode = tmp_path / "__pycache__" / "generated.pyc"
    bytecode.parent.mkdir()
    bytecode.touch()
    module = ModuleType("__autograph_generated_file_of_a_test")
    module.__cached__ = str(bytecode)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    generated_code._remove_bytecode()
    assert list(tmp_path.iterdir()) == []

"""What TensorFlow generates among the temporary files is gone when a command has ended."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("others", [[], ["other.pyc"]])
def test_quantize_leaves_nothing_among_the_temporary_files(
    others: list[str], tiny_keras_model: Path, tiny_samples: Path, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    (temporary / "__pycache__").mkdir(parents=True)
    for name in others:
        (temporary / "__pycache__" / name).touch()
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
    assert [path.name for path in temporary.rglob("*") if path.is_file()] == others

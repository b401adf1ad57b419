"""What the faults are injected into."""

from pathlib import Path

import pytest

from .sandbox import Parts


@pytest.fixture(scope="session")
def parts(tiny_keras_model: Path, tiny_samples: Path, tiny_tflite: Path, built: Path) -> Parts:
    return Parts(tiny_keras_model, tiny_samples, tiny_tflite, built)

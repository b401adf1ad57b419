"""What the faults are injected into."""

from pathlib import Path

import pytest

from deploy.compiling import vela
from deploy.compiling.compile_options import compile_options
from deploy.hardware.npus import npu_named

from .sandbox import Parts


@pytest.fixture(scope="session")
def parts(tiny_keras_model: Path, tiny_samples: Path, tiny_tflite: Path, built: Path) -> Parts:
    # The warm Vela of all tests runs by now, whoever made what is above: what starts in a case counts as its own.
    vela.compile_bytes(tiny_tflite.read_bytes(), compile_options(npu_named("U55-128")), source="tiny")
    return Parts(tiny_keras_model, tiny_samples, tiny_tflite, built)

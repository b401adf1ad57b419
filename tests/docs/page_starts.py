"""What pages take for granted that their commands work on: models, data and builds of the reader, made here."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from page_blocks import ROOT, shell
from rewriting.small_graphs import SmallGraph
from stateful_networks import external, stream

from deploy.build_folder import BuildFolder
from deploy.firmware_project.firmware_build import npu_firmware
from deploy.hardware.npus import npu_named
from deploy.simulators.fvp_locate import find
from deploy.targets.running_simulator import RunningSimulator

Start: TypeAlias = Callable[[Path, pytest.FixtureRequest], None]
"""Puts into a folder what a page takes for granted."""

_MINE = """
import keras


def network(size=16, width=8):
    image = keras.Input((size, size, 1), name="image")
    x = keras.layers.Conv2D(width, 3, strides=2, activation="relu")(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, {"sort": keras.layers.Dense(4, name="dense")(x)})


def teacher():
    return keras.models.load_model("wise.keras")
"""
_TO_FLOAT_TFLITE = """
import keras, pathlib, tensorflow
converter = tensorflow.lite.TFLiteConverter.from_keras_model(keras.models.load_model("model.keras"))
pathlib.Path("float.tflite").write_bytes(converter.convert())
"""


def done_before(folder: Path, command: str) -> None:
    """What a reader has done before."""
    done = shell(["bash", "-c", command], folder, {"TF_CPP_MIN_LOG_LEVEL": "3"})
    assert done.returncode == 0, done.stdout + done.stderr


def nothing(_folder: Path, _request: pytest.FixtureRequest) -> None:
    """The page makes all that it works on."""


def own_models(folder: Path, request: pytest.FixtureRequest) -> None:
    """Models of the reader, as Keras, float and quantized, with data for them."""
    for name in ("model.keras", "mine.keras"):
        shutil.copy(request.getfixturevalue("tiny_keras_model"), folder / name)
    shutil.copy(request.getfixturevalue("tiny_tflite"), folder / "model.tflite")
    for name in ("calibration.npz", "train.npz", "test.npz"):
        shutil.copy(request.getfixturevalue("tiny_samples"), folder / name)


def also_a_float_tflite(folder: Path, request: pytest.FixtureRequest) -> None:
    """The same with the network in float, converted."""
    own_models(folder, request)
    done_before(folder, f"python -c '{_TO_FLOAT_TFLITE}'")


def demo_build(folder: Path, request: pytest.FixtureRequest) -> None:
    """What the main job leaves, and a model of the reader."""
    own_models(folder, request)
    build: BuildFolder = request.getfixturevalue("demo_build")
    shutil.copytree(build.path, folder / "build" / "demo" / "u55-128")
    shutil.copy(build.path / "source.tflite", folder / "build" / "demo" / "model.tflite")


def checkout(folder: Path, request: pytest.FixtureRequest) -> None:
    """A checkout with the demo's build and the networks of MLPerf Tiny."""
    demo_build(folder, request)
    networks: dict[str, Path] = request.getfixturevalue("mlperf_tiny")
    for name, path in networks.items():
        shutil.copy(path, folder / f"{name}.tflite")
    (folder / "benchmarks").symlink_to(ROOT / "benchmarks")


def function_of_networks(folder: Path, _request: pytest.FixtureRequest) -> None:
    """``mine.py:network`` and images for it."""
    (folder / "mine.py").write_text(_MINE)
    np.savez(folder / "data.npz", image=np.random.default_rng(3).random((24, 96, 96, 1), dtype=np.float32))


def teachers(folder: Path, request: pytest.FixtureRequest) -> None:
    """Larger networks for Fashion-MNIST, one trained by the reader."""
    function_of_networks(folder, request)
    done_before(folder, "deploy models build multihead-mobilenetv3 -o wise.keras")
    options = "--set classes=10 --set channels=1 --set size=32 --epochs 1 --images 256"
    done_before(folder, f"deploy models train mobilenetv4 {options} -o wide.weights.h5")


def networks_with_a_state(folder: Path, _request: pytest.FixtureRequest) -> None:
    """Builds of one that keeps its state, and of one that hands it out."""
    numbers = np.random.default_rng(2).integers(-20, 30, (6, 1, 1, 4)).astype(np.int8)
    np.savez(folder / "clip.npz", x=numbers)
    np.savez(folder / "noise.npz", x=numbers[:, 0])
    for name, content in (("wake-word", stream(np.ones((1, 3, 1, 4), np.int8))), ("denoiser", external())):
        (folder / f"{name}.tflite").write_bytes(content)
        done_before(folder, f"deploy compile {name}.tflite --npu U55-128 -o build/{name} --quiet")


def pooled_by_a_sum(folder: Path, _request: pytest.FixtureRequest) -> None:
    """A network whose last operator Vela compiles wrongly."""
    graph = SmallGraph((1, 16, 16, 3))
    pooled = graph.writer.tensor("pooled", (1, 8), "int8", 2.0, 0)
    graph.shape[pooled] = (1, 8)
    inputs = [graph.convolution(graph.x, 8, (3, 3)), graph.ints(1, 2)]
    graph.add("SUM", inputs, pooled, schema.ReducerOptionsT())
    (folder / "pooled.tflite").write_bytes(graph.model(pooled).content)


def attention_of_keras(folder: Path, _request: pytest.FixtureRequest) -> None:
    """Four convolutions, each with CBAM, 64x64 pixels, untrained."""
    words = "from optimizing.naive_networks import cbam, quantized; import pathlib"
    write = "pathlib.Path('attention.tflite').write_bytes(quantized(cbam(64)).content)"
    done_before(folder, f'PYTHONPATH={ROOT / "tests"} python -c "{words}; {write}"')


def simulator_with_a_fault(folder: Path, request: pytest.FixtureRequest) -> None:
    """A build of a network of MLPerf Tiny, and a simulator that gets one bit of element 300 wrong."""
    model = request.getfixturevalue("mlperf_tiny")["image_classification"]
    done_before(folder, f"deploy compile {model} --npu U55-128 -o build/image_classification --quiet")
    simulator = folder / "FVP_Corstone_SSE-300_Ethos-U55"
    wrong = f"{sys.executable} {ROOT / 'tests' / 'targets' / 'wrong_npu.py'} 0:{0x3CC}:300 --npu-family U55"
    version = f"{sys.executable} -P -m deploy.corstone --version"
    simulator.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exec {version}\nexec {wrong} "$@"\n')
    simulator.chmod(0o755)


def gesture_as_model(folder: Path, request: pytest.FixtureRequest) -> None:
    """The gesture network as any quantized one, its test's labels in a file, and a function of networks."""
    function_of_networks(folder, request)
    np.savez(folder / "data.npz", image=np.random.default_rng(3).random((24, 16, 16, 1), dtype=np.float32))
    shutil.copy(folder / "build" / "gesture-u55-128" / "source.tflite", folder / "model.tflite")
    with np.load(folder / "test.npz") as data:
        said = {"gesture": {"classes": list(data["classes"]), "true": data["labels"].tolist()}}
    (folder / "labels.json").write_text(json.dumps(said))


def computers_over_ssh(folder: Path, _request: pytest.FixtureRequest) -> None:
    """An ``ssh`` that stays here, and the virtual environment that each computer has."""
    (folder / "venv").symlink_to(sys.prefix)
    (folder / "bin").mkdir()
    (folder / "bin" / "ssh").write_text('#!/bin/sh\nshift\nexec sh -c "$*"\n')
    (folder / "bin" / "ssh").chmod(0o755)


def board(folder: Path, request: pytest.FixtureRequest) -> None:
    """The firmware runs on the open Corstone-300; ``port`` holds the number of its UART's."""
    build = BuildFolder.open(folder / "build" / "gesture-u55-128")
    npu = npu_named(build.document.npu)
    stack = contextlib.ExitStack()
    request.addfinalizer(stack.close)
    machine = stack.enter_context(
        RunningSimulator(find(npu, "open"), npu_firmware(build), npu.macs, timing=False, limit_s=600)
    )
    (folder / "port").write_text(str(machine.terminal_port()))


def _page(name: str) -> Path:
    return ROOT / name


BEHIND_THE_FIRST_TUTORIAL: dict[Path, Start] = {
    _page("docs/how-to/terminal.md"): nothing,
    _page("docs/tutorials/ci.md"): nothing,
    _page("docs/tutorials/board.md"): board,
    _page("docs/how-to/many-targets.md"): gesture_as_model,
    _page("docs/how-to/compare.md"): nothing,
    _page("docs/how-to/accuracy.md"): nothing,
    _page("docs/how-to/cluster.md"): computers_over_ssh,
    _page("docs/how-to/model-explorer.md"): nothing,
}
"""Pages that go on in the first tutorial's folder, in this order, and what each takes for granted beside it."""

ALONE: dict[Path, Start] = {
    _page("docs/quick-start.md"): own_models,
    **{_page(f"docs/tutorials/{name}.md"): nothing for name in ("recurrent", "transformer", "detection")},
    **{_page(f"docs/tutorials/{name}.md"): nothing for name in ("streaming-audio", "two-inputs")},
    _page("docs/advice.md"): own_models,
    _page("docs/distillation.md"): teachers,
    _page("docs/explanation/npu-model.md"): checkout,
    _page("docs/how-to/quantizing.md"): also_a_float_tflite,
    _page("docs/how-to/state.md"): networks_with_a_state,
    _page("docs/how-to/locate.md"): simulator_with_a_fault,
    _page("docs/how-to/miscompiled.md"): pooled_by_a_sum,
    _page("docs/optimize.md"): attention_of_keras,
    _page("docs/networks.md"): function_of_networks,
    _page("docs/reference/json.md"): demo_build,
    _page("docs/search.md"): nothing,
    _page("models/featherface_v1/README.md"): nothing,
    _page("models/featherface_v2/README.md"): nothing,
    _page("models/mobilenetv4/README.md"): nothing,
    _page("models/multihead_mobilenetv3/README.md"): nothing,
}
"""Pages that are carried out in a folder of their own, and what each takes for granted there."""

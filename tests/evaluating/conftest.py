"""Builds to evaluate: one without a float model, one of two heads, and one with a defect."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_once import made_once

from deploy import tflite
from deploy.build_folder import COMPILE_DOCUMENT, COMPILED_MODEL, BuildFolder, CompileDocument, sha256_of_bytes
from deploy.cli.main import run
from deploy.hardware.npus import npu_named
from deploy.judging.inputs import random_inputs
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import stacked
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.dma import DmaOperation
from deploy.npu.stream.operations import Operation
from deploy.tflite import Model
from deploy.verifying.npu_inference import NpuInference

INPUTS = 12


@pytest.fixture(scope="session")
def residual_build(mlperf_tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """ResNet-8 of MLPerf Tiny for U55-128: one int8 input ``[1, 32, 32, 3]``, one output of ten classes."""
    words = ["compile", str(mlperf_tiny["image_classification"]), "--npu", "U55-128"]
    return _built(tmp_path_factory, "evaluated-residual", words)


@pytest.fixture(scope="session")
def residual_data(residual_build: BuildFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random images and the classes that the reference gives them, so that it is right on all of them."""
    model = tflite.read(residual_build.source)
    kernels = ReferenceKernels(model)
    samples = random_inputs(model, INPUTS).samples
    (name,) = model.output_names().values()
    labels = [int(kernels.run(sample)[name].argmax()) for sample in samples]
    path = tmp_path_factory.mktemp("data") / "labelled.npz"
    images = np.concatenate([next(iter(sample.values())) for sample in samples])
    np.savez_compressed(path, image=images, labels=np.array(labels))
    return path


@pytest.fixture(scope="session")
def tiny_build(
    tiny_keras_model: Path, tiny_samples: Path, tmp_path_factory: pytest.TempPathFactory
) -> BuildFolder:
    """A network of two heads, ``garment`` and ``kind``, quantized by ``compile``, which keeps the float model."""
    words = ["compile", str(tiny_keras_model), "--calibration", str(tiny_samples), "--npu", "U55-64"]
    return _built(tmp_path_factory, "evaluated-tiny", words)


def _built(factory: pytest.TempPathFactory, name: str, words: list[str]) -> BuildFolder:
    def compile_(folder: Path) -> None:
        with contextlib.chdir(folder):
            assert run([*words, "-o", "build", "-q"]) == 0

    return BuildFolder.open(made_once(factory, name, compile_) / "build")


def with_fault(build: BuildFolder, target: Path) -> BuildFolder:
    """A copy of a build with a defect in its compiled constants: a huge bias for class 0 of the last layer."""
    shutil.copytree(build.path, target)
    for kept in ("evaluate.json", "verify.json"):
        (target / kept).unlink(missing_ok=True)
    model = tflite.read(build.compiled)
    operator = next(operator for operator in model.operators if operator.code == "ethos-u")
    constants = model.tensors[operator.inputs[1]].data
    assert constants is not None
    content = bytearray(model.content)
    place = model.content.index(constants.tobytes()) + _last_bias(model, build.document)
    content[place : place + 5] = (1 << 30).to_bytes(5, "little")
    (target / COMPILED_MODEL).write_bytes(content)
    document = json.loads((target / COMPILE_DOCUMENT).read_text())
    document["compiled_sha256"] = sha256_of_bytes(bytes(content))
    (target / COMPILE_DOCUMENT).write_text(json.dumps(document))
    return BuildFolder.open(target)


def _last_bias(model: Model, document: CompileDocument) -> int:
    """Offset in the read-only data of the scale record (40-bit bias, scale, shift) of the last layer's class 0."""
    found: list[int] = []
    copies: dict[int, int] = {}

    def observe(_index: int, operation: Operation, _memory: object) -> None:
        if isinstance(operation, DmaOperation):
            copies[operation.destination] = operation.source
        elif isinstance(operation, ConvolutionOperation):
            place = operation.scales[0].address
            # Scale records are read from flash, or from where a DMA has put them together with the weights.
            start = max((address for address in copies if address <= place), default=None)
            found.append(place if operation.scales[0].region == 0 else copies[start] + place - start)

    inference = NpuInference(model, npu_named(document.npu))
    inference.run_batch(stacked(random_inputs(model, 1).samples), observe)
    return found[-1]

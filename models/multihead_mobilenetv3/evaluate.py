"""Measures the committed weights; writes ``results.json`` and the tables of the card.

``python -m deploy.models.multihead_mobilenetv3.evaluate`` in a checkout: for every weights file float and uint8
accuracy on all 10,000 test images and accuracy of the compiled network on the NPU model and on Corstone-300; then
Vela's estimates. About ten minutes on one core.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deploy import zoo
from deploy.build_folder import BuildFolder, sha256_of_file
from deploy.compiling.compilation import compile_model
from deploy.compiling.compile_options import compile_options
from deploy.hardware.npus import npu_named
from deploy.judging.reference import ReferenceKernels
from deploy.models.multihead_mobilenetv3 import fashion_mnist
from deploy.models.multihead_mobilenetv3.builder import INPUT_NAME
from deploy.models.multihead_mobilenetv3.results import HeadResult, Results, TargetResult, WeightsResult
from deploy.quantizing.quantization import Quantized
from deploy.tflite import model as tflite_model
from deploy.verifying.npu_inference import NpuInference
from deploy.zoo import Pretrained, cards
from deploy.zoo.quantized import quantize_network

NAME: Final = "multihead-mobilenetv3"
TARGET_NPU: Final = "U55-128"
NPU_MODEL_IMAGES: Final = 2_000
MACHINE_IMAGES: Final = 64
_BATCH = 500
_NPU_BATCH = 100

Classes = dict[str, NDArray[np.int64]]
"""Head name -> class of each image, [N]."""


def classify_float(model: Any, images: NDArray[np.uint8]) -> Classes:
    """Classes that the float network gives for uint8 [N, 56, 56, 1]."""
    logits = model.predict(images.astype(np.float32) / np.float32(255), batch_size=_BATCH, verbose=0)
    return {head: values.argmax(axis=1) for head, values in logits.items()}


def reference_outputs(quantized: Quantized, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Raw outputs of LiteRT's reference kernels.

    Args:
        quantized: with a uint8 input of scale 1/255 and zero point 0.
        images: uint8 [N, 56, 56, 1], fed as they are.

    Returns:
        Head name -> uint8 [N, classes].
    """
    kernels = ReferenceKernels(quantized.model)
    answers = [kernels.run({INPUT_NAME: images[i : i + 1]}) for i in range(len(images))]
    return {head: np.concatenate([answer[head] for answer in answers]) for head in answers[0]}


def npu_outputs(build: BuildFolder, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Raw outputs of the compiled network on the NPU model; as :func:`reference_outputs`."""
    inference = NpuInference(tflite_model.read(build.compiled), npu_named(build.document.npu))
    parts = [
        inference.run_batch({INPUT_NAME: images[start : start + _NPU_BATCH, np.newaxis]})
        for start in range(0, len(images), _NPU_BATCH)
    ]
    return {head: np.concatenate([part[head] for part in parts])[:, 0] for head in parts[0]}


def compare(
    labels: Mapping[str, NDArray[np.uint8]], floats: Classes, outputs: Mapping[str, NDArray[Any]]
) -> tuple[HeadResult, ...]:
    """Accuracy of the float and the quantized network, by head; all arguments have one entry an image."""
    integers = _classes(outputs)
    return tuple(
        HeadResult(
            head=head,
            classes=len(fashion_mnist.CLASS_NAMES[head]),
            images=len(true),
            float_correct=int((floats[head] == true).sum()),
            uint8_correct=int((integers[head] == true).sum()),
            same_class=int((floats[head] == integers[head]).sum()),
        )
        for head, true in labels.items()
    )


def on_npu_model(
    build: BuildFolder,
    images: NDArray[np.uint8],
    labels: Mapping[str, NDArray[np.uint8]],
    floats: Classes,
    reference: Mapping[str, NDArray[Any]],
) -> TargetResult:
    """Accuracy of the compiled network on the NPU model, on the images given."""
    count = len(images)
    outputs = npu_outputs(build, images)
    answers = _classes(outputs)
    exact = np.all([(outputs[head] == reference[head][:count]).all(axis=1) for head in outputs], axis=0)
    return TargetResult(
        target="NPU model on the host",
        npu=build.document.npu,
        label="simulated",
        images=count,
        exact=int(exact.sum()),
        correct={head: int((answers[head] == labels[head][:count]).sum()) for head in labels},
        float_correct={head: int((floats[head][:count] == labels[head][:count]).sum()) for head in labels},
    )


def on_machine(
    build: BuildFolder, images: NDArray[np.uint8], labels: Mapping[str, NDArray[np.uint8]], floats: Classes
) -> TargetResult:
    """Accuracy of the compiled network on the open Corstone-300, on the images given.

    Raises:
        BadInputError: an output element differs from the reference's.
        TargetError: there was no complete answer.
    """
    from deploy.errors import BadInputError
    from deploy.targets.target_run import RunOptions, TargetRun

    count = len(images)
    run = TargetRun(build, RunOptions(fvp="open", inputs=images))
    verdict = run.run()
    platform = verdict.platform
    if platform is None or any(output.mismatches for output in verdict.outputs):
        raise BadInputError(f"{NAME}: {verdict.reason} on {platform.version if platform else 'nothing'}")
    answers = {head: values.reshape(count, -1).argmax(axis=1) for head, values in run.outputs.items()}
    return TargetResult(
        target="Corstone-300 (open), Arm's runner firmware",
        npu=platform.npu,
        label="simulated",
        images=count,
        exact=count,
        correct={head: int((answers[head] == labels[head][:count]).sum()) for head in labels},
        float_correct={head: int((floats[head][:count] == labels[head][:count]).sum()) for head in labels},
    )


def measure_weights(
    item: Pretrained, *, images: int = 10_000, machine_images: int = MACHINE_IMAGES
) -> WeightsResult:
    """Everything that the card says about one weights file.

    Args:
        item: the project's entry.
        images: the first so many test images.
        machine_images: so many on Corstone-300; 0 leaves it out.

    Raises:
        NotInstalledError: TensorFlow, the data set or QEMU is missing.
    """
    pixels, labels = fashion_mnist.test_inputs(images)
    network = zoo.network(NAME, zoo.assignments_of(item.options), trained=True)
    quantized = quantize_network(network)
    floats, reference = classify_float(network.model, pixels), reference_outputs(quantized, pixels)
    with tempfile.TemporaryDirectory(prefix="deploy-evaluate-") as folder:
        options = compile_options(npu_named(TARGET_NPU))
        build = compile_model(quantized.model, options, Path(folder) / "build", name=NAME, source=NAME)
        targets = [on_npu_model(build, pixels[:NPU_MODEL_IMAGES], labels, floats, reference)]
        if machine_images:
            targets.append(on_machine(build, pixels[:machine_images], labels, floats))
    weights = Path(str(network.project.folder)) / item.weights
    return WeightsResult(
        weights=item.weights,
        sha256=sha256_of_file(weights),
        bytes=weights.stat().st_size,
        options=zoo.assignments_of(item.options),
        calibration_images=quantized.document.calibration_samples,
        heads=compare(labels, floats, reference),
        targets=tuple(targets),
    )


def main() -> None:
    """Measure, then write ``results.json`` and the card beside this file; what :mod:`distilled` measured stays."""
    project = zoo.find(NAME)
    distillation = cards.read(project).distillation
    accuracy = tuple(measure_weights(item) for item in project.pretrained)
    figures = dict(cards.measure(project, log=print))
    cards.write(project, Results(**figures, accuracy=accuracy, distillation=distillation))


def _classes(outputs: Mapping[str, NDArray[Any]]) -> Classes:
    """All logits of a head share scale and zero point, so the largest integer is the largest logit."""
    return {head: values.argmax(axis=1) for head, values in outputs.items()}


if __name__ == "__main__":
    main()

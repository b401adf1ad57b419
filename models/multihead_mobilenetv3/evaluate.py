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

import deploy
from deploy import zoo
from deploy.build_folder import BuildFolder, sha256_of_file
from deploy.models.multihead_mobilenetv3 import fashion_mnist
from deploy.models.multihead_mobilenetv3.results import HeadResult, Results, TargetResult, WeightsResult
from deploy.zoo import Pretrained, cards, outputs
from deploy.zoo.quantized import quantize_network

NAME: Final = "multihead-mobilenetv3"
TARGET_NPU: Final = "U55-128"
NPU_MODEL_IMAGES: Final = 2_000
MACHINE_IMAGES: Final = 64
_BATCH = 500
_NPU_BATCH = 100

Classes = dict[str, NDArray[np.int64]]
"""Head name -> class of each image, [N]."""


def classes_of(answers: Mapping[str, NDArray[Any]]) -> Classes:
    """The largest logit's class, [N] for [N, classes].

    Of raw ones, too: all logits of a head share scale and zero point, so the largest integer is the largest logit.
    """
    return {head: values.argmax(axis=1) for head, values in answers.items()}


def classify_float(model: Any, images: NDArray[np.uint8]) -> Classes:
    """Classes that the float network gives for uint8 [N, 56, 56, 1]."""
    return classes_of(outputs.float_outputs(model, images, batch=_BATCH))


def compare(
    labels: Mapping[str, NDArray[np.uint8]], floats: Classes, raw: Mapping[str, NDArray[Any]]
) -> tuple[HeadResult, ...]:
    """Accuracy of the float and the quantized network, by head; all arguments have one entry an image."""
    integers = classes_of(raw)
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
    raw = outputs.npu_outputs(build, images, batch=_NPU_BATCH)
    answers = classes_of(raw)
    exact = np.all([(raw[head] == reference[head][:count]).all(axis=1) for head in raw], axis=0)
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

    count = len(images)
    run = deploy.run(build, images, fvp="open")
    platform = run.verdict.platform
    if platform is None or any(output.mismatches for output in run.verdict.outputs):
        raise BadInputError(f"{NAME}: {run.verdict.reason} on {platform.version if platform else 'nothing'}")
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
    floats, reference = classify_float(network.model, pixels), outputs.reference_outputs(quantized.model, pixels)
    with tempfile.TemporaryDirectory(prefix="deploy-evaluate-") as folder:
        build = deploy.compile(quantized, TARGET_NPU, output=Path(folder) / "build", name=NAME)
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


if __name__ == "__main__":
    main()

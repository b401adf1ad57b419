"""Measures the committed weights; writes ``results.json`` and the tables of the card.

``python -m deploy.models.multihead_mobilenetv3.evaluate`` in a checkout: for every weights file the accuracy of
the float, the quantized and the compiled network (on the NPU model) on all 10,000 test images, and of the
compiled one on Corstone-300 on some of them; then Vela's estimates.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import deploy
from deploy import zoo
from deploy.build_folder import sha256_of_file
from deploy.evaluating.documents import Agreement, Contestant, EvaluationDocument, OutputEvaluation
from deploy.models.multihead_mobilenetv3 import fashion_mnist
from deploy.models.multihead_mobilenetv3.results import HeadResult, Results, TargetResult, WeightsResult
from deploy.zoo import Pretrained, cards
from deploy.zoo.quantized import quantize_network

NAME: Final = "multihead-mobilenetv3"
TARGET_NPU: Final = "U55-128"
MACHINE_IMAGES: Final = 64


def measure_weights(
    item: Pretrained, *, images: int = 10_000, machine_images: int = MACHINE_IMAGES
) -> WeightsResult:
    """Everything that the card says about one weights file.

    Raises:
        NotInstalledError: TensorFlow, the data set or QEMU is missing.
        TargetError: there was no complete answer.
    """
    network = zoo.network(NAME, zoo.assignments_of(item.options), trained=True)
    quantized = quantize_network(network)
    with tempfile.TemporaryDirectory(prefix="deploy-evaluate-") as folder:
        _, data, labels = fashion_mnist.write(Path(folder), count=images)
        build = deploy.compile(quantized, TARGET_NPU, output=Path(folder) / "build", name=NAME)
        host = deploy.evaluate(build, data, labels=labels)
        targets = [_target_result("NPU model on the host", host)]
        if machine_images:
            machine = deploy.evaluate(build, data, labels=labels, count=machine_images, target="open")
            targets.append(_target_result("Corstone-300 (open), Arm's runner firmware", machine))
    weights = Path(str(network.project.folder)) / item.weights
    return WeightsResult(
        weights=item.weights,
        sha256=sha256_of_file(weights),
        bytes=weights.stat().st_size,
        options=zoo.assignments_of(item.options),
        calibration_images=quantized.document.calibration_samples,
        heads=tuple(_head_result(output, host.inputs) for output in host.outputs),
        targets=tuple(targets),
    )


def _head_result(output: OutputEvaluation, images: int) -> HeadResult:
    return HeadResult(
        head=output.name,
        classes=len(output.scores[0].classes),
        images=images,
        float_correct=_correct(output, "float"),
        uint8_correct=_correct(output, "reference"),
        same_class=_agreement(output, "float", "reference").same_class,
    )


def _target_result(target: str, found: EvaluationDocument) -> TargetResult:
    exact = [_agreement(output, "reference", "target").exact or 0 for output in found.outputs]
    return TargetResult(
        target=target,
        npu=found.platform.npu,
        label="simulated",
        images=found.inputs,
        exact=max(found.inputs - sum(found.inputs - count for count in exact), 0),
        correct={output.name: _correct(output, "target") for output in found.outputs},
        float_correct={output.name: _correct(output, "float") for output in found.outputs},
    )


def _correct(output: OutputEvaluation, contestant: Contestant) -> int:
    return next(score.correct for score in output.scores if score.contestant == contestant)


def _agreement(output: OutputEvaluation, first: Contestant, second: Contestant) -> Agreement:
    return next(pair for pair in output.agreements if (pair.first, pair.second) == (first, second))


def main() -> None:
    """Measure, then write ``results.json`` and the card beside this file; what :mod:`distilled` measured stays."""
    project = zoo.find(NAME)
    distillation = cards.read(project).distillation
    accuracy = tuple(measure_weights(item) for item in project.pretrained)
    figures = dict(cards.measure(project, log=print))
    cards.write(project, Results(**figures, accuracy=accuracy, distillation=distillation))


if __name__ == "__main__":
    main()

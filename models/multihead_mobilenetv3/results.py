"""What the card shows beside Vela's estimates: accuracy in float, quantized, and on the target."""

from __future__ import annotations

from deploy.build_folder import Document, Label
from deploy.models.multihead_mobilenetv3.distilled_results import Outcomes, accuracy_text, table, words
from deploy.zoo.card_results import CardResults, npu_tables


class HeadResult(Document):
    """Top-1 accuracy of one head on the test images.

    Attributes:
        head: its name.
        classes: how many it tells apart.
        images: how many were classified.
        float_correct: classified right by the float network.
        uint8_correct: classified right by the quantized network (LiteRT reference kernels).
        same_class: for how many the two agree.
    """

    head: str
    classes: int
    images: int
    float_correct: int
    uint8_correct: int
    same_class: int


class TargetResult(Document):
    """What a target answered for the first test images.

    Attributes:
        target: what ran the compiled network.
        npu: that it models or has.
        label: what the answers are.
        images: how many were classified.
        exact: for how many of them every output element equals LiteRT's reference kernels; at least so many where
            some differ, counted head by head.
        correct: head -> how many were classified right.
        float_correct: head -> how many of the same images the float network classifies right.
    """

    target: str
    npu: str
    label: Label
    images: int
    exact: int
    correct: dict[str, int]
    float_correct: dict[str, int]


class WeightsResult(Document):
    """The accuracy that one weights file gives.

    Attributes:
        weights: file name.
        sha256: of the file that was measured.
        bytes: its size.
        options: of the network, as ``--set`` takes them.
        calibration_images: that set the quantization ranges.
        heads: accuracy on all test images, by head.
        targets: accuracy of the compiled network.
    """

    weights: str
    sha256: str
    bytes: int
    options: tuple[str, ...]
    calibration_images: int
    heads: tuple[HeadResult, ...]
    targets: tuple[TargetResult, ...]


class Results(CardResults):
    """Everything that was measured.

    Attributes:
        accuracy: by weights file, in the order of the project's ``[[pretrained]]`` entries.
        distillation: of the larger network into the smaller one; None where it was not measured.
    """

    accuracy: tuple[WeightsResult, ...]
    distillation: Outcomes | None = None


def tables(results: Results) -> str:
    """The card's part between its markers, in Markdown."""
    lines = [
        f"Accuracy on the {results.accuracy[0].heads[0].images:,} test images (measured; in brackets the 95 % "
        "confidence interval; uint8: LiteRT's reference kernels):",
        "",
        "| network | head | classes | float | uint8 | difference | same class |",
        "|---|---|---|---|---|---|---|",
        *(_head_row(item, head) for item in results.accuracy for head in item.heads),
        "",
        "The same after Vela, on the target (simulated; exact: images whose every output element equals LiteRT's "
        "reference kernels; difference: to the float network on the same images):",
        "",
        "| network | target | NPU | images | exact | head | accuracy | difference |",
        "|---|---|---|---|---|---|---|---|",
        *(
            _target_row(item, target, head)
            for item in results.accuracy
            for target in item.targets
            for head in target.correct
        ),
        "",
        "; ".join(
            f"{item.weights}: {item.bytes:,} bytes, {item.calibration_images} calibration images"
            for item in results.accuracy
        )
        + ".",
        "",
        *([table(results.distillation), ""] if results.distillation else []),
        str(npu_tables(results)),
    ]
    return "\n".join(lines)


def _head_row(item: WeightsResult, head: HeadResult) -> str:
    points = 100 * (head.uint8_correct - head.float_correct) / head.images
    return (
        f"| {words(item.options)} | {head.head} | {head.classes} "
        f"| {accuracy_text(head.float_correct, head.images)} | {accuracy_text(head.uint8_correct, head.images)} "
        f"| {points:+.2f} points | {100 * head.same_class / head.images:.2f} % |"
    )


def _target_row(item: WeightsResult, target: TargetResult, head: str) -> str:
    points = 100 * (target.correct[head] - target.float_correct[head]) / target.images
    return (
        f"| {words(item.options)} | {target.target} | {target.npu} | {target.images:,} | {target.exact:,} "
        f"| {head} | {accuracy_text(target.correct[head], target.images)} | {points:+.2f} points |"
    )

"""What the card shows beside Vela's estimates: accuracy in float, quantized, and on the target."""

from __future__ import annotations

import math
from typing import Final

from deploy.build_folder import Document, Label
from deploy.judging.confidence import Z_95, wilson_interval
from deploy.zoo.card_results import CardResults, npu_tables

LABELS: Final = "labels"
"""The way of training that the others are compared with."""


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


class HeadOutcome(Document):
    """How well one head of a student does on the test images.

    Attributes:
        float_correct: classified right by the float network.
        uint8_correct: classified right by the quantized network (LiteRT's reference kernels).
        as_teacher: put into the teacher's class by the float network.
        gained: float network right where the student of the same seed that learnt from labels is wrong.
        lost: the other way round.
    """

    float_correct: int
    uint8_correct: int
    as_teacher: int
    gained: int
    lost: int


class StudentOutcome(Document):
    """One training.

    Attributes:
        arm: name of the way.
        augmentation: its sets.
        seed: of weights, order and augmentation.
        heads: by name.
    """

    arm: str
    augmentation: str
    seed: int
    heads: dict[str, HeadOutcome]


class Outcomes(Document):
    """Everything that was measured.

    Attributes:
        images: test images.
        epochs: of every training.
        teacher: its options.
        student: options of all students.
        teacher_correct: head -> classified right by the float teacher.
        students: one a training.
    """

    images: int
    epochs: int
    teacher: tuple[str, ...]
    student: tuple[str, ...]
    teacher_correct: dict[str, int]
    students: tuple[StudentOutcome, ...]


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
        *([_distilled(results.distillation), ""] if results.distillation else []),
        str(npu_tables(results)),
    ]
    return "\n".join(lines)


def _head_row(item: WeightsResult, head: HeadResult) -> str:
    points = 100 * (head.uint8_correct - head.float_correct) / head.images
    return (
        f"| {_words(item.options)} | {head.head} | {head.classes} "
        f"| {_accuracy(head.float_correct, head.images)} | {_accuracy(head.uint8_correct, head.images)} "
        f"| {points:+.2f} points | {100 * head.same_class / head.images:.2f} % |"
    )


def _target_row(item: WeightsResult, target: TargetResult, head: str) -> str:
    points = 100 * (target.correct[head] - target.float_correct[head]) / target.images
    return (
        f"| {_words(item.options)} | {target.target} | {target.npu} | {target.images:,} | {target.exact:,} "
        f"| {head} | {_accuracy(target.correct[head], target.images)} | {points:+.2f} points |"
    )


def difference(gained: int, lost: int, images: int) -> tuple[float, float]:
    """How much more one of two classifiers gets right, which alone has ``gained`` right and the other ``lost``.

    Returns:
        The difference of the accuracies, and half of its 95 % confidence interval (paired samples, normal
        approximation); both as fractions.
    """
    mean = (gained - lost) / images
    return mean, Z_95 * math.sqrt(((gained + lost) / images - mean**2) / images)


def _distilled(outcomes: Outcomes) -> str:
    images = outcomes.images
    lines = [
        f"Distilled (measured on the {images:,} test images; in brackets the 95 % confidence interval; difference "
        "of the float network to that of the same seed which learnt from labels, on the same images; as the "
        "teacher: images put into the teacher's class):",
        "",
        "| network | learnt from | augmentation | seed | head | float | difference | uint8 | as the teacher |",
        "|---|---|---|---|---|---|---|---|---|",
        *(
            f"| the teacher, {_words(outcomes.teacher)} | | | | {head} | {_accuracy(correct, images)} | | | |"
            for head, correct in outcomes.teacher_correct.items()
        ),
        *(
            _row(outcomes, student, head, outcome)
            for student in sorted(outcomes.students, key=lambda student: student.seed)
            for head, outcome in student.heads.items()
        ),
        "",
        f"The students were trained {outcomes.epochs} epochs each.",
    ]
    return "\n".join(lines)


def _row(outcomes: Outcomes, student: StudentOutcome, head: str, outcome: HeadOutcome) -> str:
    points, half = (100 * part for part in difference(outcome.gained, outcome.lost, outcomes.images))
    cells = (
        _words(outcomes.student),
        student.arm,
        student.augmentation,
        str(student.seed),
        head,
        _accuracy(outcome.float_correct, outcomes.images),
        "" if student.arm == LABELS else f"{points:+.2f} points ({points - half:+.2f} to {points + half:+.2f})",
        f"{100 * outcome.uint8_correct / outcomes.images:.2f} %",
        f"{100 * outcome.as_teacher / outcomes.images:.2f} %",
    )
    return f"| {' | '.join(cells)} |"


def _words(options: tuple[str, ...]) -> str:
    """``alpha 0.5``: options of a network in a table."""
    return ", ".join(option.replace("=", " ") for option in options) or "default"


def _accuracy(correct: int, count: int) -> str:
    """The share of what is right, and its 95 % confidence interval."""
    low, high = wilson_interval(correct, count)
    return f"{100 * correct / count:.2f} % ({100 * low:.2f} to {100 * high:.2f})"

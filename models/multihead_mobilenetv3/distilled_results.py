"""What distillation brought, as measured by :mod:`distilled`, and the card's table of it."""

from __future__ import annotations

import math
from typing import Final

from deploy.build_folder import Document
from deploy.judging.confidence import Z_95, wilson_interval

LABELS: Final = "labels"
"""The way of training that the others are compared with."""


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


def difference(gained: int, lost: int, images: int) -> tuple[float, float]:
    """How much more one of two classifiers gets right, which alone has ``gained`` right and the other ``lost``.

    Returns:
        The difference of the accuracies, and half of its 95 % confidence interval (paired samples, normal
        approximation); both as fractions.
    """
    mean = (gained - lost) / images
    return mean, Z_95 * math.sqrt(((gained + lost) / images - mean**2) / images)


def table(outcomes: Outcomes) -> str:
    """Markdown."""
    images = outcomes.images
    lines = [
        f"Distilled (measured on the {images:,} test images; in brackets the 95 % confidence interval; difference "
        "of the float network to that of the same seed which learnt from labels, on the same images; as the "
        "teacher: images put into the teacher's class):",
        "",
        "| network | learnt from | augmentation | seed | head | float | difference | uint8 | as the teacher |",
        "|---|---|---|---|---|---|---|---|---|",
        *(
            f"| the teacher, {words(outcomes.teacher)} | | | | {head} | {accuracy_text(correct, images)} | | | |"
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
        words(outcomes.student),
        student.arm,
        student.augmentation,
        str(student.seed),
        head,
        accuracy_text(outcome.float_correct, outcomes.images),
        "" if student.arm == LABELS else f"{points:+.2f} points ({points - half:+.2f} to {points + half:+.2f})",
        f"{100 * outcome.uint8_correct / outcomes.images:.2f} %",
        f"{100 * outcome.as_teacher / outcomes.images:.2f} %",
    )
    return f"| {' | '.join(cells)} |"


def words(options: tuple[str, ...]) -> str:
    """``alpha 0.5``: options of a network in a table."""
    return ", ".join(option.replace("=", " ") for option in options) or "default"


def accuracy_text(correct: int, count: int) -> str:
    """The share of what is right, and its 95 % confidence interval."""
    low, high = wilson_interval(correct, count)
    return f"{100 * correct / count:.2f} % ({100 * low:.2f} to {100 * high:.2f})"

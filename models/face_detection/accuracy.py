"""How well faces are found, and how far two answers to the same images agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deploy.models.face_detection.anchors import Floats, overlaps
from deploy.models.face_detection.detections import MIN_SCORE, Faces

FOUND_OVERLAP = 0.5
"""Intersection over union from which a detection counts as a face's."""


@dataclass(frozen=True)
class Accuracy:
    """Detections against the truth.

    Attributes:
        faces: in all images together.
        found: of them found.
        wrong: detections that are no face.
        average_precision: area under precision over recall, every point (IoU 0.5).
    """

    faces: int
    found: int
    wrong: int
    average_precision: float


@dataclass(frozen=True)
class BoxAgreement:
    """Two answers to the same images.

    Attributes:
        first: detections in the first.
        second: detections in the second.
        matched: of them the same face.
        mean_overlap: intersection over union of the matched, 1 when there are none.
    """

    first: int
    second: int
    matched: int
    mean_overlap: float


def pairs(first: Floats, second: Floats) -> list[tuple[int, int, float]]:
    """Match boxes one to one, largest overlap first: (index in first, index in second, overlap)."""
    shared = overlaps(first, second)
    found = []
    while shared.size and shared.max() >= FOUND_OVERLAP:
        i, j = np.unravel_index(shared.argmax(), shared.shape)
        found.append((int(i), int(j), float(shared[i, j])))
        shared[i, :] = shared[:, j] = -1
    return found


def accuracy(answers: Sequence[Faces], truth: Sequence[Floats]) -> Accuracy:
    """Compare with the true boxes, [N, 4] an image; answers of low scores, too, make the curve whole."""
    rows = []
    for faces, boxes in zip(answers, truth, strict=True):
        hits = {i for i, _, _ in pairs(faces.boxes, boxes)}
        rows += [(score, i in hits) for i, score in enumerate(faces.scores)]
    rows.sort(key=lambda row: -row[0])
    right = np.cumsum([hit for _, hit in rows])
    total = sum(len(boxes) for boxes in truth)
    confident = [hit for score, hit in rows if score >= MIN_SCORE]
    return Accuracy(
        faces=total,
        found=sum(confident),
        wrong=len(confident) - sum(confident),
        average_precision=_area(right, total),
    )


def agreement(first: Sequence[Faces], second: Sequence[Faces]) -> BoxAgreement:
    """Match the detections of two answers image by image."""
    matched = [pair for one, two in zip(first, second, strict=True) for pair in pairs(one.boxes, two.boxes)]
    return BoxAgreement(
        first=sum(len(faces) for faces in first),
        second=sum(len(faces) for faces in second),
        matched=len(matched),
        mean_overlap=float(np.mean([overlap for _, _, overlap in matched])) if matched else 1.0,
    )


def _area(right: Floats, total: int) -> float:
    if not len(right) or not total:
        return 0.0
    precision = right / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    recall = np.concatenate([[0], right / total])
    return float(((recall[1:] - recall[:-1]) * precision).sum())

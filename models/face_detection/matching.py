"""Which anchors answer for which face: the targets of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deploy.models.face_detection.anchors import LANDMARKS, Floats, corners, encode, overlaps

FACE, BACKGROUND, IGNORED = 1, 0, -1
MIN_OVERLAP: Final = 0.40
"""Intersection over union from which an anchor answers for a face."""
MAX_BACKGROUND: Final = 0.28
"""Up to which it must answer background; in between it may say what it likes."""


@dataclass(frozen=True)
class Targets:
    """What every anchor should answer.

    Attributes:
        classes: ``FACE``, ``BACKGROUND`` or ``IGNORED``, int32 [A].
        boxes: float32 [A, 4], zero where there is no face.
        landmarks: float32 [A, 10], zero where there is no face.
    """

    classes: NDArray[np.int32]
    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]


def targets(boxes: Floats, landmarks: Floats, every: Floats) -> Targets:
    """Match faces to anchors; the best anchor of a face answers for it however small the overlap.

    Args:
        boxes: left, top, right, bottom [N, 4].
        landmarks: [N, 5, 2].
        every: all anchors [A, 4], from :func:`deploy.models.face_detection.anchors.anchors`.
    """
    count = len(every)
    classes = np.zeros(count, np.int32)
    box_numbers, points = np.zeros((count, 4), np.float32), np.zeros((count, 2 * len(LANDMARKS)), np.float32)
    if not len(boxes):
        return Targets(classes, box_numbers, points)
    shared = overlaps(corners(every), boxes)
    shared[shared.argmax(axis=0), np.arange(len(boxes))] = 1
    owner, best = shared.argmax(axis=1), shared.max(axis=1)
    classes[best > MAX_BACKGROUND] = IGNORED
    chosen = np.flatnonzero(best >= MIN_OVERLAP)
    classes[chosen] = FACE
    box_numbers[chosen], points[chosen] = encode(boxes[owner[chosen]], landmarks[owner[chosen]], every[chosen])
    return Targets(classes, box_numbers, points)

"""From a network's raw outputs to faces, on the host: dequantize, softmax, decode, non-maximum suppression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.models.face_detection.anchors import LANDMARKS, Floats, anchors, decode, overlaps

OUTPUTS: Final = {"classes": 2, "boxes": 4, "landmarks": 2 * len(LANDMARKS)}
"""Output -> numbers an anchor."""

MIN_SCORE: Final = 0.5
MAX_OVERLAP: Final = 0.3
"""Largest intersection over union of two faces."""
BLEND_OVERLAP: Final = 0.5
"""From which intersection over union with a face's best box another candidate counts as the same face's."""
MOST_CANDIDATES: Final = 1000
"""Anchors that non-maximum suppression looks at, best first: bounds its time whatever a network answers."""


@dataclass(frozen=True)
class OutputScales:
    """``value = scale * (integer - zero_point)``; the default leaves float outputs as they are."""

    scale: float = 1.0
    zero_point: int = 0


@dataclass(frozen=True)
class Faces:
    """What was found in one image, best first.

    Attributes:
        boxes: left, top, right, bottom as fractions of the image, float64 [N, 4].
        scores: probability of a face, float64 [N].
        landmarks: x, y of :data:`~deploy.models.face_detection.anchors.LANDMARKS`, float64 [N, 5, 2].
    """

    boxes: Floats
    scores: Floats
    landmarks: Floats

    def __len__(self) -> int:
        return len(self.scores)


def detect(
    outputs: Mapping[str, NDArray[Any]],
    size: int,
    quantization: Mapping[str, OutputScales] | None = None,
    *,
    min_score: float = MIN_SCORE,
) -> Faces:
    """Faces in one image.

    Args:
        outputs: ``classes`` [A, 2], ``boxes`` [A, 4], ``landmarks`` [A, 10], or the same with a batch of one in
            front; integers as the target gives them, or floats.
        size: height and width of the network's input in pixels.
        quantization: of each output; None for float outputs.
        min_score: lowest probability of a face.

    Raises:
        BadInputError: an output is missing or has another shape than the anchors of this size.
    """
    every = anchors(size)
    values = {}
    for name, numbers in OUTPUTS.items():
        if name not in outputs or outputs[name].size != len(every) * numbers:
            found = outputs[name].shape if name in outputs else "nothing"
            raise BadInputError(f"output {name}: {found}, expected [{len(every)}, {numbers}] for {size} pixels")
        how = (quantization or {}).get(name, OutputScales())
        values[name] = how.scale * (outputs[name].reshape(-1, numbers).astype(np.float64) - how.zero_point)
    scores = face_probability(values["classes"])
    order = np.argsort(-scores, kind="stable")[:MOST_CANDIDATES]
    order = order[scores[order] >= min_score]
    boxes, landmarks = decode(values["boxes"][order], values["landmarks"][order], every[order])
    kept = suppress(boxes, MAX_OVERLAP)
    weights = _blending(boxes, kept, scores[order])
    blended = np.einsum("kn,npq->kpq", weights, landmarks)
    return Faces(weights @ boxes, scores[order][kept], blended)


def _blending(boxes: Floats, kept: NDArray[np.intp], scores: Floats) -> Floats:
    """How much every candidate counts in each face that stays, [faces, N], each row sums to one.

    Several anchors answer for a face, each with its own error. Their mean, weighted with their probability, is
    closer to the truth than the best alone, above all where the network is quantized (measured).
    """
    close = overlaps(boxes[kept], boxes) >= BLEND_OVERLAP
    close[np.arange(len(kept)), kept] = True
    weights = close * (scores + 1e-12)
    normalized: Floats = weights / weights.sum(axis=1, keepdims=True)
    return normalized


def face_probability(logits: Floats) -> Floats:
    """Softmax over background and face, ``[N, 2]`` logits to the face's probability ``[N]``."""
    margin = np.clip(logits[:, 0] - logits[:, 1], -500, 500)
    probability: Floats = 1 / (1 + np.exp(margin))
    return probability


def suppress(boxes: Floats, max_overlap: float) -> NDArray[np.intp]:
    """Non-maximum suppression.

    Args:
        boxes: left, top, right, bottom [N, 4], best first.
        max_overlap: a box that overlaps a better one by more is dropped.

    Returns:
        Indices of the boxes that stay, best first.
    """
    left = np.arange(len(boxes))
    kept = []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(best)
        left = left[overlaps(boxes[best : best + 1], boxes[left])[0] <= max_overlap]
    return np.array(kept, np.intp)

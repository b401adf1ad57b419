"""Anchors of a face detector, boxes and landmarks relative to them, and which of them answers for which face.

Two square anchors at every position of the strides 8, 16 and 32, in the order of the networks' outputs: level,
row, column, anchor. Coordinates are fractions of the image's width and height. What a network answers for an
anchor is relative to it, divided by "variances" as single-shot detectors do: centre offsets by 0.1 times the
anchor's size, logarithms of size ratios by 0.2, landmark offsets by 0.1 times the anchor's size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError

Floats = NDArray[np.float64]

SIZES: Final[Mapping[int, tuple[int, int]]] = {8: (16, 24), 16: (32, 48), 32: (64, 96)}
"""Stride -> side of its two anchors in pixels: two and three strides, 1.33 to 1.5 times the one before."""

CENTER_VARIANCE: Final = 0.1
SIZE_VARIANCE: Final = 0.2
LANDMARKS: Final = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")
"""Left and right as seen in the image."""

FACE, BACKGROUND, IGNORED = 1, 0, -1
MIN_OVERLAP: Final = 0.40
"""Intersection over union from which an anchor answers for a face."""
MAX_BACKGROUND: Final = 0.28
"""Up to which it must answer background; in between it may say what it likes."""

_LARGEST_LOG = 10.0
"""Bound on the exponent of a size: what a network answers may be anything."""


def anchors(size: int) -> Floats:
    """All anchors of a square image.

    Args:
        size: height and width of the image in pixels, a multiple of the largest stride.

    Returns:
        float64 [A, 4]: centre x, centre y, width, height.

    Raises:
        BadInputError: a size that the strides do not divide.
    """
    if size <= 0 or any(size % stride for stride in SIZES):
        raise BadInputError(f"an image of {size} pixels: must be a multiple of {max(SIZES)}")
    levels = []
    for stride, sides in SIZES.items():
        centers = (np.arange(size // stride) + 0.5) * stride / size
        y, x, side = np.meshgrid(centers, centers, np.asarray(sides) / size, indexing="ij")
        levels.append(np.stack([x, y, side, side], axis=-1).reshape(-1, 4))
    return np.concatenate(levels)


def corners(boxes: Floats) -> Floats:
    """Centre x, y, width, height [..., 4] as left, top, right, bottom [..., 4]."""
    center, half = boxes[..., :2], boxes[..., 2:] / 2
    return np.concatenate([center - half, center + half], axis=-1)


def encode(boxes: Floats, landmarks: Floats, matched: Floats) -> tuple[Floats, Floats]:
    """What a network should answer.

    Args:
        boxes: left, top, right, bottom [N, 4].
        landmarks: x, y of five points [N, 5, 2].
        matched: the anchor of each [N, 4].

    Returns:
        Box numbers [N, 4] and landmark numbers [N, 10].
    """
    center, extent = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    offset = (center - matched[:, :2]) / (CENTER_VARIANCE * matched[:, 2:])
    ratio = np.log(extent / matched[:, 2:]) / SIZE_VARIANCE
    points = (landmarks - matched[:, None, :2]) / (CENTER_VARIANCE * matched[:, None, 2:])
    return np.concatenate([offset, ratio], axis=1), points.reshape(-1, 2 * len(LANDMARKS))


def decode(numbers: Floats, points: Floats, matched: Floats) -> tuple[Floats, Floats]:
    """The reverse of :func:`encode`.

    Args:
        numbers: box numbers [N, 4].
        points: landmark numbers [N, 10].
        matched: the anchor of each [N, 4].

    Returns:
        Boxes [N, 4] as left, top, right, bottom; landmarks [N, 5, 2].
    """
    center = matched[:, :2] + CENTER_VARIANCE * matched[:, 2:] * numbers[:, :2]
    extent = matched[:, 2:] * np.exp(np.clip(SIZE_VARIANCE * numbers[:, 2:], -_LARGEST_LOG, _LARGEST_LOG))
    boxes = corners(np.concatenate([center, extent], axis=1))
    offsets = points.reshape(-1, len(LANDMARKS), 2)
    return boxes, matched[:, None, :2] + CENTER_VARIANCE * matched[:, None, 2:] * offsets


def overlaps(first: Floats, second: Floats) -> Floats:
    """Intersection over union of every pair.

    Args:
        first: left, top, right, bottom [N, 4].
        second: the same [M, 4].

    Returns:
        float64 [N, M] in [0, 1].
    """
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - shared
    ratio: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio


@dataclass(frozen=True)
class Scene:
    """One image and what is in it.

    Attributes:
        image: uint8 [size, size, 3].
        boxes: left, top, right, bottom as fractions of the image, float64 [N, 4].
        landmarks: x, y of five points, float64 [N, 5, 2].
    """

    image: NDArray[np.uint8]
    boxes: Floats
    landmarks: Floats


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
        every: all anchors [A, 4], from :func:`anchors`.
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

"""A synthetic detection set: faces and photographs that scikit-image brings, composed at random.

100 faces of 25x25 pixels (a subset of Labeled Faces in the Wild, aligned) are scaled, tinted, mirrored and pasted
with a soft oval edge onto crops of photographs; patches without a face are pasted the same way, so that the
edge says nothing. Faces and photographs of the test images occur in no training image. It is a set to show that a
detector works on target as it does in float; it says little about photographs from real life.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deploy.errors import NotInstalledError
from deploy.models.face_detection.anchors import Floats, Scene

CROP: Final = 25
"""Height and width of the faces in pixels."""

FACE_BOX: Final = (0.10, 0.02, 0.78, 0.96)
"""Left, top, right, bottom of the face within its crop: measured on the mean of all 100 crops."""

FACE_LANDMARKS: Final = ((0.26, 0.35), (0.63, 0.35), (0.44, 0.60), (0.29, 0.71), (0.59, 0.71))
"""Eyes, nose, mouth corners within the crop: measured on the mean of all crops, right to a pixel or so."""

PARTS: Final = {"train": (0, 75), "test": (75, 100)}
"""Part -> first face and the one behind the last."""

PHOTOGRAPHS: Final = {
    "train": ("coffee", "hubble_deep_field", "grass", "gravel", "page", "text", "retina", "moon", "clock", "cell"),
    "test": ("chelsea", "rocket", "brick", "coins", "immunohistochemistry"),
}
"""Part -> photographs of scikit-image, none of which shows a face."""

SMALLEST: Final = 18
"""Smallest side of a pasted crop in pixels."""

LARGEST: Final = 88
"""Largest side of a pasted crop in pixels."""

_FACES_AN_IMAGE = (0.1, 0.45, 0.3, 0.15)
"""Probability of none, one, two, three."""
_TRIES = 20
_CLUTTERED = 0.5
"""Probability of forms drawn into a background."""
_MOST_FORMS = 10


@dataclass(frozen=True)
class Material:
    """What scenes of one part are made of.

    Attributes:
        faces: float64 [N, 25, 25] in [0, 1].
        patches: without a face, float64 [M, 25, 25] in [0, 1].
        photographs: uint8 [H, W, 3] each.
    """

    faces: Floats
    patches: Floats
    photographs: tuple[NDArray[np.uint8], ...]


@functools.cache
def material(part: str) -> Material:
    """Load what scikit-image brings for a part, ``train`` or ``test``.

    Raises:
        NotInstalledError: scikit-image is missing.
    """
    try:
        from skimage import data
    except ImportError as error:
        raise NotInstalledError(
            f"the synthetic faces need scikit-image ({error})", hints=["pip install ethosu-deploy[faces]"]
        ) from error
    subset: Any = data.lfw_subset
    crops = np.asarray(subset(), np.float64)
    half = len(crops) // 2
    start, stop = PARTS[part]
    photographs = tuple(_colour(getattr(data, name)()) for name in PHOTOGRAPHS[part])
    return Material(crops[start:stop], crops[half + start : half + stop], photographs)


def scene(part: str, size: int, seed: int) -> Scene:
    """Compose an image of a part, ``size`` pixels high and wide; the same for the same arguments.

    Raises:
        NotInstalledError: scikit-image is missing.
    """
    source, random = material(part), np.random.default_rng([sorted(PARTS).index(part), size, seed])
    image = _background(source.photographs[random.integers(len(source.photographs))], size, random)
    wanted = random.choice(len(_FACES_AN_IMAGE), p=_FACES_AN_IMAGE)
    taken: list[tuple[float, float, float]] = []
    boxes, landmarks = [], []
    for number in range(wanted + int(random.integers(0, 3))):
        is_face = number < wanted
        side = float(np.exp(random.uniform(np.log(SMALLEST), np.log(min(LARGEST, size - 2)))))
        place = _place(side, size, taken, random)
        if place is None:
            continue
        taken.append((*place, side))
        crops = source.faces if is_face else source.patches
        mirrored = bool(random.random() < 0.5)
        crop = crops[random.integers(len(crops))]
        _paste(image, crop[:, ::-1] if mirrored else crop, place, side, random)
        if is_face:
            box, points = _labels(mirrored)
            boxes.append((box * side + np.tile(place, 2)) / size)
            landmarks.append((points * side + np.asarray(place)) / size)
    image = np.clip(image + random.normal(0, random.uniform(0, 0.03), image.shape), 0, 1)
    return Scene(
        np.round(image * 255).astype(np.uint8),
        np.array(boxes, np.float64).reshape(-1, 4),
        np.array(landmarks, np.float64).reshape(-1, len(FACE_LANDMARKS), 2),
    )


def _labels(mirrored: bool) -> tuple[Floats, Floats]:
    box, points = np.array(FACE_BOX), np.array(FACE_LANDMARKS)
    if mirrored:
        box = np.array([1 - box[2], box[1], 1 - box[0], box[3]])
        points = points[[1, 0, 2, 4, 3]] * (-1, 1) + (1, 0)
    return box, points


def _place(
    side: float, size: int, taken: list[tuple[float, float, float]], random: np.random.Generator
) -> tuple[float, float] | None:
    """Left and top of a crop that overlaps none that is there."""
    for _ in range(_TRIES):
        x, y = random.uniform(0, size - side, 2)
        if all(abs(x - left) > 0.9 * max(side, s) or abs(y - top) > 0.9 * max(side, s) for left, top, s in taken):
            return float(x), float(y)
    return None


def _background(photograph: NDArray[np.uint8], size: int, random: np.random.Generator) -> Floats:
    height, width = photograph.shape[:2]
    side = int(random.integers(min(height, width) // 3, min(height, width) + 1))
    top, left = random.integers(0, height - side + 1), random.integers(0, width - side + 1)
    crop = _resized(photograph[top : top + side, left : left + side], size)
    if random.random() < 0.5:
        crop = crop[:, ::-1]
    if random.random() < _CLUTTERED:
        crop = _cluttered(crop, random)
    return np.clip(crop * random.uniform(0.6, 1.2) + random.uniform(-0.1, 0.1), 0, 1)


def _cluttered(image: Floats, random: np.random.Generator) -> Floats:
    """Discs, bars and rings drawn into an image: a few photographs alone have too few forms that are no face."""
    from PIL import Image, ImageDraw

    size = image.shape[0]
    canvas = Image.fromarray(np.round(image * 255).astype(np.uint8))
    pen = ImageDraw.Draw(canvas)
    for _ in range(int(random.integers(1, _MOST_FORMS))):
        (x, y), (width, height) = random.uniform(0, size, 2), random.uniform(2, size / 2, 2)
        place = [float(x - width / 2), float(y - height / 2), float(x + width / 2), float(y + height / 2)]
        red, green, blue = (int(value) for value in random.integers(0, 256, 3))
        kind, line = random.integers(3), int(random.integers(1, 5))
        if kind == 0:
            pen.ellipse(place, fill=(red, green, blue))
        elif kind == 1:
            pen.ellipse(place, outline=(red, green, blue), width=line)
        else:
            pen.line(place, fill=(red, green, blue), width=2 * line)
    return np.asarray(canvas, np.float64) / 255


def _paste(
    image: Floats, crop: Floats, place: tuple[float, float], side: float, random: np.random.Generator
) -> None:
    """Blend a gray crop into the image, tinted, with an oval edge; ``place`` is its left and top."""
    size = image.shape[0]
    pixels = max(2, round(side))
    left, top = (min(round(p), size - pixels) for p in place)
    gray = _resized(np.round(crop * 255).astype(np.uint8), pixels)
    gray = np.clip((gray - 0.5) * random.uniform(0.7, 1.2) + 0.5 + random.uniform(-0.12, 0.12), 0, 1)
    tint = np.array([1.0, random.uniform(0.72, 1.0), random.uniform(0.6, 1.0)])
    y, x = (np.mgrid[:pixels, :pixels] + 0.5) / pixels
    distance = np.hypot((x - 0.5) / 0.5, (y - 0.5) / 0.56)
    opacity = np.clip((1.05 - distance) / random.uniform(0.1, 0.3), 0, 1)[..., None]
    part = image[top : top + pixels, left : left + pixels]
    part[...] = part * (1 - opacity) + gray[..., None] * tint * opacity


def _resized(image: NDArray[np.uint8], size: int) -> Floats:
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR), np.float64) / 255


def _colour(image: NDArray[Any]) -> NDArray[np.uint8]:
    array = np.asarray(image, np.uint8)
    return np.repeat(array[..., None], 3, axis=2) if array.ndim == 2 else array[..., :3]

"""Augmentation sets, and batches whose images are drawn from several of them.

A set is a pure function of a batch and a source of randomness. MobileNetV4 (arXiv:2404.10518) distils on a mixture
of three data sets; the three here follow them as far as small images and a data set with equally many images of
every class allow:

- ``crop``: a random part of the image, stretched to full size, mirrored or not, brighter or darker (there:
  Inception crop and RandAugment);
- ``mixup``: two images treated like that, blended at random, and their labels with them (there: Inception crop and
  mixup with alpha 1);
- ``shift``: mirrored or not, shifted by up to two pixels (there: standard crop; the sampling by class changes
  nothing where classes are equally frequent).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError

MAX_SHIFT = 2
"""Largest shift in pixels."""

SMALLEST_CROP = 0.5
"""Smallest part of an image's area that a crop keeps. Inception's 0.08 leaves nothing to see of 28x28 pixels."""

CROP_ASPECT = 4 / 3
"""Largest ratio of the sides of a crop, in units of the image's sides."""

CROP_GAIN = 0.2
"""By how much a crop is brighter or darker at most."""

Images = NDArray[np.uint8]
"""[N, height, width] or [N, height, width, channels]."""


@dataclass(frozen=True)
class ImageBatch:
    """Images and what they show.

    Attributes:
        images: uint8 [N, height, width] or [N, height, width, channels].
        labels: head name -> float32 [N, classes], each row a distribution.
    """

    images: Images
    labels: Mapping[str, NDArray[np.float32]]


Augmentation = Callable[[ImageBatch, np.random.Generator], ImageBatch]
"""A set: gives a batch of the same shapes, and changes nothing that it was given."""


def shift(batch: ImageBatch, random: np.random.Generator) -> ImageBatch:
    """Mirror half of the images and shift each by up to ``MAX_SHIFT`` pixels, zeros moving in."""
    images = _mirrored(batch.images, random)
    count, height, width = images.shape[:3]
    padded = np.pad(
        images, ((0, 0), (MAX_SHIFT, MAX_SHIFT), (MAX_SHIFT, MAX_SHIFT), *((0, 0),) * (images.ndim - 3))
    )
    top, left = random.integers(0, 2 * MAX_SHIFT + 1, (2, count))
    rows = top[:, None] + np.arange(height)
    columns = left[:, None] + np.arange(width)
    return replace(batch, images=padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]])


def crop(batch: ImageBatch, random: np.random.Generator) -> ImageBatch:
    """Mirror half of the images, stretch a random part of each to full size (bilinear), change its brightness."""
    images = _mirrored(batch.images, random)
    count, height, width = images.shape[:3]
    area = random.uniform(SMALLEST_CROP, 1, count)
    aspect = np.exp(random.uniform(-1, 1, count) * math.log(CROP_ASPECT))
    rows, high = _positions(height, np.minimum(1, np.sqrt(area / aspect)), random)
    columns, right = _positions(width, np.minimum(1, np.sqrt(area * aspect)), random)
    each, extra = np.arange(count)[:, None, None], (1,) * (images.ndim - 3)

    def row(at: NDArray[np.int64]) -> NDArray[np.float64]:
        upper, lower = (
            images[each, rows[:, :, None], at],
            images[each, np.minimum(rows + 1, height - 1)[:, :, None], at],
        )
        share = high.reshape(count, height, 1, *extra)
        blended: NDArray[np.float64] = upper * (1 - share) + lower * share
        return blended

    share = right.reshape(count, 1, width, *extra)
    first, second = columns[:, None, :], np.minimum(columns + 1, width - 1)[:, None, :]
    stretched = row(first) * (1 - share) + row(second) * share
    gain = random.uniform(1 - CROP_GAIN, 1 + CROP_GAIN, (count, *(1,) * (images.ndim - 1)))
    return replace(batch, images=_rounded(stretched * gain))


def mixup(batch: ImageBatch, random: np.random.Generator) -> ImageBatch:
    """Crops, each blended with another one of the batch; labels as well (Zhang et al., arXiv:1710.09412).

    The weights are uniform between 0 and 1, the Beta distribution of alpha 1.
    """
    own = crop(batch, random)
    other = random.permutation(len(own.images))
    weight = random.random(len(own.images))
    pixels = weight.reshape(-1, *(1,) * (own.images.ndim - 1))
    shares = weight.astype(np.float32)[:, None]
    return ImageBatch(
        _rounded(own.images * pixels + own.images[other] * (1 - pixels)),
        {head: label * shares + label[other] * (1 - shares) for head, label in own.labels.items()},
    )


SETS: Mapping[str, Augmentation] = MappingProxyType({"shift": shift, "crop": crop, "mixup": mixup})
"""The sets by name."""


@dataclass(frozen=True)
class Mixture:
    """Several sets at once: each image of a batch is drawn from one of them at random.

    Attributes:
        shares: name of a set -> how often it is drawn, in any unit.
        sets: name -> set.

    Raises:
        BadInputError: an unknown set (the nearest is named), no set, or a share that is not a number above 0.
    """

    shares: Mapping[str, float]
    sets: Mapping[str, Augmentation] = field(default_factory=lambda: SETS)

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn from."""
        if not self.shares:
            raise BadInputError("a mixture of augmentation sets needs at least one", hints=[self._known()])
        for name, share in self.shares.items():
            if name not in self.sets:
                near = difflib.get_close_matches(name, self.sets, n=1)
                guess = f"; did you mean {near[0]!r}?" if near else ""
                raise BadInputError(f"there is no augmentation set {name!r}{guess}", hints=[self._known()])
            if not 0 < share < math.inf:
                raise BadInputError(f"augmentation set {name}: its share is {share:g}, must be a number above 0")

    def __call__(self, batch: ImageBatch, random: np.random.Generator) -> ImageBatch:
        """Augment a batch; every image keeps its place."""
        names = list(self.shares)
        if len(names) == 1:
            return self.sets[names[0]](batch, random)
        shares = np.asarray(list(self.shares.values()), np.float64)
        drawn = random.choice(len(names), len(batch.images), p=shares / shares.sum())
        images = batch.images.copy()
        labels = {head: label.copy() for head, label in batch.labels.items()}
        for number, name in enumerate(names):
            chosen = np.flatnonzero(drawn == number)
            if not len(chosen):
                continue
            part = ImageBatch(batch.images[chosen], {head: label[chosen] for head, label in batch.labels.items()})
            done = self.sets[name](part, random)
            images[chosen] = done.images
            for head, label in done.labels.items():
                labels[head][chosen] = label
        return ImageBatch(images, labels)

    def __str__(self) -> str:
        """As :func:`mixture` reads it."""
        return ",".join(f"{name}:{share:g}" for name, share in self.shares.items())

    def _known(self) -> str:
        return f"augmentation sets: {', '.join(self.sets)}"


def mixture(text: str) -> Mixture:
    """Read ``crop:1,mixup:2``; a name without a share has 1.

    Raises:
        BadInputError: not of that form, a set that stands twice, or what :class:`Mixture` refuses.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, colon, number = (word.strip() for word in part.partition(":"))
        if name in shares:
            raise BadInputError(f"augmentation {text!r}: {name} stands twice")
        try:
            shares[name] = float(number) if colon else 1.0
        except ValueError as error:
            hint = "name the sets and how often each is drawn: shift:2,crop:1,mixup:1"
            raise BadInputError(f"augmentation {text!r}: {number!r} is not a number", hints=[hint]) from error
    return Mixture(shares)


def _mirrored(images: Images, random: np.random.Generator) -> Images:
    """Half of the images, left to right."""
    flips = random.random((len(images), *(1,) * (images.ndim - 1))) < 0.5
    return np.where(flips, images[:, :, ::-1], images)


def _positions(
    size: int, share: NDArray[Any], random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Where the pixels of crops come from, along a side of which they keep a share [N].

    Returns:
        The pixels before, int64 [N, size], and how far towards the next one, float64 [N, size].
    """
    start = random.uniform(0, 1 - share)
    centres = start[:, None] + (np.arange(size) + 0.5) / size * share[:, None]
    places = np.clip(centres * size - 0.5, 0, size - 1)
    before = np.floor(places).astype(np.int64)
    return before, places - before


def _rounded(values: NDArray[Any]) -> Images:
    pixels: Images = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return pixels

"""Trains a network of the family on Fashion-MNIST: from labels, or from a teacher.

The stored images of 28x28 get a black margin of two pixels; for an input of 64x64 every pixel is repeated twice in
both directions. That is no data set to judge large networks with: it shows that a choice of options trains, and is
the pattern for data of your own.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from deploy.errors import BadInputError
from deploy.models.datasets import fashion_mnist
from deploy.models.distillation.augmentation import Images
from deploy.models.distillation.training import Examples, Recipe, trainer
from deploy.models.mobilenetv4.builder import OUTPUT_NAME, Options, build
from deploy.zoo.networks import save_weights

SIZES: Final = (32, 64)
"""Inputs that the images become without interpolation."""

CLASSES: Final = len(fashion_mnist.GARMENTS)
_MARGIN = 2


def network_input(images: Images, size: int) -> Images:
    """The network's input for uint8 [N, 28, 28]: a black margin, pixels repeated for the larger size, a channel.

    Returns:
        uint8 [N, size, size, 1].
    """
    padded = np.pad(images, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)))
    times = size // padded.shape[1]
    return padded.repeat(times, axis=1).repeat(times, axis=2)[..., np.newaxis]


def examples(options: Options, images: int | None) -> Examples:
    """The first so many training images, None for all.

    Raises:
        BadInputError: the data has other classes, channels or another size.
        NotInstalledError: the data set is missing.
    """
    wanted = {"classes": (CLASSES,), "channels": (1,), "pixels": SIZES}
    for name, values in wanted.items():
        if getattr(options, name) not in values:
            needs = " or ".join(map(str, values))
            shown = "size" if name == "pixels" else name
            raise BadInputError(
                f"mobilenetv4: {shown} is {getattr(options, name)}, but training on Fashion-MNIST needs {needs}",
                hints=["--set classes=10 --set channels=1 --set size=32"],
            )
    split = fashion_mnist.load_training()
    labels = {OUTPUT_NAME: split.garments[:images]}
    return Examples(split.images[:images], labels, lambda stored: network_input(stored, options.pixels))


train = trainer(Recipe(), Options(size=SIZES[0], channels=1, classes=CLASSES), build, examples, save_weights)

"""Trains a network of the family on Fashion-MNIST: from labels, or from a teacher.

The stored images of 28x28 get a black margin of two pixels; for an input of 64x64 every pixel is repeated twice in
both directions. That is no data set to judge large networks with: it shows that a choice of options trains, and is
the pattern for data of your own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from deploy.errors import BadInputError
from deploy.models.datasets import fashion_mnist
from deploy.models.distillation.augmentation import Images, Mixture
from deploy.models.distillation.teacher import Distillation
from deploy.models.distillation.training import Examples, Recipe, fit
from deploy.models.mobilenetv4.builder import OUTPUT_NAME, Options, build
from deploy.quantizing.float_model import import_keras
from deploy.zoo import weights as weight_files

SIZES: Final = (32, 64)
"""Inputs that the images become without interpolation."""

RECIPE: Final = Recipe()
_MARGIN = 2


def train(
    weights: Path,
    *,
    options: Options | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    images: int | None = None,
    augmentation: Mixture | None = None,
    distillation: Distillation | None = None,
    log: Callable[[str], None] = print,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Any:
    """Train a network and write its weights.

    Args:
        weights: the ``.weights.h5`` file to write.
        options: of the network: 10 classes, one channel, 32 or 64 pixels.
        epochs: instead of the recipe's.
        seed: instead of the recipe's.
        images: only the first so many training images (a trial run); None for all.
        augmentation: instead of the recipe's flips and shifts.
        distillation: a teacher to learn from, with the same input and classes; None for the labels alone.
        log: receives one line an epoch.
        advance: called with (steps done, steps in all).

    Returns:
        The trained ``keras.Model``.

    Raises:
        BadInputError: options that the data does not fit, or a teacher that does not fit the network.
        NotInstalledError: TensorFlow or the data set is missing.
    """
    options = options or Options(size=SIZES[0], channels=1, classes=len(fashion_mnist.GARMENTS))
    _check_fit(options)
    recipe = RECIPE.changed(epochs=epochs, seed=seed, augmentation=augmentation, distillation=distillation)
    keras = import_keras()
    split = fashion_mnist.load_training()
    keras.utils.set_random_seed(recipe.seed)
    model = build(options)
    examples = Examples(
        split.images[:images],
        {OUTPUT_NAME: split.garments[:images]},
        lambda stored: network_input(stored, options.pixels),
    )
    fit(model, examples, recipe, log=log, advance=advance)
    weight_files.save(model, weights)
    return model


def network_input(images: Images, size: int) -> Images:
    """The network's input for stored images: a black margin, pixels repeated for the larger size, a channel.

    Args:
        images: uint8 [N, 28, 28].
        size: one of ``SIZES``.

    Returns:
        uint8 [N, size, size, 1].
    """
    padded = np.pad(images, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)))
    times = size // padded.shape[1]
    return padded.repeat(times, axis=1).repeat(times, axis=2)[..., np.newaxis]


def _check_fit(options: Options) -> None:
    """Refuse options that Fashion-MNIST cannot train.

    Raises:
        BadInputError: other classes, channels or sizes.
    """
    wanted = {"classes": (len(fashion_mnist.GARMENTS),), "channels": (1,), "pixels": SIZES}
    for name, values in wanted.items():
        if getattr(options, name) not in values:
            needs = " or ".join(map(str, values))
            shown = "size" if name == "pixels" else name
            raise BadInputError(
                f"mobilenetv4: {shown} is {getattr(options, name)}, but training on Fashion-MNIST needs {needs}",
                hints=["--set classes=10 --set channels=1 --set size=32"],
            )

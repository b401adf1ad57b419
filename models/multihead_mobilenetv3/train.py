"""Trains the demo network on the 60,000 Fashion-MNIST training images, on the CPU, in about a quarter of an hour.

Fixed seed; horizontal flips and shifts of up to two pixels; AdamW with a cosine learning rate. It learns from the
labels, or from a teacher: :mod:`deploy.models.distillation`. The test images are never looked at here:
:mod:`evaluate` measures on them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.errors import BadInputError
from deploy.models.datasets.fashion_mnist import SIDE, load_training
from deploy.models.distillation.augmentation import Mixture
from deploy.models.distillation.teacher import Distillation
from deploy.models.distillation.training import Examples, Recipe, fit
from deploy.models.multihead_mobilenetv3 import fashion_mnist
from deploy.models.multihead_mobilenetv3.builder import Options, build
from deploy.quantizing.float_model import import_keras
from deploy.zoo import weights as weight_files

RECIPE = Recipe(loss_weights={"garment": 1.0, "kind": 0.3})
"""How the weights of the card were trained."""


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
    """Train the network and write its weights.

    Args:
        weights: the ``.weights.h5`` file to write.
        options: of the network; input and heads must be those of the data (grayscale, ``garment`` 10, ``kind`` 5).
        epochs: instead of the recipe's.
        seed: instead of the recipe's.
        images: only the first so many training images (a trial run); None for all.
        augmentation: instead of the recipe's flips and shifts.
        distillation: a teacher to learn from, with the same input and heads; None for the labels alone.
        log: receives one line an epoch.
        advance: called with (steps done, steps in all).

    Returns:
        The trained ``keras.Model``.

    Raises:
        BadInputError: options that the data does not fit, or a teacher that does not fit the network.
        NotInstalledError: TensorFlow or the data set is missing.
    """
    options = options or Options()
    recipe = RECIPE.changed(epochs=epochs, seed=seed, augmentation=augmentation, distillation=distillation)
    _check_fit(options)
    keras = import_keras()
    split = load_training()
    keras.utils.set_random_seed(recipe.seed)
    model = build(options)
    labels = {head: classes[:images] for head, classes in fashion_mnist.labels_of(split).items()}
    examples = Examples(split.images[:images], labels, fashion_mnist.network_input)
    fit(model, examples, recipe, log=log, advance=advance)
    weight_files.save(model, weights)
    return model


def _check_fit(options: Options) -> None:
    """Refuse options that Fashion-MNIST cannot train.

    Raises:
        BadInputError: other heads, another input, or probabilities where the loss expects logits.
    """
    wanted = {
        "heads": {head: len(names) for head, names in fashion_mnist.CLASS_NAMES.items()},
        "size": SIDE * fashion_mnist.SCALE,
        "channels": 1,
        "softmax": False,
    }
    for name, value in wanted.items():
        if getattr(options, name) != value:
            raise BadInputError(
                f"multihead-mobilenetv3: {name} is {getattr(options, name)}, "
                f"but training on Fashion-MNIST needs {value}"
            )

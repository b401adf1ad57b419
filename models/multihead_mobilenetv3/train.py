"""Trains the demo network on the 60,000 Fashion-MNIST training images, on the CPU, in about a quarter of an hour.

Fixed seed; horizontal flips and shifts of up to two pixels; AdamW with a cosine learning rate. It learns from the
labels, or from a teacher: :mod:`deploy.models.distillation`. The test images are never looked at here:
:mod:`evaluate` measures on them.
"""

from __future__ import annotations

from deploy.errors import BadInputError
from deploy.models.datasets.fashion_mnist import SIDE, load_training
from deploy.models.distillation.training import Examples, Recipe, trainer
from deploy.models.multihead_mobilenetv3 import fashion_mnist
from deploy.models.multihead_mobilenetv3.builder import Options, build
from deploy.zoo.networks import save_weights


def examples(options: Options, images: int | None) -> Examples:
    """The first so many training images, None for all.

    Raises:
        BadInputError: the data has other heads or another input, or the loss expects logits.
        NotInstalledError: the data set is missing.
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
    split = load_training()
    labels = {head: classes[:images] for head, classes in fashion_mnist.labels_of(split).items()}
    return Examples(split.images[:images], labels, fashion_mnist.network_input)


train = trainer(Recipe(loss_weights={"garment": 1.0, "kind": 0.3}), Options(), build, examples, save_weights)
"""How the weights of the card were trained."""

"""Trains the demo network on the 60,000 Fashion-MNIST training images, on the CPU, in about a quarter of an hour.

Fixed seed; horizontal flips and shifts of up to two pixels; AdamW with a cosine learning rate. The test images
are never looked at here: :mod:`evaluate` measures on them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.files import replacing
from deploy.models.multihead_mobilenetv3 import fashion_mnist
from deploy.models.multihead_mobilenetv3.builder import Options, build, import_keras

MAX_SHIFT = 2
"""Largest shift of the augmentation in pixels of the stored image."""


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: passes over the training images.
        batch: images a step.
        learning_rate: peak of the cosine schedule, after one tenth of the first epochs' steps of warm-up.
        weight_decay: of AdamW.
        kind_weight: weight of the kind head's loss; garment's is 1.
        seed: of weights, order and augmentation.
    """

    epochs: int = 12
    batch: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 0.01
    kind_weight: float = 0.3
    seed: int = 1


def train(
    weights: Path,
    *,
    options: Options | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    images: int | None = None,
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
        log: receives one line an epoch.
        advance: called with (steps done, steps in all).

    Returns:
        The trained ``keras.Model``.

    Raises:
        BadInputError: options that the data does not fit.
        NotInstalledError: TensorFlow or the data set is missing.
    """
    options = options or Options()
    recipe = Recipe()
    recipe = replace(recipe, epochs=epochs or recipe.epochs, seed=recipe.seed if seed is None else seed)
    _check_fit(options)
    keras = import_keras()
    split = fashion_mnist.load_training()
    keras.utils.set_random_seed(recipe.seed)
    model = build(options)
    feed = _feed(keras, split.images[:images], {k: v[:images] for k, v in split.labels.items()}, recipe)
    steps = recipe.epochs * feed.num_batches
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=steps - steps // 20,
        warmup_target=recipe.learning_rate,
        warmup_steps=steps // 20,
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay),
        loss={head: keras.losses.SparseCategoricalCrossentropy(from_logits=True) for head in model.output},
        loss_weights={"garment": 1.0, "kind": recipe.kind_weight},
        metrics={"garment": ["accuracy"], "kind": ["accuracy"]},
    )

    def report(epoch: int, logs: dict[str, Any]) -> None:
        log(
            f"epoch {epoch + 1}/{recipe.epochs}: loss {logs['loss']:.4f}, training accuracy "
            f"garment {logs['garment_accuracy']:.4f}, kind {logs['kind_accuracy']:.4f}"
        )

    reporting = keras.callbacks.LambdaCallback(
        on_epoch_end=report,
        on_train_batch_end=lambda batch, logs: advance(int(model.optimizer.iterations), steps),
    )
    advance(0, steps)
    model.fit(feed, epochs=recipe.epochs, verbose=0, callbacks=[reporting])
    save_weights(model, weights)
    return model


def _check_fit(options: Options) -> None:
    """Refuse options that Fashion-MNIST cannot train.

    Raises:
        BadInputError: other heads, another input, or probabilities where the loss expects logits.
    """
    wanted = {
        "heads": {head: len(names) for head, names in fashion_mnist.CLASS_NAMES.items()},
        "size": fashion_mnist.SIDE * fashion_mnist.SCALE,
        "channels": 1,
        "softmax": False,
    }
    for name, value in wanted.items():
        if getattr(options, name) != value:
            raise BadInputError(
                f"multihead-mobilenetv3: {name} is {getattr(options, name)}, "
                f"but training on Fashion-MNIST needs {value}"
            )


def save_weights(model: Any, path: Path) -> None:
    """Write a model's weights, without the optimizer's state, to a ``.weights.h5`` file.

    Raises:
        BadInputError: the file cannot be written.
    """
    keras = import_keras()
    # The same layers in a model that is not compiled: the file would hold the optimizer's state otherwise.
    bare = keras.Model(model.input, model.output)
    with replacing(path) as temporary:
        own = temporary.with_name(temporary.name + ".weights.h5")  # Keras insists on the ending.
        try:
            bare.save_weights(own)
            own.replace(temporary)
        finally:
            own.unlink(missing_ok=True)


def augment(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Flip half of the images left to right and shift each by up to ``MAX_SHIFT`` pixels, zeros moving in.

    Args:
        images: uint8 [N, 28, 28].
        random: where the choices come from.

    Returns:
        uint8 [N, 28, 28].
    """
    count, height, width = images.shape
    flipped = np.where(random.random((count, 1, 1)) < 0.5, images[:, :, ::-1], images)
    padded = np.pad(flipped, ((0, 0), (MAX_SHIFT, MAX_SHIFT), (MAX_SHIFT, MAX_SHIFT)))
    top, left = random.integers(0, 2 * MAX_SHIFT + 1, (2, count))
    rows = top[:, None] + np.arange(height)
    columns = left[:, None] + np.arange(width)
    shifted: NDArray[np.uint8] = padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return shifted


def _feed(keras: Any, images: NDArray[np.uint8], labels: dict[str, NDArray[np.uint8]], recipe: Recipe) -> Any:
    """Shuffled, augmented batches; each depends on seed, epoch and position alone."""

    class Feed(keras.utils.PyDataset):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(workers=1)
            self.epoch = 0
            self.on_epoch_begin()

        @property
        def num_batches(self) -> int:
            return len(images) // recipe.batch

        def on_epoch_begin(self) -> None:
            self.order = np.random.default_rng([recipe.seed, self.epoch]).permutation(len(images))

        def on_epoch_end(self) -> None:
            self.epoch += 1
            self.on_epoch_begin()

        def __getitem__(self, index: int) -> tuple[NDArray[np.float32], dict[str, NDArray[np.uint8]]]:
            chosen = self.order[index * recipe.batch : (index + 1) * recipe.batch]
            random = np.random.default_rng([recipe.seed, self.epoch, index])
            batch = fashion_mnist.network_input(augment(images[chosen], random))
            return (
                batch.astype(np.float32) / np.float32(255),
                {name: label[chosen] for name, label in labels.items()},
            )

    return Feed()

"""Trains a classifier with one or several heads, from labels or from a teacher.

AdamW with a cosine learning rate; every batch depends on the seed, the epoch and its position alone. A teacher
sees exactly the images that the student sees, after augmentation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.models.distillation.augmentation import ImageBatch, Images, Mixture
from deploy.models.distillation.losses import cross_entropy, distillation_loss
from deploy.models.distillation.teacher import Distillation
from deploy.quantizing.float_model import import_keras

_TEACHER_IMAGES = 1_000
_TEACHER_BATCH = 100


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: passes over the training images.
        batch: images a step.
        learning_rate: peak of the cosine schedule, after a twentieth of all steps of warm-up.
        weight_decay: of AdamW.
        loss_weights: head name -> weight of its loss; 1 for heads that are not named.
        seed: of weights, order and augmentation.
        augmentation: sets that images are drawn from.
        distillation: the teacher and how much it counts; None to learn from the labels.
    """

    epochs: int = 12
    batch: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 0.01
    loss_weights: Mapping[str, float] = field(default_factory=dict)
    seed: int = 1
    augmentation: Mixture = field(default_factory=lambda: Mixture({"shift": 1}))
    distillation: Distillation | None = None


@dataclass(frozen=True)
class Examples:
    """What to train with.

    Attributes:
        images: uint8 [N, height, width], as stored.
        labels: head name -> class of each image, uint8 [N].
        network_input: images as stored -> uint8 [N, height, width, channels] as the network takes them.
    """

    images: Images
    labels: Mapping[str, NDArray[np.uint8]]
    network_input: Callable[[Images], Images]

    def floats(self, images: Images) -> NDArray[np.float32]:
        """Stored images as the float network takes them: in [0, 1]."""
        values: NDArray[np.float32] = self.network_input(images).astype(np.float32) / np.float32(255)
        return values


def trainer(
    recipe: Recipe,
    default: Any,
    build: Callable[[Any], Any],
    examples: Callable[[Any, int | None], Examples],
    save: Callable[[Any, Path], None],
) -> Callable[..., Any]:
    """What a classifier's project has for the role ``train``: trains a network, writes its weights, returns it.

    Args:
        recipe: how.
        default: the options of the network that is trained where none are given.
        build: (options) -> the network.
        examples: (options, the first so many images or None for all) -> what to train with; raises a BadInputError
            for options that the data does not fit.
        save: (network, file) -> nothing; writes the weights.
    """

    def train(
        weights: Path,
        *,
        options: Any = None,
        epochs: int | None = None,
        seed: int | None = None,
        images: int | None = None,
        augmentation: Mixture | None = None,
        distillation: Distillation | None = None,
        log: Callable[[str], None] = print,
        advance: Callable[[int, int], None] = lambda done, total: None,
    ) -> Any:
        given = {"epochs": epochs, "seed": seed, "augmentation": augmentation, "distillation": distillation}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        chosen, own = options or default, replace(recipe, **changes)
        data = examples(chosen, images)
        import_keras().utils.set_random_seed(own.seed)
        model = build(chosen)
        fit(model, data, own, log=log, advance=advance)
        save(model, weights)
        return model

    return train


def fit(
    model: Any,
    examples: Examples,
    recipe: Recipe,
    *,
    log: Callable[[str], None] = print,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Train a network in place.

    Args:
        model: ``keras.Model`` of one input with a dictionary of outputs, head name -> logits; built after
            ``keras.utils.set_random_seed(recipe.seed)``.
        examples: to train with; their labels have the model's heads.
        recipe: how.
        log: receives one line about the teacher, if there is one, and one an epoch.
        advance: called with (steps done, steps in all).

    Raises:
        BadInputError: fewer images than a step takes, or a teacher that does not fit the network.
    """
    import keras

    if len(examples.images) < recipe.batch:
        raise BadInputError(
            f"{len(examples.images)} training images, but a step of the training takes {recipe.batch}"
        )
    heads = {head: int(output.shape[-1]) for head, output in model.output.items()}
    if recipe.distillation is not None:
        recipe.distillation.teacher.check(model)
        log(_introduction(recipe.distillation, examples, tuple(heads)))
    feed = _feed(keras, examples, heads, recipe)
    steps = recipe.epochs * feed.num_batches
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=steps - steps // 20,
        warmup_target=recipe.learning_rate,
        warmup_steps=steps // 20,
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay),
        loss={head: _loss(recipe.distillation) for head in heads},
        loss_weights={head: recipe.loss_weights.get(head, 1.0) for head in heads},
        metrics={head: [_accuracy] for head in heads},
    )

    def report(epoch: int, logs: Mapping[str, Any]) -> None:
        # Keras leaves the head's name away where there is one only.
        right = {head: logs.get(f"{head}__accuracy", logs.get("_accuracy")) for head in heads}
        accuracies = ", ".join(f"{head} {value:.4f}" for head, value in right.items())
        log(f"epoch {epoch + 1}/{recipe.epochs}: loss {logs['loss']:.4f}, training accuracy {accuracies}")

    reporting = keras.callbacks.LambdaCallback(
        on_epoch_end=report,
        on_train_batch_end=lambda batch, logs: advance(int(model.optimizer.iterations), steps),
    )
    advance(0, steps)
    model.fit(feed, epochs=recipe.epochs, verbose=0, callbacks=[reporting])


def _introduction(distillation: Distillation, examples: Examples, heads: tuple[str, ...]) -> str:
    """Who the teacher is and how much it knows: an untrained one shows here, not after hours."""
    count = min(_TEACHER_IMAGES, len(examples.images))
    right = dict.fromkeys(heads, 0)
    for first in range(0, count, _TEACHER_BATCH):
        part = slice(first, min(first + _TEACHER_BATCH, count))
        answers = distillation.teacher.logits(examples.floats(examples.images[part]))
        for head in heads:
            right[head] += int((answers[head].argmax(axis=-1) == examples.labels[head][part]).sum())
    known = ", ".join(f"{head} {number / count:.4f}" for head, number in right.items())
    return f"teacher {distillation.teacher.name}: accuracy on {count:,} training images {known}"


def _loss(distillation: Distillation | None) -> Callable[[Any, Any], Any]:
    """The loss of a head.

    Its targets are float32 [N, 1, classes], the labels; or [N, 2, classes], the labels and the teacher's logits.
    """
    if distillation is None:
        return lambda targets, student: cross_entropy(targets[:, 0], student)
    return lambda targets, student: distillation_loss(
        targets[:, 0],
        targets[:, 1],
        student,
        temperature=distillation.temperature,
        soft=distillation.soft,
    )


def _accuracy(targets: Any, student: Any) -> Any:
    """Whether the largest logit is that of the label, of the larger part of it after mixup; float32 [N]."""
    import tensorflow as tf

    return tf.cast(tf.argmax(targets[:, 0], axis=-1) == tf.argmax(student, axis=-1), tf.float32)


def _feed(keras: Any, examples: Examples, heads: Mapping[str, int], recipe: Recipe) -> Any:
    """Shuffled, augmented batches; each depends on seed, epoch and position alone."""

    class Feed(keras.utils.PyDataset):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(workers=1)
            self.epoch = 0
            self.on_epoch_begin()

        @property
        def num_batches(self) -> int:
            return len(examples.images) // recipe.batch

        def on_epoch_begin(self) -> None:
            self.order = np.random.default_rng([recipe.seed, self.epoch]).permutation(len(examples.images))

        def on_epoch_end(self) -> None:
            self.epoch += 1
            self.on_epoch_begin()

        def __getitem__(self, index: int) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
            chosen = self.order[index * recipe.batch : (index + 1) * recipe.batch]
            random = np.random.default_rng([recipe.seed, self.epoch, index])
            plain = {
                head: np.eye(classes, dtype=np.float32)[examples.labels[head][chosen]]
                for head, classes in heads.items()
            }
            batch = recipe.augmentation(ImageBatch(examples.images[chosen], plain), random)
            images = examples.floats(batch.images)
            if recipe.distillation is None:
                return images, {head: label[:, None] for head, label in batch.labels.items()}
            logits = recipe.distillation.teacher.logits(images)
            return images, {head: np.stack([label, logits[head]], axis=1) for head, label in batch.labels.items()}

    return Feed()

"""Trains a face detector: classes with hard negative mining, boxes and landmarks smooth L1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from deploy.errors import BadInputError
from deploy.models.face_detection.anchors import BACKGROUND, FACE, Floats, Scene, Targets, anchors, targets
from deploy.zoo.networks import save_weights

Scenes = Callable[[int, int], Scene]
"""(height and width in pixels, seed) -> a scene to train with, the same for the same arguments."""


@dataclass(frozen=True)
class DetectorRecipe:
    """How to train.

    Attributes:
        cycles: how often the learning rate falls from its peak to zero; each with a fresh optimizer.
        epochs: passes over the scenes in a cycle.
        scenes: composed once a cycle; every pass mirrors and relights them anew.
        batch: scenes a step.
        learning_rate: peak of the cosine schedule, after a warm-up of a twentieth of all steps.
        weight_decay: of AdamW.
        last_epochs: of one more cycle, with the averages of batch normalization fixed: a batch of 16 differs
            enough from the average to cost a third of the precision otherwise (measured).
        last_learning_rate: peak in it.
        negatives: background anchors that count, per anchor with a face: those that look most like one.
        box_weight: of the box loss; the class loss has 1.
        landmark_weight: of the landmark loss.
        seed: of weights, scenes and order.
    """

    cycles: int = 3
    epochs: int = 14
    scenes: int = 1600
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    last_epochs: int = 5
    last_learning_rate: float = 5e-4
    negatives: int = 3
    box_weight: float = 1.0
    landmark_weight: float = 0.5
    seed: int = 1


@dataclass(frozen=True)
class _Cycle:
    epochs: int
    learning_rate: float
    fixed: bool


@dataclass(frozen=True)
class _Examples:
    """Scenes [N, size, size, 3] uint8 and the targets of their anchors, as drawn and mirrored."""

    images: Any
    plain: list[Targets]
    mirrored: list[Targets]


def trainer(
    default: Callable[[], Any], build: Callable[[Any], Any], compose: Scenes, size: int
) -> Callable[..., Any]:
    """What a detector's project has for the role ``train``: trains a network and writes its weights.

    Args:
        default: the project's options dataclass; it has a field ``size``, which is the scenes' while it trains.
        build: (options) -> the network.
        compose: gives the scenes.
        size: of them, in pixels.

    Returns:
        A function (weights, *, options, epochs, images, seed, log, advance) -> the trained ``keras.Model``;
        ``images``, how many scenes are composed, is for trial runs; fewer than a step takes are a
        ``BadInputError``. The weights that it writes fit an input of any size.
    """

    def train(
        weights: Path,
        *,
        options: Any = None,
        epochs: int | None = None,
        images: int | None = None,
        seed: int | None = None,
        log: Callable[[str], None] = print,
        advance: Callable[[int, int], None] = lambda done, total: None,
    ) -> Any:
        given = {"epochs": epochs, "scenes": images, "seed": seed}
        recipe = DetectorRecipe(**{name: value for name, value in given.items() if value is not None})
        if recipe.scenes < recipe.batch:
            raise BadInputError(
                f"{recipe.scenes} training images, but a step of the training takes {recipe.batch}"
            )
        import keras

        keras.utils.set_random_seed(recipe.seed)
        model = build(replace(options or default(), size=size))
        _fit(model, recipe, compose, size, log, advance)
        save_weights(model, weights)
        return model

    return train


def _fit(
    model: Any,
    recipe: DetectorRecipe,
    compose: Scenes,
    size: int,
    log: Callable[[str], None],
    advance: Callable[[int, int], None],
) -> None:
    cycles = [_Cycle(recipe.epochs, recipe.learning_rate, fixed=False)] * recipe.cycles
    cycles.append(_Cycle(recipe.last_epochs, recipe.last_learning_rate, fixed=True))
    batches = recipe.scenes // recipe.batch
    total, done, epoch = batches * sum(cycle.epochs for cycle in cycles), 0, 0
    advance(0, total)
    for number, cycle in enumerate(cycles):
        examples = _examples(compose, size, recipe, number)
        step = _step(model, _optimizer(recipe, cycle, cycle.epochs * batches), recipe, fixed=cycle.fixed)
        for _ in range(cycle.epochs):
            random = np.random.default_rng([recipe.seed, epoch])
            order, losses = random.permutation(recipe.scenes), []
            for first in range(0, batches * recipe.batch, recipe.batch):
                batch = _batch(examples, order[first : first + recipe.batch], random)
                losses.append([float(part) for part in step(*batch)])
                done += 1
                advance(done, total)
            classes, boxes, landmarks = np.mean(losses, axis=0)
            epoch += 1
            losses_text = f"classes {classes:.3f}, boxes {boxes:.3f}, landmarks {landmarks:.3f}"
            log(f"epoch {epoch}/{total // batches}: {losses_text}")


def _optimizer(recipe: DetectorRecipe, cycle: _Cycle, steps: int) -> Any:
    import keras

    warmup = max(1, steps // 20)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=cycle.learning_rate, warmup_steps=warmup
    )
    return keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay)


def _examples(compose: Scenes, size: int, recipe: DetectorRecipe, cycle: int) -> _Examples:
    first = recipe.seed * 1_000_000 + cycle * 10_000
    scenes = [compose(size, first + i) for i in range(recipe.scenes)]
    every = anchors(size)
    mirrored = [_mirrored(scene.boxes, scene.landmarks) for scene in scenes]
    return _Examples(
        np.stack([scene.image for scene in scenes]),
        [targets(scene.boxes, scene.landmarks, every) for scene in scenes],
        [targets(boxes, landmarks, every) for boxes, landmarks in mirrored],
    )


def _mirrored(boxes: Floats, landmarks: Floats) -> tuple[Floats, Floats]:
    swapped = boxes[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (1, 0, 1, 0)
    return swapped, landmarks[:, [1, 0, 2, 4, 3]] * (-1, 1) + (1, 0)


def _batch(examples: _Examples, chosen: Any, random: np.random.Generator) -> tuple[Any, ...]:
    flips = random.random(len(chosen)) < 0.5
    images = examples.images[chosen].astype(np.float32) / np.float32(255)
    images[flips] = images[flips][:, :, ::-1]
    images = images * random.uniform(0.8, 1.2, (len(chosen), 1, 1, 1)) + random.uniform(
        -0.08, 0.08, (len(chosen), 1, 1, 3)
    )
    wanted = [(examples.mirrored if flip else examples.plain)[i] for i, flip in zip(chosen, flips, strict=True)]
    return (
        np.clip(images, 0, 1).astype(np.float32),
        np.stack([target.classes for target in wanted]),
        np.stack([target.boxes for target in wanted]),
        np.stack([target.landmarks for target in wanted]),
    )


def _step(model: Any, optimizer: Any, recipe: DetectorRecipe, *, fixed: bool) -> Any:
    import tensorflow as tf

    @tf.function  # type: ignore[untyped-decorator]
    def step(images: Any, classes: Any, boxes: Any, landmarks: Any) -> Any:
        with tf.GradientTape() as tape:
            answers = model(images, training=not fixed)
            parts = _losses(tf, answers, classes, boxes, landmarks, recipe.negatives)
            loss = parts[0] + recipe.box_weight * parts[1] + recipe.landmark_weight * parts[2]
        gradients = tape.gradient(loss, model.trainable_variables)
        gradients, _ = tf.clip_by_global_norm(gradients, 10.0)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return parts

    return step


def _losses(
    tf: Any, answers: Any, classes: Any, boxes: Any, landmarks: Any, negatives: int
) -> tuple[Any, Any, Any]:
    """Class, box and landmark loss of a batch, each per anchor that has a face."""
    face = tf.cast(classes == FACE, tf.float32)
    count = tf.maximum(tf.reduce_sum(face), 1.0)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(classes == FACE, tf.int32), answers["classes"])
    # The background anchors of the whole batch that look most like faces.
    background = tf.reshape(tf.where(classes == BACKGROUND, each, tf.zeros_like(each)), [-1])
    hardest = tf.minimum(tf.cast(count * negatives, tf.int32) + 16, tf.size(background))
    hard = tf.reduce_sum(tf.math.top_k(background, hardest).values)
    class_loss = (tf.reduce_sum(each * face) + hard) / count
    return (
        class_loss,
        tf.reduce_sum(_smooth_l1(tf, answers["boxes"] - boxes) * face[..., None]) / (4 * count),
        tf.reduce_sum(_smooth_l1(tf, answers["landmarks"] - landmarks) * face[..., None]) / (10 * count),
    )


def _smooth_l1(tf: Any, difference: Any) -> Any:
    size = tf.abs(difference)
    return tf.where(size < 1, 0.5 * size * size, size - 0.5)

"""The search for small networks: trained shortly on Fashion-MNIST, measured on training images that are held out.

The test images are never looked at.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.models.datasets import fashion_mnist
from deploy.models.mobilenetv4.builder import INPUT_NAME, OUTPUT_NAME, build_network
from deploy.models.mobilenetv4.predicted import predicted_layers
from deploy.models.mobilenetv4.search_space import blocks_text, network_of, stages, widths_text
from deploy.roofline import Layer
from deploy.searching.problem import Problem
from deploy.searching.space import Description
from deploy.zoo.networks import settle

VALIDATION = 5_000
"""Images at the end of the training set that no network is trained with."""

CLASSES = len(fashion_mnist.GARMENTS)

_BATCH = 64
_BATCH_HELD_OUT = 500
_LEARNING_RATE = 0.1
_MOMENTUM = 0.9
_WARM_UP = 0.1
_SETTLE = 512
_CALIBRATION = 32


def problem(size: int = 28, samples: int = 4_000, epochs: int = 2, seed: int = 1) -> Problem:
    """What is searched.

    Raises:
        BadInputError: another size, more images than there are, or a damaged data set.
        NotInstalledError: the data set is missing.
    """
    both = stages(size)
    training = ShortTraining(size=size, samples=samples, epochs=epochs, seed=seed)
    return Problem(
        stages=both,
        build=build,
        train=training,
        training=training.text,
        calibration={INPUT_NAME: training.images[:_CALIBRATION]},
        layers=layers,
        columns=columns,
        legend="blocks: depthwise kernels before and behind the expansion; - for none, / between stages.",
    )


def build(description: Description) -> Any:
    """The ``keras.Model`` of a description."""
    network = network_of(description)
    return build_network(network, size=network.size, channels=1, classes=CLASSES)


def layers(description: Description) -> tuple[Layer, ...]:
    """The layers of a description, for the roofline."""
    network = network_of(description)
    return predicted_layers(network, size=network.size, channels=1, classes=CLASSES)


def columns(description: Description) -> dict[str, str]:
    """What tables show of a description."""
    network = network_of(description)
    return {"widths": widths_text(network), "blocks": blocks_text(network)}


class ShortTraining:
    """Trains networks, all in the same way.

    Attributes:
        images: float32 [samples, size, size, 1] in [0, 1].
        text: how it trains, for documents.

    Raises:
        BadInputError: more images than there are, or a damaged data set.
        NotInstalledError: the data set is missing.
    """

    def __init__(
        self, *, size: int, samples: int, epochs: int, seed: int, folder: Path = fashion_mnist.FOLDER
    ) -> None:
        split = fashion_mnist.load_training(folder)
        most = len(split.images) - VALIDATION
        if not 1 <= samples <= most:
            raise BadInputError(f"--samples {samples}: 1 to {most:,}; {VALIDATION:,} more measure the accuracy")
        self._epochs, self._seed = epochs, seed
        self.images, self._labels = _network_input(split.images[:samples], size), split.garments[:samples]
        self._held_out = _network_input(split.images[-VALIDATION:], size), split.garments[-VALIDATION:]
        self.text = (
            f"{epochs} epoch{'s' if epochs > 1 else ''} of training with {samples:,} Fashion-MNIST images, "
            f"seed {seed}; measured on {VALIDATION:,} others of the training set"
        )

    def __call__(self, model: Any) -> float:
        """Train a ``keras.Model`` and give the share of the images held out whose class is right.

        Batch normalization ends with the averages of training images, not with those that a short training leaves.
        """
        self._fit(model)
        settle(model, self.images[:_SETTLE])
        return self._right(model)

    def _fit(self, model: Any) -> None:
        """Nesterov's momentum with a cosine learning rate, after a tenth of the steps of warm-up.

        Not Keras' own training: to trace its optimizer, which has a dozen operators a variable
        where TensorFlow has one, takes longer than such a training (measured).
        """
        import tensorflow as tf

        variables = model.trainable_variables
        momenta = [tf.Variable(tf.zeros_like(variable.value)) for variable in variables]

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def step(images: Any, labels: Any, rate: Any) -> None:
            with tf.GradientTape() as tape:
                logits = model(images, training=True)[OUTPUT_NAME]
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            for variable, momentum, gradient in zip(variables, momenta, gradients, strict=True):
                tf.raw_ops.ResourceApplyMomentum(
                    var=variable.value.handle,
                    accum=momentum.handle,
                    lr=rate,
                    grad=gradient,
                    momentum=_MOMENTUM,
                    use_nesterov=True,
                )

        batch = min(_BATCH, len(self.images))
        batches = len(self.images) // batch
        for epoch in range(self._epochs):
            order = np.random.default_rng([self._seed, epoch]).permutation(len(self.images))
            for index in range(batches):
                chosen = order[index * batch : (index + 1) * batch]
                rate = _learning_rate((epoch * batches + index) / (self._epochs * batches))
                step(tf.constant(self.images[chosen]), tf.constant(self._labels[chosen], tf.int32), rate)

    def _right(self, model: Any) -> float:
        """Share of the images held out whose class is right."""
        images, labels = self._held_out
        right = 0
        for start in range(0, len(images), _BATCH_HELD_OUT):
            part = slice(start, start + _BATCH_HELD_OUT)
            logits = np.asarray(model(images[part], training=False)[OUTPUT_NAME])
            right += int(np.sum(logits.argmax(axis=1) == labels[part]))
        return right / len(images)


def _learning_rate(progress: float) -> NDArray[np.float32]:
    """The rate of a step: ``progress`` is 0 at the first one and 1 behind the last one. float32 []."""
    warm = min(1.0, (progress + _WARM_UP / 10) / _WARM_UP)
    return np.asarray(_LEARNING_RATE * warm * 0.5 * (1 + math.cos(math.pi * progress)), np.float32)


def _network_input(images: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    times = size // fashion_mnist.SIDE
    scaled = images.repeat(times, axis=1).repeat(times, axis=2)[..., np.newaxis]
    return scaled.astype(np.float32) / np.float32(255)

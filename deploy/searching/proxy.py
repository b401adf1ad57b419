"""How good a network is: a short training on Fashion-MNIST, measured on training images that are held out.

One thread and a fixed seed: the same network gives the same accuracy, to the last digit, on the same computer. The
test images are never looked at.
"""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.build_folder import Figure
from deploy.chatter import silenced
from deploy.errors import BadInputError
from deploy.models.datasets import fashion_mnist
from deploy.models.mobilenetv4.blocks import Network
from deploy.models.mobilenetv4.builder import OUTPUT_NAME, build_network
from deploy.quantizing.float_model import import_keras
from deploy.searching.documents import ACCURACY
from deploy.searching.oracle import CLASSES
from deploy.searching.search import Trained
from deploy.zoo.networks import keras_file, settle

VALIDATION = 5_000
"""Images at the end of the training set that no network is trained with."""

_BATCH = 64
_BATCH_HELD_OUT = 500
_LEARNING_RATE = 0.1
_MOMENTUM = 0.9
_WARM_UP = 0.1
_SETTLE = 512
_CALIBRATION = 32


class Proxy:
    """Trains networks, all in the same way.

    Args:
        size: of their input.
        samples: the first so many training images.
        epochs: passes over them.
        seed: of weights and of the order of images.
        folder: of the data set.

    Raises:
        BadInputError: more images than there are, or a damaged data set.
        NotInstalledError: TensorFlow or the data set is missing.
    """

    def __init__(
        self, *, size: int, samples: int, epochs: int, seed: int, folder: Path = fashion_mnist.FOLDER
    ) -> None:
        split = fashion_mnist.load_training(folder)
        most = len(split.images) - VALIDATION
        if not 1 <= samples <= most:
            raise BadInputError(f"--samples {samples}: 1 to {most:,}; {VALIDATION:,} more measure the accuracy")
        _use_one_thread()
        self._epochs, self._seed = epochs, seed
        self._images, self._labels = _network_input(split.images[:samples], size), split.garments[:samples]
        self._held_out = _network_input(split.images[-VALIDATION:], size), split.garments[-VALIDATION:]
        self._source = (
            f"{epochs} epoch{'s' if epochs > 1 else ''} of training with {samples:,} Fashion-MNIST images, "
            f"seed {seed}; measured on {VALIDATION:,} others of the training set"
        )

    @property
    def calibration(self) -> NDArray[np.float32]:
        """A few training images, float32 [N, size, size, 1] in [0, 1]."""
        return self._images[:_CALIBRATION]

    def __call__(self, network: Network) -> Trained:
        """Train a network.

        Batch normalization ends with the averages of training images, not with those that a short training leaves.
        """
        with silenced():
            keras = import_keras()
            keras.utils.clear_session()
            keras.utils.set_random_seed(self._seed)
            model = build_network(network, size=network.size, channels=1, classes=CLASSES)
            self._fit(model)
            settle(model, self._images[:_SETTLE])
            right = self._right(model)
            content = keras_file(model)
        accuracy = Figure(name=ACCURACY, value=right, unit="1", label="measured", source=self._source)
        return Trained(accuracy, int(model.count_params()), content)

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

        batch = min(_BATCH, len(self._images))
        batches = len(self._images) // batch
        for epoch in range(self._epochs):
            order = np.random.default_rng([self._seed, epoch]).permutation(len(self._images))
            for index in range(batches):
                chosen = order[index * batch : (index + 1) * batch]
                rate = _learning_rate((epoch * batches + index) / (self._epochs * batches))
                step(tf.constant(self._images[chosen]), tf.constant(self._labels[chosen], tf.int32), rate)

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


def _use_one_thread() -> None:
    """So that sums are added up in the same order every time."""
    with silenced():
        import_keras()
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):  # a program that used TensorFlow before has decided that
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)

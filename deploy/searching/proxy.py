"""How good a network is: a short training on Fashion-MNIST, measured on training images that are held out.

One thread and a fixed seed: the same network gives the same accuracy, to the last digit, on the same computer. The
test images are never looked at.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.build_folder import Figure
from deploy.chatter import silenced
from deploy.errors import BadInputError
from deploy.models.mobilenetv4.blocks import Network
from deploy.models.mobilenetv4.builder import OUTPUT_NAME, build_network, import_keras
from deploy.models.multihead_mobilenetv3 import fashion_mnist
from deploy.searching.documents import ACCURACY
from deploy.searching.oracle import CLASSES
from deploy.searching.search import Trained
from deploy.zoo.networks import keras_file, settle

VALIDATION = 5_000
"""Images at the end of the training set that no network is trained with."""

_BATCH = 64
_LEARNING_RATE = 4e-3
_WEIGHT_DECAY = 0.01
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
            steps = self._epochs * -(-len(self._images) // _BATCH)
            warm_up = steps // 10
            schedule = keras.optimizers.schedules.CosineDecay(
                0.0 if warm_up else _LEARNING_RATE,
                decay_steps=steps - warm_up,
                warmup_target=_LEARNING_RATE if warm_up else None,
                warmup_steps=warm_up,
            )
            model.compile(
                optimizer=keras.optimizers.AdamW(schedule, weight_decay=_WEIGHT_DECAY),
                loss={OUTPUT_NAME: keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
                jit_compile=False,
            )
            labels = {OUTPUT_NAME: self._labels}
            model.fit(self._images, labels, batch_size=_BATCH, epochs=self._epochs, verbose=0)
            settle(model, self._images[:_SETTLE])
            right = self._right(model)
            bare = keras.Model(model.input, model.output, name="mobilenetv4_search")
            content = keras_file(bare)
        accuracy = Figure(name=ACCURACY, value=right, unit="1", label="measured", source=self._source)
        return Trained(accuracy, int(bare.count_params()), content)

    def _right(self, model: Any) -> float:
        """Share of the images held out whose class is right."""
        images, labels = self._held_out
        outputs = model.predict(images, batch_size=500, verbose=0)[OUTPUT_NAME]
        return float(np.mean(outputs.argmax(axis=1) == labels))


def _network_input(images: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    scaled = images[..., np.newaxis] if size == fashion_mnist.SIDE else fashion_mnist.network_input(images)
    return scaled.astype(np.float32) / np.float32(255)


def _use_one_thread() -> None:
    """So that sums are added up in the same order every time."""
    with silenced():
        import_keras()
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):  # a program that used TensorFlow before has decided that
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)

"""Fashion-MNIST for tests that need real data, and networks trained on it until their answers mean something."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.models.datasets import fashion_mnist

NEEDED = [
    pytest.mark.slow,
    pytest.mark.tensorflow,
    pytest.mark.skipif(not fashion_mnist.FOLDER.is_dir(), reason="needs Debian's package dataset-fashion-mnist"),
]
"""Marks of a module that trains."""


def training(count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images [n, 28, 28] and their classes, to train and to calibrate with."""
    split = fashion_mnist.load_training()
    return split.images[:count], split.garments[:count].astype(np.int64)


def unseen(count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images and classes that no training has seen."""
    split = fashion_mnist.load_test()
    return split.images[:count], split.garments[:count].astype(np.int64)


def pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """[n, 28, 28, 1], 0 .. 255."""
    return images[..., None].astype(np.float32)


def train_classifier(model: Any, images: NDArray[Any], classes: NDArray[np.int64], epochs: int = 4) -> None:
    """Train a Keras model whose output are logits."""
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss)
    model.fit(images, classes, epochs=epochs, batch_size=64, verbose=0)

"""A float ``.tflite`` is quantized as well as TensorFlow's converter quantizes the Keras model that it came from.

Small networks of the kinds that these NPUs run, trained on Fashion-MNIST, which is real data (its images stand for
the spectrograms of a keyword network). They are compared over test images that neither calibration has seen.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import garments
import numpy as np
import pytest
from numpy.typing import NDArray
from quantized_runs import real_outputs

from deploy import api

pytestmark = garments.NEEDED

TRAINED_ON, CALIBRATED_WITH, COMPARED_OVER = 12_000, 200, 2_000
POINTS = 0.5
"""So many points of top-1 agreement with the float model may lie between both."""


def layers() -> Any:
    import keras

    return keras.layers


def normalized(x: Any, layer: Any) -> Any:
    return layers().ReLU(6.0)(layers().BatchNormalization()(layer(x)))


def separable(x: Any, channels: int, stride: int) -> Any:
    """As in MobileNetV1: depthwise, then pointwise."""
    x = normalized(x, layers().DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False))
    return normalized(x, layers().Conv2D(channels, 1, use_bias=False))


def inverted(x: Any, channels: int, stride: int) -> Any:
    """As in MobileNetV2: wider, depthwise, narrow without an activation, around it a sum."""
    narrow = x.shape[-1]
    inner = normalized(x, layers().Conv2D(6 * narrow, 1, use_bias=False))
    inner = normalized(inner, layers().DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False))
    inner = layers().BatchNormalization()(layers().Conv2D(channels, 1, use_bias=False)(inner))
    return layers().Add()([x, inner]) if stride == 1 and channels == narrow else inner


def classifier(x: Any) -> Any:
    return layers().Dense(10)(layers().GlobalAveragePooling2D()(x))


def mobilenet_v1(x: Any) -> Any:
    x = normalized(x, layers().Conv2D(16, 3, strides=2, padding="same", use_bias=False))
    for channels, stride in ((32, 1), (64, 2), (64, 1), (128, 2)):
        x = separable(x, channels, stride)
    return classifier(x)


def mobilenet_v2(x: Any) -> Any:
    x = normalized(x, layers().Conv2D(16, 3, strides=2, padding="same", use_bias=False))
    for channels, stride in ((16, 1), (24, 2), (24, 1), (32, 2), (32, 1)):
        x = inverted(x, channels, stride)
    return classifier(normalized(x, layers().Conv2D(128, 1, use_bias=False)))


def keywords(x: Any) -> Any:
    x = normalized(x, layers().Conv2D(48, (10, 4), strides=2, padding="same", use_bias=False))
    for _ in range(4):
        x = separable(x, 48, 1)
    return classifier(x)


def autoencoder(x: Any) -> Any:
    x = layers().Flatten()(x)
    for width in (128, 128, 8, 128, 128):
        x = layers().ReLU()(layers().BatchNormalization()(layers().Dense(width)(x)))
    return layers().Dense(784)(x)


@pytest.fixture(scope="module")
def images() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Images to train with and to compare over [n, 28, 28, 1], 0 .. 1, and the classes of the first."""
    (training, classes), (unseen, _) = garments.training(TRAINED_ON), garments.unseen(COMPARED_OVER)
    return garments.pixels(training) / 255, garments.pixels(unseen) / 255, classes


def trained(body: Callable[[Any], Any], images: NDArray[np.float32], classes: NDArray[np.int64]) -> Any:
    """A Keras model, trained for long enough that its answers mean something."""
    import keras

    keras.utils.set_random_seed(3)
    x = keras.Input((28, 28, 1), name="image")
    model = keras.Model(x, body(x))
    if body is autoencoder:
        model.compile(keras.optimizers.Adam(1e-3), "mse")
        model.fit(images, images.reshape(len(images), -1), epochs=4, batch_size=128, verbose=0)
    else:
        garments.train_classifier(model, images, classes)
    return model


@pytest.mark.parametrize("body", [mobilenet_v1, mobilenet_v2, keywords, autoencoder])
def test_a_float_file_agrees_with_itself_as_well_as_its_keras_model_converted(
    body: Callable[[Any], Any], images: tuple[NDArray[Any], ...], tmp_path: Path
) -> None:
    import tensorflow as tf

    training, compared, classes = images
    model = trained(body, training, classes)
    model.save(tmp_path / "net.keras")
    (tmp_path / "net.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    calibration = {"image": training[:CALIBRATED_WITH]}
    true = model.predict(compared, verbose=0).astype(np.float64)
    found = {
        kind: real_outputs(api.quantize(tmp_path / f"net{kind}", calibration).model, compared)
        for kind in (".keras", ".tflite")
    }
    if body is autoencoder:
        error = {kind: np.sqrt(np.square(values - true).mean()) for kind, values in found.items()}
        print(body.__name__, error)
        assert error[".keras"] < 0.2 * true.std()
        assert error[".tflite"] <= 1.05 * error[".keras"]
        return
    agreement = {kind: 100 * (values.argmax(-1) == true.argmax(-1)).mean() for kind, values in found.items()}
    print(body.__name__, agreement)
    assert agreement[".keras"] > 90
    assert agreement[".tflite"] >= agreement[".keras"] - POINTS

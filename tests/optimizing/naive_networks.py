"""Networks with attention as a newcomer builds them from Keras' own layers, untrained and quantized."""

from __future__ import annotations

import contextlib
from typing import Any
from unittest import mock

from deploy.chatter import silenced
from deploy.quantizing import dataset
from deploy.quantizing.float_model import freeze_keras, import_tensorflow
from deploy.quantizing.quantization import quantize
from deploy.tflite import Model

import_tensorflow()
import keras  # noqa: E402


def quantized(model: Any) -> Model:
    """The network with int8 inputs and outputs, calibrated with made-up images."""
    with silenced():
        frozen = freeze_keras(model, "naive", "naive")
    return quantize(frozen, dataset.random_images(frozen.inputs, 4), io="int8", compare=1).model


def cbam(size: int) -> Any:
    """Four convolutions, each with the original attention module."""
    return _network(size, _cbam)


def squeeze_and_excite(size: int) -> Any:
    """Four convolutions, each with a channel gate of dense layers."""
    return _network(size, _channel_gate)


def featherface_v2(size: int) -> Any:
    """FeatherFace V2 Ultra with all innovations, each block in the usual form instead of the zoo's."""
    from deploy.models.face_blocks import attention, heads, pyramid
    from deploy.models.face_blocks import shuffle as shuffles
    from deploy.models.featherface_v2 import innovations
    from deploy.models.featherface_v2.builder import Options, build

    usual: list[tuple[Any, dict[str, Any]]] = [
        (
            attention,
            {"channel_max": _most, "channel_mean": _mean, "global_average": _average, "global_max": _maximum},
        ),
        (innovations, {"channel_mean": _mean, "global_average": _average, "upsample": _upsample}),
        (pyramid, {"upsample": _upsample}),
        (heads, {"join": lambda parts, name: keras.layers.Concatenate(axis=1, name=name)(parts)}),
        (shuffles, {"channel_shuffle": _shuffle}),
    ]
    keras.utils.set_random_seed(1)
    with contextlib.ExitStack() as stack:
        for module, functions in usual:
            stack.enter_context(mock.patch.multiple(module, **functions))
        return build(Options(size=size, shuffle="explicit"))


def _network(size: int, attend: Any) -> Any:
    keras.utils.set_random_seed(1)
    image = x = keras.Input((size, size, 3), name="image")
    for index, channels in enumerate((16, 32, 64, 96)):
        x = keras.layers.Conv2D(channels, 3, strides=2 if index else 1, padding="same", use_bias=False)(x)
        x = attend(keras.layers.ReLU()(keras.layers.BatchNormalization()(x)))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, {"logits": keras.layers.Dense(10, name="logits")(x)})


def _cbam(x: Any) -> Any:
    channels = x.shape[-1]
    squeeze = keras.layers.Dense(max(channels // 16, 4), activation="relu")
    excite = keras.layers.Dense(channels)
    x = x * keras.ops.sigmoid(excite(squeeze(_average(x))) + excite(squeeze(_maximum(x))))
    both = keras.ops.concatenate([_mean(x), _most(x)], axis=-1)
    return x * keras.layers.Conv2D(1, 7, padding="same", activation="sigmoid")(both)


def _channel_gate(x: Any) -> Any:
    channels = x.shape[-1]
    hidden = keras.layers.Dense(channels // 4, activation="relu")(_average(x))
    return keras.layers.Multiply()([x, keras.layers.Dense(channels, activation="sigmoid")(hidden)])


def _average(x: Any) -> Any:
    return keras.layers.GlobalAveragePooling2D(keepdims=True)(x)


def _maximum(x: Any) -> Any:
    return keras.layers.GlobalMaxPooling2D(keepdims=True)(x)


def _mean(x: Any) -> Any:
    return keras.ops.mean(x, axis=-1, keepdims=True)


def _most(x: Any) -> Any:
    return keras.ops.max(x, axis=-1, keepdims=True)


def _upsample(x: Any) -> Any:
    return keras.layers.UpSampling2D(2)(x)


def _shuffle(x: Any, groups: int) -> Any:
    _, height, width, channels = x.shape
    split = keras.layers.Reshape((height, width, groups, channels // groups))(x)
    return keras.layers.Reshape((height, width, channels))(keras.layers.Permute((1, 2, 4, 3))(split))

"""Whole networks of the corpus: the well-known families with seeded weights, and streaming ones with their state.

Weights are random, so batch normalization takes its statistics from one pass over the calibration images: without
that, the signal dies out within a few layers. All end in logits; an untrained softmax says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Converter = Callable[[], bytes]
_CALIBRATION = 8


def large_networks() -> dict[str, Converter]:
    """Name -> converter."""
    return {
        "mobilenet_v1": lambda: _application("MobileNet", 224),
        "mobilenet_v2": lambda: _application("MobileNetV2", 224),
        "mobilenet_v3_small": lambda: _application("MobileNetV3Small", 224, include_preprocessing=False),
        "mobilenet_v3_large": lambda: _application("MobileNetV3Large", 224, include_preprocessing=False),
        "efficientnet_b0": lambda: _application("EfficientNetB0", 224),
        "resnet50": lambda: _application("ResNet50", 224),
        "mobilenet_v2_pruned": lambda: _application("MobileNetV2", 96, alpha=0.35, pruned=True),
        "mobilenet_v2_float_io": lambda: _application("MobileNetV2", 96, alpha=0.35, io=None),
        "mobilenet_v1_int16": lambda: _application("MobileNet", 96, alpha=0.25, bits=16),
        "streaming_wake_word": lambda: _streaming(8),
        "streaming_wake_word_int16": lambda: _streaming(16),
        "lstm_wake_word": _lstm,
        "cpu_between_elu": lambda: _cpu_between("elu"),
        "cpu_between_reverse": lambda: _cpu_between("reverse"),
        "cpu_between_space_to_depth": lambda: _cpu_between("space_to_depth"),
        "cpu_between_float_io": lambda: _cpu_between("reverse", io=None),
        "svdf_like_wake_word": lambda: _svdf(8),
    }


def two_of_four(kernel: np.ndarray) -> np.ndarray:
    """A kernel ``(height, width, inputs, outputs)`` without the smaller two of every four input channels."""
    groups = np.moveaxis(kernel, 2, -1)
    parts = groups.reshape(*groups.shape[:-1], -1, 4)
    small = np.argsort(np.abs(parts), axis=-1)[..., :2]
    kept = parts.copy()
    np.put_along_axis(kept, small, 0, axis=-1)
    return np.moveaxis(kept.reshape(groups.shape), -1, 2)


def images(size: int, count: int, channels: int = 3, seed: int = 5) -> np.ndarray:
    """Smooth random images in [-1, 1], ``(count, size, size, channels)`` float32: blobs of several sizes."""
    rng = np.random.default_rng(seed)
    result = np.zeros((count, size, size, channels), np.float32)
    for blocks in (2, 5, 14, size):
        coarse = rng.normal(0, 1, (count, blocks, blocks, channels))
        index = np.arange(size) * blocks // size
        result += coarse[:, index][:, :, index].astype(np.float32) / 2
    return np.tanh(result)


def _application(
    name: str, size: int, io: str | None = "int8", bits: int = 8, *, pruned: bool = False, **options: Any
) -> bytes:
    import keras

    keras.utils.set_random_seed(11)
    model = getattr(keras.applications, name)(
        input_shape=(size, size, 3), weights=None, classifier_activation=None, classes=100, **options
    )
    data = images(size, _CALIBRATION)
    if name == "EfficientNetB0":
        data = (data + 1) * 127.5  # it rescales and normalizes by itself
    rng = np.random.default_rng(12)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
            layer.gamma.assign(rng.uniform(0.7, 1.4, layer.gamma.shape))
            layer.beta.assign(rng.normal(0, 0.2, layer.beta.shape))
        if pruned and isinstance(layer, keras.layers.Conv2D) and layer.kernel.shape[2] % 4 == 0:
            layer.kernel.assign(two_of_four(np.asarray(layer.kernel)))
    model(data, training=True)
    return convert(lambda x: model(x, training=False), [data], io, bits)


def convert(function: Callable[..., Any], data: list[np.ndarray], io: str | None = "int8", bits: int = 8) -> bytes:
    """Convert a function of batches of one with the samples of ``data`` (one array per input) as calibration."""
    import tensorflow as tf

    signature = [tf.TensorSpec((1, *array.shape[1:]), tf.float32) for array in data]
    concrete = tf.function(function).get_concrete_function(*signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]

    def samples() -> Iterator[list[np.ndarray]]:
        for i in range(len(data[0])):
            yield [array[i : i + 1] for array in data]

    converter.representative_dataset = samples
    if bits == 16:
        ops = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        io = "int16"
    else:
        ops = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
    converter.target_spec.supported_ops = [ops]
    if io is not None:
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(io)
    content: bytes = converter.convert()
    return content


def _streaming(bits: int) -> bytes:
    """Depthwise separable convolutions over time; each keeps its last frames in a state that goes in and out."""
    import tensorflow as tf

    rng = np.random.default_rng(21)
    depth, kernel, layers = 40, 5, 3
    weights = [
        (
            rng.normal(0, 0.4, (kernel, 1, depth, 1)).astype(np.float32),
            rng.normal(0, 0.2, (1, 1, depth, depth)).astype(np.float32),
            rng.normal(0, 0.1, depth).astype(np.float32),
        )
        for _ in range(layers)
    ]
    head = rng.normal(0, 0.3, (depth, 3)).astype(np.float32)

    def step(frame: Any, *states: Any) -> Any:
        x, following = frame, []
        for (spatial, pointwise, bias), state in zip(weights, states, strict=True):
            window = tf.concat([state, x], 1)
            following.append(window[:, 1:])
            x = tf.nn.depthwise_conv2d(window, spatial, [1, 1, 1, 1], "VALID")
            x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, pointwise, 1, "VALID"), bias))
        return tf.matmul(tf.reshape(x, [1, depth]), head), *following

    frames = rng.normal(0, 1, (16, 1, 1, depth)).astype(np.float32)
    states = [np.abs(rng.normal(0, 1, (16, kernel - 1, 1, depth))).astype(np.float32) for _ in range(layers)]
    return convert(step, [frames, *states], bits=bits)


def _svdf(bits: int) -> bytes:
    """Rank-1 filters over time, written with plain operators, memory in and out."""
    import tensorflow as tf

    rng = np.random.default_rng(22)
    features, filters, memory = 40, 32, 8
    feature_weights = rng.normal(0, 0.3, (features, filters)).astype(np.float32)
    time_weights = rng.normal(0, 0.4, (1, memory, filters)).astype(np.float32)
    head = rng.normal(0, 0.3, (filters, 4)).astype(np.float32)

    def step(frame: Any, state: Any) -> Any:
        projected = tf.reshape(tf.matmul(frame, feature_weights), [1, 1, filters])
        following = tf.concat([state[:, 1:], projected], 1)
        summed = tf.reduce_sum(following * time_weights, 1)
        return tf.matmul(tf.nn.relu(summed), head), following

    frames = rng.normal(0, 1, (16, features)).astype(np.float32)
    states = rng.normal(0, 1, (16, memory, filters)).astype(np.float32)
    return convert(step, [frames, states], bits=bits)


def _cpu_between(kind: str, io: str | None = "int8") -> bytes:
    """Two convolutions around an operator that Vela leaves on the CPU, with a connection past it."""
    import tensorflow as tf

    rng = np.random.default_rng(31)
    first = rng.normal(0, 0.4, (3, 3, 4, 8)).astype(np.float32)
    depth = 32 if kind == "space_to_depth" else 8
    second = rng.normal(0, 0.4, (3, 3, depth, 6)).astype(np.float32)
    between = {
        "elu": tf.nn.elu,
        "reverse": lambda x: tf.reverse(x, [2]),
        "space_to_depth": lambda x: tf.nn.space_to_depth(x, 2),
    }[kind]

    def function(x: Any) -> Any:
        before = tf.nn.relu6(tf.nn.conv2d(x, first, 1, "SAME"))
        after = tf.nn.conv2d(between(before), second, 1, "SAME")
        return after, tf.reduce_max(before, (1, 2))

    return convert(function, [rng.normal(0, 1, (16, 12, 10, 4)).astype(np.float32)], io)


def _lstm() -> bytes:
    """A recurrent network, unrolled: TensorFlow 2.21's calibrator crashes on UNIDIRECTIONAL_SEQUENCE_LSTM."""
    import keras

    keras.utils.set_random_seed(23)
    model = keras.Sequential(
        [keras.Input((20, 16), batch_size=1), keras.layers.LSTM(24, unroll=True), keras.layers.Dense(3)]
    )
    data = np.random.default_rng(24).normal(0, 1, (16, 20, 16)).astype(np.float32)
    return convert(lambda x: model(x, training=False), [data])

"""Small networks, one per operator and variant, converted with the real converter.

Every network is a function of TensorFlow ops; calibration data and constants are random with a fixed seed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Function = Callable[..., Any]


@dataclass(frozen=True)
class Network:
    """A network to convert.

    Attributes:
        name: unique, file-name safe.
        shapes: input shapes, batch included.
        build: called with a random generator (for constants), returns the TensorFlow function.
        bits: 8 or 16: type of the activations.
        low, high: range of the calibration data.
        io: ``int8`` or ``uint8`` inputs and outputs of an 8-bit network.
    """

    name: str
    shapes: tuple[tuple[int, ...], ...]
    build: Callable[[np.random.Generator], Function]
    bits: int = 8
    low: float = -2.0
    high: float = 2.0
    io: str = "int8"

    def convert(self) -> bytes:
        """The quantized ``.tflite`` file."""
        import tensorflow as tf

        # hash() differs from run to run, crc32 does not.
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        signature = [tf.TensorSpec(shape, tf.float32) for shape in self.shapes]
        function = tf.function(self.build(rng)).get_concrete_function(*signature)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: self._samples(rng)
        if self.bits == 16:
            ops = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            io = tf.int16
        else:
            ops, io = tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.as_dtype(self.io)
        converter.target_spec.supported_ops = [ops]
        converter.inference_input_type = converter.inference_output_type = io
        model: bytes = converter.convert()
        return model

    def _samples(self, rng: np.random.Generator) -> Iterator[list[np.ndarray]]:
        for _ in range(4):
            yield [rng.uniform(self.low, self.high, shape).astype(np.float32) for shape in self.shapes]


def _constant(rng: np.random.Generator, *shape: int, scale: float = 0.5) -> np.ndarray:
    return rng.normal(0, scale, shape).astype(np.float32)


def _conv(
    kernel: tuple[int, int],
    channels: tuple[int, int],
    stride: int | tuple[int, int] = 1,
    padding: str = "SAME",
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    bias: bool = True,
    activation: str | None = None,
) -> Callable[[np.random.Generator], Function]:
    def build(rng: np.random.Generator) -> Function:
        import tensorflow as tf

        weights = _constant(rng, *kernel, channels[0] // groups, channels[1])
        offset = _constant(rng, channels[1])

        def function(x: Any) -> Any:
            y = tf.nn.conv2d(x, weights, stride, padding, dilations=dilation)
            if bias:
                y = tf.nn.bias_add(y, offset)
            return getattr(tf.nn, activation)(y) if activation else y

        return function

    return build


def _depthwise(
    kernel: tuple[int, int],
    channels: int,
    stride: int = 1,
    padding: str = "SAME",
    dilation: int = 1,
    multiplier: int = 1,
    activation: str | None = None,
) -> Callable[[np.random.Generator], Function]:
    def build(rng: np.random.Generator) -> Function:
        import tensorflow as tf

        weights = _constant(rng, *kernel, channels, multiplier)
        offset = _constant(rng, channels * multiplier)

        def function(x: Any) -> Any:
            y = tf.nn.depthwise_conv2d(x, weights, [1, stride, stride, 1], padding, dilations=[dilation, dilation])
            y = tf.nn.bias_add(y, offset)
            return getattr(tf.nn, activation)(y) if activation else y

        return function

    return build


def _transpose_conv(
    kernel: tuple[int, int],
    channels: tuple[int, int],
    size: tuple[int, int],
    stride: tuple[int, int] = (2, 2),
    padding: str = "SAME",
    bias: bool = False,
) -> Callable[[np.random.Generator], Function]:
    def build(rng: np.random.Generator) -> Function:
        import tensorflow as tf

        weights = _constant(rng, *kernel, channels[1], channels[0])
        offset = _constant(rng, channels[1])
        extent = [
            n * s if padding == "SAME" else (n - 1) * s + k for n, s, k in zip(size, stride, kernel, strict=True)
        ]

        def function(x: Any) -> Any:
            y = tf.nn.conv2d_transpose(x, weights, [1, *extent, channels[1]], list(stride), padding)
            return tf.nn.bias_add(y, offset) if bias else y

        return function

    return build


def _dense(
    channels: tuple[int, int], bias: bool = True, activation: str | None = None
) -> Callable[[np.random.Generator], Function]:
    def build(rng: np.random.Generator) -> Function:
        import tensorflow as tf

        weights, offset = _constant(rng, *channels), _constant(rng, channels[1])

        def function(x: Any) -> Any:
            y = tf.linalg.matmul(x, weights)
            if bias:
                y = tf.nn.bias_add(y, offset)
            return getattr(tf.nn, activation)(y) if activation else y

        return function

    return build


def _tf(function: Callable[..., Any]) -> Callable[[np.random.Generator], Function]:
    """A function of the tensorflow module and the inputs."""

    def build(rng: np.random.Generator) -> Function:
        import tensorflow as tf

        return lambda *inputs: function(tf, *inputs)

    return build


def _with_constant(
    shape: tuple[int, ...], function: Callable[..., Any], scale: float = 0.5
) -> Callable[[np.random.Generator], Function]:
    """A function of the tensorflow module, a random constant and the inputs."""

    def build(rng: np.random.Generator) -> Function:
        import tensorflow as tf

        constant = _constant(rng, *shape, scale=scale)
        return lambda *inputs: function(tf, constant, *inputs)

    return build


def _resize(
    method: str, size: tuple[int, int], align: bool = False, half: bool = False
) -> Callable[[np.random.Generator], Function]:
    def function(tf: Any, x: Any) -> Any:
        operator = tf.raw_ops.ResizeNearestNeighbor if method == "nearest" else tf.raw_ops.ResizeBilinear
        return operator(images=x, size=list(size), align_corners=align, half_pixel_centers=half)

    return _tf(function)


def _lstm(units: int) -> Callable[[np.random.Generator], Function]:
    """An LSTM unrolled over the second dimension of ``(1, steps, features)``."""

    def build(rng: np.random.Generator) -> Function:
        import tensorflow as tf

        offset = _constant(rng, 4 * units)
        recurrent = _constant(rng, units, 4 * units)

        def function(x: Any) -> Any:
            weights = _constant(np.random.default_rng(1), int(x.shape[2]), 4 * units)
            hidden = cell = tf.zeros((1, units))
            for step in range(int(x.shape[1])):
                gates = tf.matmul(x[:, step], weights) + tf.matmul(hidden, recurrent) + offset
                i, f, g, o = tf.split(gates, 4, 1)
                cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(g)
                hidden = tf.sigmoid(o) * tf.tanh(cell)
            return hidden

        return function

    return build


def _conv1d(kernel: int, channels: tuple[int, int], stride: int) -> Callable[[np.random.Generator], Function]:
    def build(rng: np.random.Generator) -> Function:
        import tensorflow as tf

        weights = _constant(rng, kernel, *channels)
        return lambda x: tf.nn.conv1d(x, weights, stride, "SAME")

    return build


def _layer_norm(tf: Any, x: Any) -> Any:
    centred = x - tf.reduce_mean(x, 2, keepdims=True)
    return centred * tf.math.rsqrt(tf.reduce_mean(tf.square(centred), 2, keepdims=True) + 0.01)


def _attention(tf: Any, query: Any, key: Any, value: Any) -> Any:
    return tf.matmul(tf.nn.softmax(tf.matmul(query, key, transpose_b=True) * 0.25), value)


def _channel_shuffle(tf: Any, x: Any) -> Any:
    return tf.reshape(tf.transpose(tf.reshape(x, (1, 64, 2, 8)), (0, 1, 3, 2)), (1, 8, 8, 16))


_IMAGE = (1, 8, 8, 16)
_ODD = (1, 7, 9, 5)


def _convolutions(bits: int) -> Iterator[Network]:
    def network(name: str, shape: tuple[int, ...], build: Any) -> Network:
        return Network(f"conv{name}", (shape,), build, bits)

    yield network("1x1", _IMAGE, _conv((1, 1), (16, 24)))
    yield network("1x1_deep", (1, 5, 5, 70), _conv((1, 1), (70, 50)))
    yield network("3x3", _IMAGE, _conv((3, 3), (16, 20)))
    yield network("3x3_three_channels", (1, 16, 16, 3), _conv((3, 3), (3, 8), 2))
    yield network("3x3_one_channel", (1, 12, 12, 1), _conv((3, 3), (1, 9)))
    yield network("3x3_valid", _ODD, _conv((3, 3), (5, 7), padding="VALID"))
    yield network("3x3_stride2", _ODD, _conv((3, 3), (5, 17), 2))
    yield network("3x3_stride3", (1, 13, 13, 4), _conv((3, 3), (4, 8), 3))
    yield network("3x3_stride2x1", (1, 12, 10, 4), _conv((3, 3), (4, 8), (2, 1)))
    yield network("4x4_stride4_valid", (1, 16, 16, 3), _conv((4, 4), (3, 8), 4, "VALID"))
    yield network("1x1_stride2", _IMAGE, _conv((1, 1), (16, 8), 2))
    yield network("5x5", _IMAGE, _conv((5, 5), (16, 12)))
    yield network("9x9", (1, 12, 12, 4), _conv((9, 9), (4, 6)))
    yield network("11x5_valid", (1, 14, 12, 3), _conv((11, 5), (3, 6), padding="VALID"))
    yield network("1x7", _IMAGE, _conv((1, 7), (16, 16)))
    yield network("7x1", _IMAGE, _conv((7, 1), (16, 16)))
    yield network("3x3_dilation2", (1, 10, 10, 8), _conv((3, 3), (8, 8), dilation=2))
    yield network("3x3_dilation2_valid", (1, 10, 10, 8), _conv((3, 3), (8, 8), padding="VALID", dilation=2))
    yield network("3x3_dilation3", (1, 12, 12, 8), _conv((3, 3), (8, 8), padding="VALID", dilation=3))
    yield network("5x5_dilation2", (1, 14, 14, 4), _conv((5, 5), (4, 8), dilation=2))
    yield network("3x3_groups", _IMAGE, _conv((3, 3), (16, 32), groups=4))
    yield network("no_bias", _IMAGE, _conv((3, 3), (16, 8), bias=False))
    yield network("relu", _IMAGE, _conv((3, 3), (16, 8), activation="relu"))
    yield network("relu6", _IMAGE, _conv((3, 3), (16, 8), activation="relu6"))
    yield network("many_channels", (1, 4, 4, 200), _conv((3, 3), (200, 136)))
    yield network("one_output_channel", _IMAGE, _conv((3, 3), (16, 1)))
    yield network("wide", (1, 3, 70, 8), _conv((3, 3), (8, 8)))
    yield network("tall", (1, 60, 3, 8), _conv((3, 3), (8, 8)))
    yield network("6x6_stride6_valid", (1, 24, 24, 3), _conv((6, 6), (3, 8), 6, "VALID"))
    yield network("3x3_stride5_valid", (1, 23, 23, 3), _conv((3, 3), (3, 8), 5, "VALID"))
    yield network("15x15", (1, 20, 20, 2), _conv((15, 15), (2, 4)))
    yield network("64x64_stride2", (1, 64, 64, 16), _conv((3, 3), (16, 32), 2))
    yield network("batch2", (2, 6, 6, 8), _conv((3, 3), (8, 8)))
    yield network("1d", (1, 40, 12), _conv1d(5, (12, 16), 2))


def _depthwise_networks(bits: int) -> Iterator[Network]:
    def network(name: str, shape: tuple[int, ...], build: Any) -> Network:
        return Network(f"depthwise{name}", (shape,), build, bits)

    yield network("3x3", _IMAGE, _depthwise((3, 3), 16))
    yield network("3x3_odd", _ODD, _depthwise((3, 3), 5, activation="relu6"))
    yield network("3x3_stride2", _IMAGE, _depthwise((3, 3), 16, 2))
    yield network("3x3_valid", _ODD, _depthwise((3, 3), 5, padding="VALID"))
    yield network("5x5_stride2", (1, 11, 11, 40), _depthwise((5, 5), 40, 2))
    yield network("7x7", (1, 9, 9, 24), _depthwise((7, 7), 24))
    yield network("9x9", (1, 12, 12, 8), _depthwise((9, 9), 8))
    yield network("1x5", _IMAGE, _depthwise((1, 5), 16))
    yield network("3x3_dilation2", (1, 10, 10, 8), _depthwise((3, 3), 8, dilation=2))
    yield network("one_channel_multiplier8", (1, 10, 10, 1), _depthwise((3, 3), 1, multiplier=8))
    yield network("3x3_multiplier2", _IMAGE, _depthwise((3, 3), 16, multiplier=2))
    yield network("3x3_stride3", (1, 10, 10, 8), _depthwise((3, 3), 8, 3))


def _other_weighted(bits: int) -> Iterator[Network]:
    def network(name: str, shape: tuple[int, ...], build: Any) -> Network:
        return Network(name, (shape,), build, bits)

    yield network("transpose_conv2x2", (1, 5, 6, 8), _transpose_conv((2, 2), (8, 6), (5, 6)))
    yield network("transpose_conv3x3", (1, 5, 6, 8), _transpose_conv((3, 3), (8, 6), (5, 6)))
    yield network("transpose_conv4x4_bias", (1, 4, 4, 20), _transpose_conv((4, 4), (20, 16), (4, 4), bias=True))
    yield network(
        "transpose_conv3x3_valid", (1, 5, 5, 8), _transpose_conv((3, 3), (8, 6), (5, 5), padding="VALID")
    )
    yield network(
        "transpose_conv3x3_stride1", (1, 5, 5, 8), _transpose_conv((3, 3), (8, 6), (5, 5), stride=(1, 1))
    )
    yield network("dense", (1, 40), _dense((40, 30)))
    yield network("dense_large", (1, 700), _dense((700, 65)))
    yield network("dense_rows", (6, 24), _dense((24, 10), activation="relu"))
    yield network("dense_no_bias", (1, 64), _dense((64, 8), bias=False))
    yield network("dense_3d", (1, 5, 24), _dense((24, 10)))
    yield network("dense_relu6", (1, 40), _dense((40, 12), activation="relu6"))
    yield network("lstm", (1, 4, 6), _lstm(8))
    if bits == 8:
        attention = ((1, 6, 16), (1, 6, 16), (1, 6, 16))
        yield Network("attention", attention, _tf(_attention), bits)
        yield network("layer_norm", (1, 6, 16), _tf(_layer_norm))
        yield Network(
            "batch_matmul", ((1, 6, 16), (1, 16, 10)), _tf(lambda tf, a, b: tf.linalg.matmul(a, b)), bits
        )
        yield Network(
            "batch_matmul_transposed",
            ((2, 6, 16), (2, 10, 16)),
            _tf(lambda tf, a, b: tf.linalg.matmul(a, b, transpose_b=True)),
            bits,
        )


def _poolings(bits: int) -> Iterator[Network]:
    def network(name: str, shape: tuple[int, ...], function: Callable[..., Any]) -> Network:
        return Network(name, (shape,), _tf(function), bits)

    yield network("max_pool2x2", _IMAGE, lambda tf, x: tf.nn.max_pool2d(x, 2, 2, "VALID"))
    yield network("max_pool3x3_same", _ODD, lambda tf, x: tf.nn.max_pool2d(x, 3, 2, "SAME"))
    yield network("max_pool3x3_stride1", _IMAGE, lambda tf, x: tf.nn.max_pool2d(x, 3, 1, "SAME"))
    yield network("max_pool1x4", _IMAGE, lambda tf, x: tf.nn.max_pool2d(x, (1, 4), (1, 4), "VALID"))
    yield network("avg_pool2x2", _IMAGE, lambda tf, x: tf.nn.avg_pool2d(x, 2, 2, "VALID"))
    yield network("avg_pool3x3_same", _ODD, lambda tf, x: tf.nn.avg_pool2d(x, 3, 1, "SAME"))
    yield network("avg_pool3x3_same_stride2", _IMAGE, lambda tf, x: tf.nn.avg_pool2d(x, 3, 2, "SAME"))
    yield network("avg_pool5x3_valid", _ODD, lambda tf, x: tf.nn.avg_pool2d(x, (5, 3), 1, "VALID"))
    yield network("avg_pool8x8", _IMAGE, lambda tf, x: tf.nn.avg_pool2d(x, 8, 1, "VALID"))
    yield network("mean_hw", _IMAGE, lambda tf, x: tf.reduce_mean(x, (1, 2), keepdims=True))
    yield network("mean_hw_large", (1, 40, 40, 8), lambda tf, x: tf.reduce_mean(x, (1, 2)))
    yield network("mean_h", _ODD, lambda tf, x: tf.reduce_mean(x, 1))
    yield network("mean_w", _ODD, lambda tf, x: tf.reduce_mean(x, 2, keepdims=True))
    yield network("max_pool6x6", (1, 24, 24, 5), lambda tf, x: tf.nn.max_pool2d(x, 6, 6, "VALID"))
    yield network("avg_pool5x5_stride5", (1, 25, 25, 5), lambda tf, x: tf.nn.avg_pool2d(x, 5, 5, "VALID"))
    yield network("mean_c", (1, 1, 8, 16), lambda tf, x: tf.reduce_mean(x, 3))
    yield network("mean_hwc", (1, 4, 4, 16), lambda tf, x: tf.reduce_mean(x, (1, 2, 3)))
    yield network("mean_vector", (1, 30), lambda tf, x: tf.reduce_mean(x, 1, keepdims=True))
    yield network("reduce_max_hw", _IMAGE, lambda tf, x: tf.reduce_max(x, (1, 2), keepdims=True))
    yield network("reduce_max_w", _IMAGE, lambda tf, x: tf.reduce_max(x, 2, keepdims=True))
    yield network("reduce_max_c", _IMAGE, lambda tf, x: tf.reduce_max(x, 3, keepdims=True))
    yield network("reduce_min_h", _IMAGE, lambda tf, x: tf.reduce_min(x, 1))
    yield network("sum_c", _IMAGE, lambda tf, x: tf.reduce_sum(x, 3))
    yield network("sum_h", _IMAGE, lambda tf, x: tf.reduce_sum(x, 1))
    if bits == 8:
        yield network("argmax", _IMAGE, lambda tf, x: tf.argmax(x, 3, output_type=tf.int32))


def _elementwise(bits: int) -> Iterator[Network]:
    both = (_IMAGE, _IMAGE)

    def network(name: str, shapes: tuple[tuple[int, ...], ...], build: Any, low: float = -2.0) -> Network:
        return Network(name, shapes, build, bits, low=low)

    yield network("add", both, _tf(lambda tf, a, b: a + b))
    yield network("add_self", (_IMAGE,), _tf(lambda tf, a: a + a))
    yield network("add_scales", both, _tf(lambda tf, a, b: a + b * 0.1))
    yield network("add_relu", both, _tf(lambda tf, a, b: tf.nn.relu(a + b)))
    yield network("add_constant", (_IMAGE,), _with_constant((16,), lambda tf, c, a: a + c))
    yield network("add_scalar", (_IMAGE,), _tf(lambda tf, a: a + 0.7))
    yield network("add_broadcast_h", (_IMAGE, (1, 1, 8, 16)), _tf(lambda tf, a, b: a + b))
    yield network("add_broadcast_w", (_IMAGE, (1, 8, 1, 16)), _tf(lambda tf, a, b: a + b))
    yield network("add_broadcast_c", (_IMAGE, (1, 8, 8, 1)), _tf(lambda tf, a, b: a + b))
    yield network("add_broadcast_reversed", ((1, 1, 8, 16), _IMAGE), _tf(lambda tf, a, b: a + b))
    yield network("add_broadcast_both", ((1, 8, 1, 16), (1, 1, 8, 16)), _tf(lambda tf, a, b: a + b))
    yield network("sub", both, _tf(lambda tf, a, b: a - b))
    yield network("sub_scales", both, _tf(lambda tf, a, b: a * 0.3 - b))
    yield network("sub_from_scalar", (_IMAGE,), _tf(lambda tf, a: 1.0 - a))
    yield network("sub_broadcast_reversed", ((1, 1, 1, 16), _IMAGE), _tf(lambda tf, a, b: a - b))
    yield network("mul", both, _tf(lambda tf, a, b: a * b))
    yield network("mul_scalar", (_IMAGE,), _tf(lambda tf, a: a * -0.3))
    yield network("mul_constant", (_IMAGE,), _with_constant((8, 1, 16), lambda tf, c, a: a * c))
    yield network("mul_squeeze_excite", (_IMAGE, (1, 1, 1, 16)), _tf(lambda tf, a, b: a * b))
    yield network("mul_broadcast_c", (_IMAGE, (1, 8, 8, 1)), _tf(lambda tf, a, b: a * b))
    yield network("maximum", both, _tf(lambda tf, a, b: tf.maximum(a, b)))
    yield network("minimum", both, _tf(lambda tf, a, b: tf.minimum(a, b)))
    yield network("minimum_scalar", (_IMAGE,), _tf(lambda tf, a: tf.minimum(a, 0.5)))
    yield network("abs", (_IMAGE,), _tf(lambda tf, a: tf.abs(a)))
    if bits == 8:
        yield network("neg", (_IMAGE,), _tf(lambda tf, a: -a))
        squared = _tf(lambda tf, a, b: tf.math.squared_difference(a, b))
        yield network("squared_difference", both, squared)
        yield network("divide", both, _tf(lambda tf, a, b: a / (tf.abs(b) + 1.0)))
    yield network("add_5d", ((1, 2, 3, 4, 8), (1, 2, 3, 4, 8)), _tf(lambda tf, a, b: a + b))
    yield network("add_vectors", ((1, 33), (1, 33)), _tf(lambda tf, a, b: a + b))


def _activations(bits: int) -> Iterator[Network]:
    def network(name: str, function: Callable[..., Any], low: float = -2.0, high: float = 2.0) -> Network:
        return Network(name, (_IMAGE,), _tf(function), bits, low=low, high=high)

    yield network("relu", lambda tf, x: tf.nn.relu(x))
    yield network("relu6", lambda tf, x: tf.nn.relu6(x), -8, 8)
    yield network("hard_sigmoid", lambda tf, x: tf.nn.relu6(x + 3.0) * (1 / 6), -6, 6)
    yield network("leaky_relu", lambda tf, x: tf.nn.leaky_relu(x, 0.1))
    yield network("tanh", lambda tf, x: tf.tanh(x), -4, 4)
    yield network("logistic", lambda tf, x: tf.sigmoid(x), -8, 8)
    yield network("logistic_small_scale", lambda tf, x: tf.sigmoid(x), -0.5, 0.5)
    yield network("softmax", lambda tf, x: tf.nn.softmax(x), -4, 4)
    yield network("exp", lambda tf, x: tf.exp(x))
    yield network("log", lambda tf, x: tf.math.log(x), 0.1, 4)
    if bits == 8:
        # The reference kernel refuses inputs that are not positive, which 16-bit ones can be.
        yield network("rsqrt", lambda tf, x: tf.math.rsqrt(x), 0.1, 4)
        yield network("relu_n1_to_1", lambda tf, x: tf.maximum(-1.0, tf.minimum(x, 1.0)))
        yield network("relu_0_to_1", lambda tf, x: tf.minimum(tf.maximum(x, 0.0), 1.0))
        yield Network("log_softmax", ((1, 20),), _tf(lambda tf, x: tf.nn.log_softmax(x)), bits, -5, 5)
        yield network("hard_swish", lambda tf, x: x * tf.nn.relu6(x + 3.0) * (1 / 6), -6, 6)
        yield network("gelu", lambda tf, x: tf.nn.gelu(x, approximate=False))
        yield network("gelu_approximate", lambda tf, x: tf.nn.gelu(x, approximate=True))
        yield network("swish", lambda tf, x: tf.nn.silu(x))
        yield Network(
            "prelu",
            (_IMAGE,),
            _with_constant((16,), lambda tf, c, x: tf.nn.relu(x) + (-c) * tf.nn.relu(-x)),
            bits,
        )
    yield Network("softmax_rows", ((12, 20),), _tf(lambda tf, x: tf.nn.softmax(x)), bits, -5, 5)
    yield Network("softmax_vector", ((1, 100),), _tf(lambda tf, x: tf.nn.softmax(x)), bits, -10, 10)
    yield Network("tanh_after_conv", ((1, 6, 6, 8),), _conv((3, 3), (8, 8), activation="tanh"), bits)
    yield Network("logistic_after_conv", ((1, 6, 6, 8),), _conv((3, 3), (8, 8), activation="sigmoid"), bits)


def _movements(bits: int) -> Iterator[Network]:
    both = (_IMAGE, _IMAGE)

    def network(name: str, shapes: tuple[tuple[int, ...], ...], function: Callable[..., Any]) -> Network:
        return Network(name, shapes, _tf(function), bits)

    yield network("concat_c", both, lambda tf, a, b: tf.concat([a, b], 3))
    yield network("concat_c_odd", ((1, 6, 6, 5), (1, 6, 6, 12)), lambda tf, a, b: tf.concat([a, b], 3))
    yield network("concat_h", both, lambda tf, a, b: tf.concat([a, b], 1))
    yield network("concat_w", both, lambda tf, a, b: tf.concat([a, b], 2))
    yield network("concat_rescaled", both, lambda tf, a, b: tf.concat([a, b * 0.3, a], 3))
    yield network("split", (_IMAGE,), lambda tf, x: tf.split(x, 2, 3))
    yield network("split_v", (_IMAGE,), lambda tf, x: tf.split(x, [3, 5, 8], 3))
    yield network("unpack", (_IMAGE,), lambda tf, x: tf.unstack(x, axis=1)[:3])
    yield network("pack", both, lambda tf, a, b: tf.stack([a, b], 3))
    yield network("slice", (_IMAGE,), lambda tf, x: tf.slice(x, [0, 1, 2, 3], [1, 5, 4, 9]))
    yield network("strided_slice", (_IMAGE,), lambda tf, x: x[:, 1:7:2, ::2, :])
    yield network("pad", (_IMAGE,), lambda tf, x: tf.pad(x, [[0, 0], [1, 2], [2, 0], [0, 0]]))
    yield network("pad_channels", (_IMAGE,), lambda tf, x: tf.pad(x, [[0, 0], [0, 0], [0, 0], [1, 3]]))
    if bits == 8:
        sides = [[0, 0], [1, 1], [1, 1], [0, 0]]
        yield network("pad_value", (_IMAGE,), lambda tf, x: tf.pad(x, sides, constant_values=1.5))
        yield network("space_to_depth", (_IMAGE,), lambda tf, x: tf.nn.space_to_depth(x, 2))
    yield network("gather", (_IMAGE,), lambda tf, x: tf.gather(x, [1, 3], axis=1))
    yield network("channel_shuffle", (_IMAGE,), _channel_shuffle)
    yield network("mirror_pad", (_IMAGE,), lambda tf, x: tf.pad(x, [[0, 0], [2, 1], [1, 2], [0, 0]], "REFLECT"))
    yield network(
        "mirror_pad_symmetric", (_IMAGE,), lambda tf, x: tf.pad(x, [[0, 0], [2, 1], [1, 2], [0, 0]], "SYMMETRIC")
    )
    yield network("transpose_hw", (_ODD,), lambda tf, x: tf.transpose(x, [0, 2, 1, 3]))
    yield network("transpose_wc", (_ODD,), lambda tf, x: tf.transpose(x, [0, 1, 3, 2]))
    yield network("transpose_hc", (_ODD,), lambda tf, x: tf.transpose(x, [0, 3, 2, 1]))
    yield network("transpose_chw", (_ODD,), lambda tf, x: tf.transpose(x, [0, 3, 1, 2]))
    yield network("reshape", (_IMAGE,), lambda tf, x: tf.nn.relu(tf.reshape(x, [1, 4, 16, 16])))
    yield network("expand_dims", ((1, 8, 16),), lambda tf, x: tf.nn.relu(tf.expand_dims(x, 1)))
    yield network("reverse", (_IMAGE,), lambda tf, x: tf.reverse(x, [2]))
    small = (1, 5, 6, 8)
    for method in ("nearest", "bilinear"):
        yield Network(f"resize_{method}_x2", (small,), _resize(method, (10, 12)), bits)
        yield Network(f"resize_{method}_x2_half_pixel", (small,), _resize(method, (10, 12), half=True), bits)
        yield Network(f"resize_{method}_align", (small,), _resize(method, (9, 11), align=True), bits)
        yield Network(f"resize_{method}_x4", (small,), _resize(method, (20, 24)), bits)
        yield Network(f"resize_{method}_x4_half_pixel", (small,), _resize(method, (20, 24), half=True), bits)
        yield Network(f"resize_{method}_1x1", ((1, 1, 1, 8),), _resize(method, (4, 5)), bits)


def _blocks() -> Iterator[Network]:
    def uint8_io(rng: np.random.Generator) -> Function:
        import tensorflow as tf

        first = _conv((3, 3), (3, 16), 2, activation="relu6")(rng)
        second = _depthwise((3, 3), 16, activation="relu6")(rng)
        third = _conv((1, 1), (16, 16))(rng)

        def function(x: Any) -> Any:
            x = first(x)
            y = third(second(x)) + x
            return tf.reduce_mean(y, (1, 2)), tf.nn.softmax(tf.reduce_mean(y, (1, 2)))

        return function

    yield Network("uint8_io_two_outputs", ((1, 16, 16, 3),), uint8_io, low=0, high=1, io="uint8")


def networks() -> list[Network]:
    """All networks, 8-bit first; 16-bit names end in ``_int16``."""
    found: list[Network] = []
    groups = (
        _convolutions,
        _depthwise_networks,
        _other_weighted,
        _poolings,
        _elementwise,
        _activations,
        _movements,
    )
    for bits in (8, 16):
        for group in groups:
            for network in group(bits):
                name = network.name if bits == 8 else f"{network.name}_int16"
                found.append(Network(name, network.shapes, network.build, bits, network.low, network.high))
    return found + list(_blocks())


@dataclass(frozen=True)
class KnownDifference:
    """Why an oracle and the NPU differ.

    Attributes:
        cause: in one sentence.
        max_lsb: largest difference that it explains; None where the oracle is plainly wrong.
    """

    cause: str
    max_lsb: int | None


_ROUNDS_ONCE = KnownDifference("LiteRT's fully connected kernel rounds once, the NPU twice", 1)
_REDUCED = KnownDifference("Vela gives a 16-bit fully connected layer a multiplier of 16 bits", 1)
_SUM = KnownDifference("LiteRT's reference kernel of a quantized SUM is wrong; its optimized one is right", None)


def known_difference(name: str) -> KnownDifference | None:
    """What is known about a network's difference from LiteRT's reference kernels."""
    if name.startswith("sum_"):
        return _SUM
    if name.startswith("dense"):
        return _REDUCED if name.endswith("_int16") else _ROUNDS_ONCE
    if name.startswith("lstm"):
        return KnownDifference(f"{_ROUNDS_ONCE.cause}, and what follows amplifies it", 4)
    return None

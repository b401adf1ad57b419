"""Random networks: shapes, kernels, strides, dilations, activations, value ranges (and with them scales and zero
points), as plain descriptions that a property-based test can shrink and a seed can name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .large import Converter, convert

KINDS = ("conv", "depthwise", "max_pool", "avg_pool", "add", "mul", "sub", "pad", "concat", "mean", "dense", "lut")
ACTIVATIONS = ("none", "relu", "relu6", "tanh", "sigmoid", "leaky_relu")
_TABLES = ("sigmoid", "tanh", "hard_swish", "exp", "leaky_relu")


@dataclass(frozen=True)
class Layer:
    """One layer; what a kind does not need is ignored.

    Attributes:
        kind: one of ``KINDS``.
        kernel: height and width.
        stride: height and width.
        dilation: of a convolution without stride.
        channels: of the result.
        same: SAME instead of VALID padding.
        activation: one of ``ACTIVATIONS``.
        spread: standard deviation of weights and constants; decides the scales.
    """

    kind: str
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: int = 1
    channels: int = 8
    same: bool = True
    activation: str = "none"
    spread: float = 0.5


@dataclass(frozen=True)
class RandomNetwork:
    """A chain of layers.

    Attributes:
        shape: height, width and channels of the input.
        low: smallest calibration value; with ``high`` it decides scale and zero point of the input.
        high: largest calibration value.
        layers: at least one.
        bits: 8 or 16.
        io: ``int8`` or ``uint8``.
        seed: of weights and calibration data.
    """

    shape: tuple[int, int, int]
    low: float
    high: float
    layers: tuple[Layer, ...]
    bits: int = 8
    io: str = "int8"
    seed: int = 0

    def convert(self) -> bytes:
        """The quantized ``.tflite``."""
        rng = np.random.default_rng(self.seed)
        height, width, channels = self.shape
        data = rng.uniform(self.low, self.high, (8, height, width, channels)).astype(np.float32)
        steps, size = [], (height, width, channels)
        for layer in self.layers:
            step, size = _step(layer, size, rng)
            steps.append(step)

        def function(x: Any) -> Any:
            for step in steps:
                x = step(x)
            return x

        return convert(function, [data], self.io, self.bits)


def random_network(seed: int) -> RandomNetwork:
    """The network that a seed names."""
    rng = np.random.default_rng(seed)

    def pick(*choices: Any) -> Any:
        return choices[int(rng.integers(len(choices)))]

    def layer(kind: str) -> Layer:
        return Layer(
            kind=kind,
            kernel=(int(rng.integers(1, 6)), int(rng.integers(1, 6))),
            stride=(int(rng.integers(1, 4)), int(rng.integers(1, 4))),
            dilation=pick(1, 1, 2),
            channels=int(rng.integers(1, 40)),
            same=bool(rng.integers(2)),
            # A ReLU after subtracting a large constant leaves nothing but zeros, and with them no scale.
            activation="none" if kind == "sub" else pick(*ACTIVATIONS),
            spread=float(10 ** rng.uniform(-1.5, 0.7)),
        )

    layers = tuple(layer(pick(*KINDS)) for _ in range(int(rng.integers(1, 6))))
    low = float(pick(0.0, -1.0, -3.7, -128.0, 0.25))
    return RandomNetwork(
        shape=(int(rng.integers(1, 24)), int(rng.integers(1, 24)), int(rng.integers(1, 40))),
        low=low,
        high=low + float(10 ** rng.uniform(-1, 2)),
        layers=layers,
        bits=pick(8, 8, 8, 16),
        io=pick("int8", "int8", "uint8"),
        seed=seed,
    )


def random_networks(count: int) -> dict[str, Converter]:
    """``random_0000`` and so on -> converter."""
    return {f"random_{seed:04}": random_network(seed).convert for seed in range(count)}


def _step(layer: Layer, size: tuple[int, int, int], rng: np.random.Generator) -> tuple[Any, tuple[int, int, int]]:
    """A TensorFlow function for one layer, and the size of its result."""
    import tensorflow as tf

    height, width, channels = size
    kernel = (min(layer.kernel[0], height), min(layer.kernel[1], width))
    stride = (min(layer.stride[0], height), min(layer.stride[1], width))
    padding = "SAME" if layer.same else "VALID"

    def constant(*shape: int) -> np.ndarray:
        return rng.normal(0, layer.spread, shape).astype(np.float32)

    def activated(x: Any) -> Any:
        return x if layer.activation == "none" else getattr(tf.nn, layer.activation)(x)

    def reduced(dilation: int = 1) -> tuple[int, int]:
        if layer.same:
            return -(-height // stride[0]), -(-width // stride[1])
        extent = [(k - 1) * dilation + 1 for k in kernel]
        return (height - extent[0]) // stride[0] + 1, (width - extent[1]) // stride[1] + 1

    if layer.kind in ("conv", "depthwise"):
        dilation = layer.dilation
        fits = all((k - 1) * dilation + 1 <= n for k, n in zip(kernel, (height, width), strict=True))
        if not fits or stride != (1, 1):
            dilation = 1
        rows, columns = reduced(dilation)
        if layer.kind == "conv":
            weights, bias = constant(*kernel, channels, layer.channels), constant(layer.channels)
            return (
                lambda x: activated(
                    tf.nn.bias_add(tf.nn.conv2d(x, weights, stride, padding, dilations=dilation), bias)
                ),
                (rows, columns, layer.channels),
            )
        step = min(stride)  # TensorFlow's depthwise convolution has square strides only
        if stride != (step, step):
            stride = (step, step)
            rows, columns = reduced(dilation)
        weights, bias = constant(*kernel, channels, 1), constant(channels)
        return (
            lambda x: activated(
                tf.nn.bias_add(
                    tf.nn.depthwise_conv2d(x, weights, [1, step, step, 1], padding, dilations=[dilation] * 2), bias
                )
            ),
            (rows, columns, channels),
        )
    if layer.kind in ("max_pool", "avg_pool"):
        pool = tf.nn.max_pool2d if layer.kind == "max_pool" else tf.nn.avg_pool2d
        return lambda x: activated(pool(x, kernel, stride, padding)), (*reduced(), channels)
    if layer.kind in ("add", "mul", "sub"):
        operand = constant(*(n if rng.integers(2) else 1 for n in size))
        operation = {"add": tf.add, "mul": tf.multiply, "sub": tf.subtract}[layer.kind]
        if rng.integers(2):
            return lambda x: activated(operation(operand, x)), size
        return lambda x: activated(operation(x, operand)), size
    if layer.kind == "pad":
        top, left = layer.kernel[0] - 1, layer.kernel[1] - 1
        return (
            lambda x: tf.pad(x, [[0, 0], [top, 1], [left, 0], [0, 0]]),
            (height + top + 1, width + left, channels),
        )
    if layer.kind == "concat":
        factor = np.float32(layer.spread)
        return lambda x: tf.concat([x, x * factor], 3), (height, width, 2 * channels)
    if layer.kind == "mean":
        return lambda x: tf.reduce_mean(x, (1, 2), keepdims=True), (1, 1, channels)
    if layer.kind == "dense":
        weights, bias = constant(height * width * channels, layer.channels), constant(layer.channels)
        return (
            lambda x: tf.reshape(
                activated(tf.nn.bias_add(tf.matmul(tf.reshape(x, [1, -1]), weights), bias)),
                [1, 1, 1, layer.channels],
            ),
            (1, 1, layer.channels),
        )
    table = _TABLES[int(rng.integers(len(_TABLES)))]
    if table == "hard_swish":
        return lambda x: x * tf.nn.relu6(x + 3.0) * (1 / 6), size
    if table == "exp":
        return lambda x: tf.exp(tf.tanh(x)), size  # of what cannot overflow
    return getattr(tf.nn, table), size

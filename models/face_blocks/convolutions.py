"""Convolution, batch normalization, activation: the unit that all blocks are built from.

The initial kernels keep the signal's variance through ReLU, depthwise ones included: Keras' own initializer for
these counts the channels into the fan and lets an untrained network fade to nothing, which cannot be quantized.
"""

from __future__ import annotations

import math
from typing import Any

import keras

BATCH_NORM_EPSILON = 1e-5


def convolution(
    filters: int, kernel: int, *, name: str, strides: int = 1, groups: int = 1, bias: bool = False
) -> Any:
    """A same-padded convolution without activation."""
    return keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        groups=groups,
        use_bias=bias,
        kernel_initializer="he_normal",
        name=name,
    )


def depthwise(*, name: str, strides: int = 1) -> Any:
    """A 3x3 depthwise convolution without bias and activation."""
    return keras.layers.DepthwiseConv2D(
        3,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer=keras.initializers.RandomNormal(stddev=math.sqrt(2 / 9)),
        name=name,
    )


def batch_norm(name: str) -> Any:
    """Batch normalization; the converter folds it into the convolution before it."""
    return keras.layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, name=name)


def relu(name: str) -> Any:
    """ReLU; the converter fuses it into the operator before it."""
    return keras.layers.ReLU(name=name)


def set_momentum(model: Any, momentum: float) -> None:
    """Set the momentum of every batch normalization's moving averages."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum

"""Means and maxima in the forms that an Ethos-U computes itself and computes fast.

TFLite's MEAN over channels stays on the CPU and REDUCE_MAX is an order of magnitude slower than pooling.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


def channel_mean(x: Any) -> Any:
    """Mean over channels, [N, H, W, C] to [N, H, W, 1], as a 1x1 convolution with a fixed kernel."""
    channels = x.shape[-1]
    return keras.ops.conv(x, np.full((1, 1, channels, 1), 1 / channels, np.float32))


def channel_max(x: Any) -> Any:
    """Maximum over channels, [N, H, W, C] to [N, H, W, 1], as a tree of elementwise maxima."""
    while (channels := x.shape[-1]) > 1:
        half = (channels + 1) // 2
        x = keras.ops.maximum(x[..., :half], x[..., channels - half :])
    return x


def global_average(x: Any) -> Any:
    """Mean over all positions, [N, H, W, C] to [N, 1, 1, C]: columns first, then what is left of the rows."""
    return _pool(keras.layers.AveragePooling2D, x)


def global_max(x: Any) -> Any:
    """Maximum over all positions, [N, H, W, C] to [N, 1, 1, C]: columns first, then what is left of the rows."""
    return _pool(keras.layers.MaxPooling2D, x)


def _pool(pool: Any, x: Any) -> Any:
    """Pool in two steps.

    One pool over the whole map computes a single position, which leaves units of the NPU idle: 80x80x74 costs
    308,000 cycles on a U55-128, two pools 134,000. (Windows with a stride above 3 would become one operator each.)
    """
    height, width = x.shape[1:3]
    return pool((1, width), strides=1)(pool((height, 1), strides=1)(x))

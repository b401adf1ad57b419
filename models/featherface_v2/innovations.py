"""The five additions of the network: exchange between levels that needs next to no parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from deploy.models.face_blocks.backbone import Features
from deploy.models.face_blocks.inlined import Inlined
from deploy.models.face_blocks.pyramid import upsample
from deploy.models.face_blocks.reductions import channel_mean, global_average

Attention = Callable[[Any, str], Any]
"""Applies attention to a map: (map, level name) -> map."""


def halve(x: Any) -> Any:
    """Average pool of 2x2: half the height and width."""
    return keras.layers.AveragePooling2D(2)(x)


def smart_feature_reuse(features: Features, attention: Attention) -> Features:
    """The finest and the coarsest level take over the attended middle one and each other, resampled."""
    p3, p4, p5 = features
    middle = attention(p4, "p4")
    return Features(
        keras.ops.add(p3, upsample(keras.ops.add(middle, upsample(p5)))),
        p4,
        keras.ops.add(p5, halve(keras.ops.add(middle, halve(p3)))),
    )


def attention_multiplication(features: Features, attention: Attention, times: int) -> Features:
    """Attention again and again on every level."""
    attended = []
    for level, x in zip(Features._fields, features, strict=True):
        out = x
        for _ in range(times):
            out = attention(out, level)
        attended.append(out)
    return Features(*attended)


def progressive_enhancement(features: Features) -> Features:
    """Each level adds what the finer levels became, from fine to coarse.

    The finest one adds the strongest of its neighbours.
    """
    p3, p4, p5 = features
    p3 = keras.ops.add(p3, keras.layers.MaxPooling2D(3, strides=1, padding="same")(p3))
    finest = halve(p3)
    p4 = keras.ops.add(p4, finest)
    return Features(p3, p4, keras.ops.add(p5, halve(keras.ops.add(p4, finest))))


def multi_scale_intelligence(features: Features) -> Features:
    """Every level adds a fusion of all, weighted by how strong each is.

    The weights are the softmax over the levels of their mean over positions and channels.
    """
    p3, p4, p5 = features
    importance = keras.ops.softmax(keras.ops.concatenate([_strength(x) for x in features], axis=-1))
    weighted = [keras.ops.multiply(x, importance[..., i : i + 1]) for i, x in enumerate((halve(p3), p4, p5))]
    fused = keras.ops.add(keras.ops.add(weighted[0], weighted[1]), upsample(weighted[2]))
    return Features(keras.ops.add(p3, upsample(fused)), keras.ops.add(p4, fused), keras.ops.add(p5, halve(fused)))


def _strength(x: Any) -> Any:
    """Mean over positions and channels, [N, H, W, C] to [N, 1, 1, 1]."""
    return channel_mean(global_average(x))


class DynamicWeightSharing(Inlined):
    """Neighbouring levels share features as far as they resemble each other.

    Similarity is the product of their global averages, channel by channel; a learned scale and offset a channel
    and a sigmoid make it the share taken over. Always on: a branch on data would not run on the NPU.

    Args:
        channels: of the levels; two parameters each.
    """

    def __init__(self, channels: int, *, name: str = "sharing") -> None:
        super().__init__(name=name)
        self.threshold = keras.layers.DepthwiseConv2D(1, depthwise_initializer="ones", name=f"{name}_threshold")

    def call(self, features: Features) -> Features:
        """Three levels to three levels."""
        p3, p4, p5 = features
        means = [global_average(x) for x in features]
        fine, coarse = (
            keras.ops.sigmoid(self.threshold(keras.ops.multiply(means[i], means[i + 1]))) for i in (0, 1)
        )
        return Features(
            keras.ops.add(p3, upsample(keras.ops.multiply(p4, fine))),
            keras.ops.add(p4, upsample(keras.ops.multiply(p5, coarse))),
            p5,
        )

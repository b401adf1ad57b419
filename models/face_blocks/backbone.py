"""MobileNetV1 at a quarter of its width, for detectors: 213,072 parameters, features of three strides."""

from __future__ import annotations

from typing import Any, NamedTuple

from deploy.models.face_blocks.convolutions import batch_norm, convolution, depthwise, relu

BACKBONE_CHANNELS = (64, 128, 256)
"""Channels of the three feature maps."""

# Output channels and stride of each depthwise separable block, by stage.
_STAGES = (
    ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1)),
    ((128, 2), (128, 1), (128, 1), (128, 1), (128, 1), (128, 1)),
    ((256, 2), (256, 1)),
)


class Features(NamedTuple):
    """Feature maps of strides 8, 16 and 32, each [N, size/stride, size/stride, channels]."""

    p3: Any
    p4: Any
    p5: Any


def mobilenet_v1_quarter(image: Any) -> Features:
    """The backbone.

    Args:
        image: [N, size, size, 3], size a multiple of 32.

    Returns:
        Feature maps with 64, 128 and 256 channels.
    """
    x = convolution(8, 3, strides=2, name="backbone_stem")(image)
    x = relu("backbone_stem_relu")(batch_norm("backbone_stem_bn")(x))
    features = []
    for stage, blocks in enumerate(_STAGES, start=1):
        for block, (channels, strides) in enumerate(blocks):
            x = _separable(x, channels, strides, f"backbone_{stage}_{block}")
        features.append(x)
    return Features(*features)


def _separable(x: Any, channels: int, strides: int, name: str) -> Any:
    x = depthwise(strides=strides, name=f"{name}_depthwise")(x)
    x = relu(f"{name}_depthwise_relu")(batch_norm(f"{name}_depthwise_bn")(x))
    x = convolution(channels, 1, name=f"{name}_pointwise")(x)
    return relu(f"{name}_pointwise_relu")(batch_norm(f"{name}_pointwise_bn")(x))

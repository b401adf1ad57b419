"""Channel shuffle: lets groups of channels exchange information."""

from __future__ import annotations

from typing import Any

import keras

from deploy.models.face_blocks.convolutions import batch_norm, convolution, depthwise, relu
from deploy.models.face_blocks.inlined import Inlined


def channel_shuffle(x: Any, groups: int) -> Any:
    """Transpose the channels seen as [groups, C / groups]: [N, H, W, C] to the same shape.

    Written with tensors of rank 4: a transpose of rank 5 would stay on the CPU.
    """
    _, height, width, channels = x.shape
    split = keras.layers.Reshape((height * width, groups, channels // groups))(x)
    return keras.layers.Reshape((height, width, channels))(keras.layers.Permute((1, 3, 2))(split))


class ShuffleUnit(Inlined):
    """What follows the channel shuffle: 1x1 to half the channels, depthwise 3x3, 1x1 back, ReLU.

    Batch normalization behind every convolution. 4,640 parameters for 64 channels. The shuffle itself is not in
    it: the first convolution takes its input channels in any order.
    """

    def __init__(self, channels: int, *, name: str) -> None:
        super().__init__(name=name)
        self.convs = (
            convolution(channels // 2, 1, name=f"{name}_squeeze"),
            depthwise(name=f"{name}_depthwise"),
            convolution(channels, 1, name=f"{name}_expand"),
        )
        self.norms = tuple(batch_norm(f"{conv.name}_bn") for conv in self.convs)
        self.activation = relu(f"{name}_relu")

    def call(self, x: Any) -> Any:
        """[N, H, W, channels] to the same shape."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(conv(x))
        return self.activation(x)

"""Channel shuffle: lets groups of channels exchange information without parameters."""

from __future__ import annotations

from typing import Any

import keras


def channel_shuffle(x: Any, groups: int) -> Any:
    """Transpose the channels seen as [groups, C / groups]: [N, H, W, C] to the same shape.

    Written with tensors of rank 4: a transpose of rank 5 would stay on the CPU.

    Args:
        x: C a multiple of ``groups``.
        groups: of neighbouring channels that come apart.
    """
    _, height, width, channels = x.shape
    split = keras.layers.Reshape((height * width, groups, channels // groups))(x)
    return keras.layers.Reshape((height, width, channels))(keras.layers.Permute((1, 3, 2))(split))

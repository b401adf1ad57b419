"""A factor per channel (layer scale)."""

from __future__ import annotations

from typing import Any


def layer_scale(keras: Any, x: Any, name: str, initial: float) -> Any:
    """Multiply each channel by a trained factor.

    Args:
        keras: the keras package.
        x: float [N, H, W, C].
        name: of the layer.
        initial: value of the factors before training.

    Returns:
        float [N, H, W, C].
    """
    return keras.layers.EinsumDense(
        "abcd,d->abcd",
        (x.shape[1], x.shape[2], x.shape[3]),
        name=name,
        kernel_initializer=keras.initializers.Constant(initial),
    )(x)

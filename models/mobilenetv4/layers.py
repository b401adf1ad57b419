"""The layer that Keras does not have: a factor per channel."""

from __future__ import annotations

import functools
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
    return layer_scale_class()(initial, name=name)(x)


@functools.cache
def layer_scale_class() -> Any:
    """The Keras layer class ``LayerScale``; made on the first call, because importing Keras takes seconds."""
    import keras

    @keras.saving.register_keras_serializable(package="deploy")
    class LayerScale(keras.layers.Layer):  # type: ignore[misc]
        """y = x * factor, a trained factor per channel. The converter folds it into the convolution before."""

        def __init__(self, initial: float = 1e-5, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.initial = initial

        def build(self, shape: tuple[int | None, ...]) -> None:
            self.factor = self.add_weight(
                shape=(shape[-1],), initializer=keras.initializers.Constant(self.initial), name="factor"
            )

        def call(self, x: Any) -> Any:
            return x * self.factor

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "initial": self.initial}

    return LayerScale

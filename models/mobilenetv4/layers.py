"""The layer that Keras does not have. Its class is made on first use: Keras takes seconds to load."""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def layer_scale_class() -> Any:
    """``LayerScale(initial)``: multiplies each channel by a trained factor, [N, H, W, C] to [N, H, W, C].

    The converter folds it into the convolution before it: it costs nothing on the NPU. It is registered with
    Keras, so that a ``.keras`` file with it can be loaded once this function was called.
    """
    import keras

    @keras.saving.register_keras_serializable(package="deploy")
    class LayerScale(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, initial: float = 1e-5, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.initial = initial

        def build(self, shape: tuple[int | None, ...]) -> None:
            start = keras.initializers.Constant(self.initial)
            self.factor = self.add_weight(shape=(shape[-1],), initializer=start, name="factor")

        def call(self, x: Any) -> Any:
            return x * self.factor

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "initial": self.initial}

    return LayerScale

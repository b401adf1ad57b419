"""The two layers that Keras does not have; their classes are made on first use: Keras takes seconds to load.

Both are registered with Keras, so that a ``.keras`` file with them can be loaded once this module's classes exist.
"""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def layer_scale_class() -> Any:
    """``LayerScale(initial)``: multiplies each channel by a trained factor, [N, H, W, C] to [N, H, W, C].

    The converter folds it into the convolution before it: it costs nothing on the NPU.
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


@functools.cache
def normalization_class() -> Any:
    """``Normalization()``: batch normalization that no convolution stands before, [N, H, W, C] to [N, H, W, C].

    In training it is Keras' own. In inference it is written as a 1x1 depthwise convolution with bias: one operator
    where the converter would make a multiplication and an addition, and for 16x16x160 on U55-128 31 k instead of
    273 k cycles (estimated by Vela).
    """
    import keras

    @keras.saving.register_keras_serializable(package="deploy")
    class Normalization(keras.layers.BatchNormalization):  # type: ignore[misc]
        def call(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
            if training:
                return super().call(x, training=training, mask=mask)
            factor = self.gamma / keras.ops.sqrt(self.moving_variance + self.epsilon)
            y = keras.ops.depthwise_conv(x, keras.ops.reshape(factor, (1, 1, -1, 1)))
            return y + (self.beta - self.moving_mean * factor)

    return Normalization

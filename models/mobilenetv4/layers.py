"""The layer that Keras does not have.

Importing this takes Keras, which takes seconds to load: the builder does it where a network needs the layer, and
reading a ``.keras`` file does it before Keras looks for the layers in it.
"""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="deploy.mobilenetv4")
class LayerScale(keras.layers.Layer):  # type: ignore[misc]
    """Multiplies each channel by a trained factor, [N, H, W, C] to [N, H, W, C].

    The converter folds it into the convolution before it: it costs nothing on the NPU.
    """

    def __init__(self, initial: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the factors, one a channel."""
        start = keras.initializers.Constant(self.initial)
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer=start, name="factor")

    def call(self, x: Any) -> Any:
        """Scale."""
        return x * self.factor

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to build the layer again."""
        return {**super().get_config(), "initial": self.initial}

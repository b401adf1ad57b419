"""A layer made of other layers that leaves only those in a functional model."""

from __future__ import annotations

from typing import Any

import keras


class Inlined(keras.layers.Layer):  # type: ignore[misc]
    """Base of the composite layers here.

    Called with tensors it is a Keras layer like any other. Called while a functional model is built it puts its
    parts into the model instead of itself: a model of Keras' own layers can be saved and loaded anywhere, and
    Vela's reports name each part. A layer's name is the prefix of its parts' names.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute, or add the parts to a functional model."""
        if any(isinstance(item, keras.KerasTensor) for item in keras.tree.flatten([args, kwargs])):
            return self.call(*args, **kwargs)
        return super().__call__(*args, **kwargs)

    def build(self, input_shape: Any) -> None:
        """Nothing: each part builds itself when it is called."""

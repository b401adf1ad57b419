"""Counts parameters as the architecture documents do."""

from __future__ import annotations

from typing import Any


def trainable_parameters(layer: Any) -> int:
    """Parameters as the architecture documents count them.

    The moving averages of batch normalization and fixed kernels are not among them.
    """
    return sum(int(weight.value.shape.num_elements()) for weight in layer.trainable_weights)

"""Detection heads: class, box and landmark numbers for every anchor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras

from deploy.models.face_blocks.convolutions import batch_norm, convolution, relu
from deploy.models.face_blocks.inlined import Inlined

NUMBERS = {"classes": 2, "boxes": 4, "landmarks": 10}
"""Output -> numbers an anchor: background and face logits, box, five points."""


class SharedMultiHead(Inlined):
    """Class, box and landmark convolutions (1x1) in one module.

    3,120 parameters with bias, 3,072 without, for 64 channels and 3 anchors.
    """

    def __init__(
        self, in_channels: int, num_anchors: int = 2, *, use_bias: bool = True, name: str = "shared_multi_head"
    ) -> None:
        super().__init__(name=name)
        self.in_channels, self.num_anchors = in_channels, num_anchors
        self.convs = {
            output: convolution(num_anchors * numbers, 1, bias=use_bias, name=f"{name}_{output}")
            for output, numbers in NUMBERS.items()
        }

    def call(self, features: Any) -> tuple[Any, Any, Any]:
        """Apply all three to [N, H, W, in_channels].

        Returns:
            Class logits [N, H*W*anchors, 2], boxes [.., 4], landmarks [.., 10]: by row, column, anchor.
        """
        positions = features.shape[1] * features.shape[2]
        classes, boxes, landmarks = (
            keras.layers.Reshape((positions * self.num_anchors, numbers))(self.convs[output](features))
            for output, numbers in NUMBERS.items()
        )
        return classes, boxes, landmarks


class TrunkedHead(Inlined):
    """A 3x3 convolution to half the channels (batch normalization, ReLU), then the heads."""

    def __init__(self, in_channels: int, num_anchors: int = 2, *, name: str) -> None:
        super().__init__(name=name)
        self.trunk = convolution(in_channels // 2, 3, name=f"{name}_trunk")
        self.norm = batch_norm(f"{name}_trunk_bn")
        self.activation = relu(f"{name}_trunk_relu")
        self.head = SharedMultiHead(in_channels // 2, num_anchors, name=name)

    def call(self, features: Any) -> tuple[Any, Any, Any]:
        """[N, H, W, in_channels] to the outputs of :class:`SharedMultiHead`."""
        outputs: tuple[Any, Any, Any] = self.head(self.activation(self.norm(self.trunk(features))))
        return outputs


def gather(levels: Sequence[tuple[Any, Any, Any]]) -> dict[str, Any]:
    """Outputs of all levels behind each other.

    Returns:
        ``classes`` [N, A, 2], ``boxes`` [N, A, 4], ``landmarks`` [N, A, 10]: by level, row, column, anchor.
    """
    return {output: join([level[index] for level in levels], output) for index, output in enumerate(NUMBERS)}


def join(parts: Sequence[Any], name: str) -> Any:
    """Concatenate [N, A, n] along the anchors.

    Rows of 16 numbers are copied up to four times faster than those of an anchor, which has two to ten.
    """
    numbers = parts[0].shape[-1]
    row = math.gcd(_ROW, *(part.shape[1] * numbers for part in parts))
    rows = [keras.layers.Reshape((part.shape[1] * numbers // row, row))(part) for part in parts]
    anchors = sum(part.shape[1] for part in parts)
    return keras.layers.Reshape((anchors, numbers), name=name)(keras.layers.Concatenate(axis=1)(rows))


_ROW = 16

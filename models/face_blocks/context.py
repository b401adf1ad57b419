"""Context modules: widen what each position sees before the heads."""

from __future__ import annotations

from typing import Any

import keras

from deploy.models.face_blocks.convolutions import batch_norm, convolution, relu
from deploy.models.face_blocks.inlined import Inlined


class ConvContext(Inlined):
    """3x3 convolution, batch normalization, ReLU.

    Args:
        channels: of input and output.
        name: prefix of the parts' names.
    """

    def __init__(self, channels: int, *, name: str) -> None:
        super().__init__(name=name)
        self.conv = convolution(channels, 3, name=f"{name}_conv")
        self.norm = batch_norm(f"{name}_bn")
        self.activation = relu(f"{name}_relu")

    def call(self, x: Any) -> Any:
        """[N, H, W, channels] to the same shape."""
        return self.activation(self.norm(self.conv(x)))


class SSH(Inlined):
    """Single-stage headless context: 3x3, 5x5 and 7x7 views, the larger ones as stacks of 3x3 convolutions.

    Half of the output channels see 3x3, a quarter 5x5, a quarter 7x7.

    Args:
        channels: of input and output, a multiple of 4.
        groups: of every convolution.
        name: prefix of the parts' names.
    """

    def __init__(self, channels: int, groups: int = 1, *, name: str) -> None:
        super().__init__(name=name)
        widths = {"3": channels // 2, "5_1": channels // 4, "5_2": channels // 4}
        widths |= {"7_2": channels // 4, "7_3": channels // 4}
        self.convs = {
            part: convolution(width, 3, groups=groups, name=f"{name}_{part}") for part, width in widths.items()
        }
        self.norms = {part: batch_norm(f"{name}_{part}_bn") for part in widths}

    def call(self, x: Any) -> Any:
        """[N, H, W, channels] to the same shape."""
        half = self._part("5_1", x, activate=True)
        seven = self._part("7_3", self._part("7_2", half, activate=True))
        views = [self._part("3", x), self._part("5_2", half), seven]
        return relu(f"{self.name}_relu")(keras.ops.concatenate(views, axis=-1))

    def _part(self, part: str, x: Any, *, activate: bool = False) -> Any:
        x = self.norms[part](self.convs[part](x))
        return relu(f"{self.name}_{part}_relu")(x) if activate else x

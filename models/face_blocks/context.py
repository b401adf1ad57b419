"""Context modules: widen what each position sees before the heads."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from deploy.models.face_blocks.convolutions import batch_norm, convolution, relu
from deploy.models.face_blocks.inlined import Inlined


class ConvContext(Inlined):
    """3x3 convolution, batch normalization, ReLU."""

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
        groups: of every convolution; deformable ones have none.
        deformable: every convolution is a :class:`DeformableConv`.
    """

    def __init__(self, channels: int, groups: int = 1, *, deformable: bool = False, name: str) -> None:
        super().__init__(name=name)
        widths = {"3": channels // 2, "5_1": channels // 4, "5_2": channels // 4}
        widths |= {"7_2": channels // 4, "7_3": channels // 4}
        self.convs = {
            part: DeformableConv(width, name=f"{name}_{part}")
            if deformable
            else convolution(width, 3, groups=groups, name=f"{name}_{part}")
            for part, width in widths.items()
        }
        self.norms = {part: batch_norm(f"{name}_{part}_bn") for part in widths}

    def call(self, x: Any) -> Any:
        """[N, H, W, channels] to the same shape."""
        # ReLU in every part, not once behind the concatenation: there it is free, fused into the convolution.
        half = self._part("5_1", x)
        seven = self._part("7_3", self._part("7_2", half))
        return keras.ops.concatenate([self._part("3", x), self._part("5_2", half), seven], axis=-1)

    def _part(self, part: str, x: Any) -> Any:
        return relu(f"{self.name}_{part}_relu")(self.norms[part](self.convs[part](x)))


class DeformableConv(Inlined):
    """3x3 deformable convolution with modulation.

    Each of the nine taps reads where its offset points, by bilinear interpolation, and is scaled by its mask; a
    3x3 convolution computes offsets (through tanh: at most one position in each direction) and masks (sigmoid).
    That bound makes it a sum over fixed shifts instead of a gather, which no NPU operator does::

        sample(tap, p) = sum over d in {-1, 0, 1}^2 of weight(offset(tap, p), d) * x(p + tap + d)
        weight(o, d) = relu(1 - |o.y - d.y|) * relu(1 - |o.x - d.x|)

    The nine products of a tap are added by a fixed depthwise convolution, exactly and an order of magnitude
    faster than by elementwise additions.
    """

    def __init__(self, channels: int, *, name: str) -> None:
        super().__init__(name=name)
        self.steer = keras.layers.Conv2D(
            3 * _TAPS,
            3,
            padding="same",
            # Close to no offsets at first, but not none: a constant cannot be quantized.
            kernel_initializer=keras.initializers.VarianceScaling(0.1),
            name=f"{name}_steer",
        )
        self.conv = keras.layers.Conv2D(
            channels,
            (_TAPS, 1),
            use_bias=False,
            # 2 for ReLU, 4 because an untrained mask is one half.
            kernel_initializer=keras.initializers.VarianceScaling(8.0),
            name=f"{name}_conv",
        )

    def call(self, x: Any) -> Any:
        """[N, H, W, any] to [N, H, W, channels]."""
        steering = self.steer(x)
        offsets = keras.ops.tanh(steering[..., : 2 * _TAPS])
        masks = keras.ops.sigmoid(steering[..., 2 * _TAPS :])
        return self.convolve(x, offsets, masks)

    def convolve(self, x: Any, offsets: Any, masks: Any) -> Any:
        """The same with offsets and masks that are given.

        Args:
            x: [N, H, W, C].
            offsets: [N, H, W, 18] in [-1, 1]: rows of the nine taps (by row, column), then their columns.
            masks: [N, H, W, 9].

        Returns:
            [N, H, W, channels].
        """
        _, height, width, channels = x.shape
        rows = _shares(offsets[..., :_TAPS])
        columns = [keras.ops.multiply(share, masks) for share in _shares(offsets[..., _TAPS:])]
        weights = [keras.ops.multiply(row, column) for row in rows for column in columns]
        # Two positions of zeros around the map: one for the tap, one for its offset.
        padded = keras.layers.ZeroPadding2D(2)(x)
        samples = []
        for tap in range(_TAPS):
            products = []
            for shift in range(_TAPS):
                top, left = tap // 3 + shift // 3, tap % 3 + shift % 3
                seen = padded[:, top : top + height, left : left + width, :]
                products.append(keras.ops.multiply(seen, weights[shift][..., tap : tap + 1]))
            stacked = keras.layers.Concatenate(axis=1)(products)
            samples.append(add_up(keras.layers.Reshape((_TAPS, height * width, channels))(stacked)))
        mixed = self.conv(keras.layers.Concatenate(axis=1)(samples))
        return keras.layers.Reshape((height, width, mixed.shape[-1]))(mixed)


class DeformableContext(DeformableConv):
    """3x3 deformable convolution, batch normalization, ReLU."""

    def __init__(self, channels: int, *, name: str) -> None:
        super().__init__(channels, name=name)
        self.norm = batch_norm(f"{name}_bn")
        self.activation = relu(f"{name}_relu")

    def call(self, x: Any) -> Any:
        """[N, H, W, channels] to the same shape."""
        return self.activation(self.norm(super().call(x)))


_TAPS = 9


def add_up(x: Any) -> Any:
    """Sum over the second axis, [N, 9, W, C] to [N, 1, W, C], as a depthwise convolution with a kernel of ones."""
    return keras.ops.depthwise_conv(x, np.ones((_TAPS, 1, x.shape[-1], 1), np.float32), padding="valid")


def _shares(offset: Any) -> list[Any]:
    """How much of the positions -1, 0 and 1 an offset in [-1, 1] takes: relu(1 - |offset - position|)."""
    after = keras.ops.relu(offset)
    before = keras.ops.subtract(after, offset)
    return [before, 1.0 - keras.ops.add(before, after), after]

"""Convolutional block attention: what to look at (channels), then where (positions).

``CBAM`` is the original module, ``CBAM_Plus`` the lighter one, ``SharedCBAMManager`` shares gates between several.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from deploy.models.face_blocks.convolutions import batch_norm, convolution
from deploy.models.face_blocks.inlined import Inlined
from deploy.models.face_blocks.reductions import channel_max, channel_mean, global_average, global_max

_KERNEL = 7
_LEAST_HIDDEN = 4


class ChannelGate(Inlined):
    """How much of each channel to keep.

    Global average and global maximum pass the same two 1x1 convolutions; the sigmoid of their sum is the gate.
    The second convolution is linear, so it runs once, on the sum.
    """

    def __init__(self, channels: int, hidden: int, *, bias: bool, name: str) -> None:
        super().__init__(name=name)
        self.squeeze = convolution(hidden, 1, bias=bias, name=f"{name}_squeeze")
        self.excite = convolution(channels, 1, bias=bias, name=f"{name}_excite")

    def call(self, x: Any) -> Any:
        """[N, H, W, C] to a gate [N, 1, 1, C] between 0 and 1."""
        average = keras.ops.relu(self.squeeze(global_average(x)))
        maximum = keras.ops.relu(self.squeeze(global_max(x)))
        return keras.ops.sigmoid(self.excite(keras.ops.add(average, maximum)))


class SpatialGate(Inlined):
    """How much of each position to keep: a 7x7 convolution over the channels' mean and maximum.

    98 weights and 2 of batch normalization, whatever the number of channels.
    """

    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)
        self.mix = convolution(1, _KERNEL, name=f"{name}_mix")
        self.norm = batch_norm(f"{name}_bn")

    def call(self, x: Any) -> Any:
        """[N, H, W, C] to a gate [N, H, W, 1] between 0 and 1."""
        both = keras.ops.concatenate([channel_mean(x), channel_max(x)], axis=-1)
        return keras.ops.sigmoid(self.norm(self.mix(both)))


def attend(x: Any, channel_gate: ChannelGate, spatial_gate: SpatialGate) -> Any:
    """Weight channels, then positions of what that gives: [N, H, W, C] to the same shape."""
    x = keras.ops.multiply(x, channel_gate(x))
    return keras.ops.multiply(x, spatial_gate(x))


class CBAM(Inlined):
    """The original module: hidden layer of ``channels // reduction_ratio``, with bias.

    680 parameters for 64 channels and reduction 16.
    """

    def __init__(self, channels: int, reduction_ratio: int = 16, *, name: str = "cbam") -> None:
        super().__init__(name=name)
        hidden = max(channels // reduction_ratio, 1)
        self.channel_gate = ChannelGate(channels, hidden, bias=True, name=f"{name}_channel")
        self.spatial_gate = SpatialGate(name=f"{name}_spatial")

    def call(self, x: Any) -> Any:
        """[N, H, W, channels] to the same shape."""
        return attend(x, self.channel_gate, self.spatial_gate)


class CBAM_Plus(Inlined):  # noqa: N801 - the documented name
    """The lighter module: hidden layer of ``channels // reduction_ratio`` but at least 4, without bias.

    612 parameters for 64 channels and reduction 32. One that shares weights has no gates of its own: each call
    brings them.
    """

    def __init__(
        self, channels: int, reduction_ratio: int = 32, share_weights: bool = False, *, name: str = "cbam_plus"
    ) -> None:
        super().__init__(name=name)
        self.share_weights = share_weights
        if not share_weights:
            self.channel_gate = light_channel_gate(channels, reduction_ratio, name=f"{name}_channel")
            self.spatial_gate = SpatialGate(name=f"{name}_spatial")

    def call(
        self,
        x: Any,
        shared_channel_gate: ChannelGate | None = None,
        shared_spatial_gate: SpatialGate | None = None,
    ) -> Any:
        """[N, H, W, channels] to the same shape; gates given here take the place of its own.

        Raises:
            ValueError: it shares weights, and a gate is missing.
        """
        if self.share_weights and (shared_channel_gate is None or shared_spatial_gate is None):
            raise ValueError(f"{self.name} shares weights: pass shared_channel_gate and shared_spatial_gate")
        return attend(
            x,
            shared_channel_gate if shared_channel_gate is not None else self.channel_gate,
            shared_spatial_gate if shared_spatial_gate is not None else self.spatial_gate,
        )


class SharedCBAMManager(Inlined):
    """Gates shared by several attention modules: one spatial gate for all, one channel gate per width.

    Args:
        channel_configs: module name -> channels.
        reduction_ratio: of the hidden layers, at least 4 channels each.
        share_channel_gates: modules of equal width share their channel gate; False gives each its own.
    """

    def __init__(
        self,
        channel_configs: Mapping[str, int],
        reduction_ratio: int = 32,
        *,
        share_channel_gates: bool = True,
        name: str = "shared_cbam",
    ) -> None:
        super().__init__(name=name)
        self.keys = {
            module: str(channels) if share_channel_gates else module
            for module, channels in channel_configs.items()
        }
        self.channel_gates = {
            self.keys[module]: light_channel_gate(channels, reduction_ratio, name=f"{name}_{self.keys[module]}")
            for module, channels in channel_configs.items()
        }
        self.spatial_gate = SpatialGate(name=f"{name}_spatial")

    def call(self, x: Any, gate_name: str) -> Any:
        """[N, H, W, channels of that module] to the same shape.

        Raises:
            ValueError: there is no module of that name.
        """
        if gate_name not in self.keys:
            raise ValueError(f"no gate is called {gate_name!r}, there are {', '.join(sorted(self.keys))}")
        return attend(x, self.channel_gates[self.keys[gate_name]], self.spatial_gate)


def light_channel_gate(channels: int, reduction_ratio: int, *, name: str) -> ChannelGate:
    """The channel gate of ``CBAM_Plus``: hidden layer of at least 4 channels, no bias."""
    return ChannelGate(channels, max(channels // reduction_ratio, _LEAST_HIDDEN), bias=False, name=name)

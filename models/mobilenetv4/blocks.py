"""The blocks of MobileNetV4 as data, and the five published networks written in them.

Nothing here needs TensorFlow: a search can make, compare and count networks cheaply, and hand the one it wants to
:func:`deploy.models.mobilenetv4.builder.build_network`.

The tables are those of the published models (Qin et al., arXiv:2404.10518, as timm 1.0.20 lists them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from deploy.errors import BadInputError

_DIVISOR = 8
"""Channels are multiples of this."""


@dataclass(frozen=True)
class Conv:
    """A convolution with batch normalization and activation.

    Attributes:
        kernel: 1 or 3.
        stride: 1 or 2.
        channels: of the output.
    """

    kernel: int
    stride: int
    channels: int


@dataclass(frozen=True)
class FusedIB:
    """Fused inverted bottleneck: one k x k convolution expands, a 1x1 convolution projects.

    Attributes:
        kernel: of the expanding convolution.
        stride: of the expanding convolution.
        expansion: inner channels by input channels.
        channels: of the output.
    """

    kernel: int
    stride: int
    expansion: float
    channels: int


@dataclass(frozen=True)
class UIB:
    """Universal inverted bottleneck: [depthwise], 1x1 expansion, [depthwise], 1x1 projection.

    Attributes:
        start: kernel of the depthwise convolution before the expansion, 0 for none.
        middle: kernel of the depthwise convolution after the expansion, 0 for none.
        stride: of the middle depthwise convolution, or of the first where there is no middle one.
        expansion: inner channels by input channels.
        channels: of the output.

    Raises:
        BadInputError: kernels other than 0, 3 and 5, or a stride without a depthwise convolution to take it.
    """

    start: int
    middle: int
    stride: int
    expansion: float
    channels: int

    def __post_init__(self) -> None:
        """Refuse what no block of the family is."""
        if {self.start, self.middle} - {0, 3, 5}:
            raise BadInputError(f"UIB: depthwise kernels are {self.start} and {self.middle}, must be 0, 3 or 5")
        if self.stride != 1 and not (self.start or self.middle):
            raise BadInputError(f"UIB: stride {self.stride} needs a depthwise convolution")

    @property
    def kind(self) -> str:
        """Which of the four variants it is: ``IB``, ``ConvNext``, ``ExtraDW`` or ``FFN``."""
        names = {(False, True): "IB", (True, False): "ConvNext", (True, True): "ExtraDW", (False, False): "FFN"}
        return names[bool(self.start), bool(self.middle)]


@dataclass(frozen=True)
class MQA:
    """Mobile multi-query attention: many query heads, one head of keys and one of values for all of them.

    Attributes:
        heads: of the queries.
        dimension: of a query, key and value.
        kv_stride: keys and values see the feature map downsampled by this, 1 for not at all.
        channels: of input and output.
    """

    heads: int
    dimension: int
    kv_stride: int
    channels: int


Block = Conv | FusedIB | UIB | MQA


@dataclass(frozen=True)
class ConvStep:
    """A convolution within a block, with batch normalization; a linear one has no activation behind it.

    ``channels`` are those of the output, of a depthwise one those of the input.
    """

    name: str
    kernel: int
    stride: int
    channels: int
    depthwise: bool = False
    linear: bool = False


def conv_steps(block: Conv | FusedIB | UIB, depth: int) -> tuple[ConvStep, ...]:
    """The convolutions of a block that reads so many channels, in order."""
    if isinstance(block, Conv):
        return (ConvStep("", block.kernel, block.stride, block.channels),)
    inner = round_channels(depth * block.expansion)
    project = ConvStep("project", 1, 1, block.channels, linear=True)
    if isinstance(block, FusedIB):
        return ConvStep("expand", block.kernel, block.stride, inner), project
    start = ConvStep("start", block.start, 1 if block.middle else block.stride, depth, depthwise=True, linear=True)
    middle = ConvStep("middle", block.middle, block.stride, inner, depthwise=True)
    return tuple(step for step in (start, ConvStep("expand", 1, 1, inner), middle, project) if step.kernel)


@dataclass(frozen=True)
class BlockList:
    """A whole network.

    Attributes:
        stem: channels of the first 3x3 convolution (stride 2).
        stages: blocks, stage by stage.
        size: height and width of the input it was made for, in pixels.
        activation: Keras' name of it.
        layer_scale: initial value of a trained factor per channel behind every UIB and MQA block; None for none.
        features: of the 1x1 layer between pooling and classifier.
    """

    stem: int
    stages: tuple[tuple[Block, ...], ...]
    size: int
    activation: str = "relu"
    layer_scale: float | None = None
    features: int = 1280


def round_channels(channels: float) -> int:
    """The nearest multiple of 8, but never less than 90 % of what was asked for."""
    rounded = max(_DIVISOR, int(channels + _DIVISOR / 2) // _DIVISOR * _DIVISOR)
    return rounded + _DIVISOR if rounded < 0.9 * channels else rounded


def scaled(network: BlockList, width: float) -> BlockList:
    """The network with all channels multiplied by ``width``; below 1 the stem keeps its own."""
    stages = tuple(
        tuple(replace(block, channels=round_channels(block.channels * width)) for block in stage)
        for stage in network.stages
    )
    stem = network.stem if width <= 1 else round_channels(network.stem * width)
    return replace(network, stem=stem, stages=stages)


_LAST = (Conv(1, 1, 960),)
_LARGE_START = (FusedIB(3, 2, 4, 48),), (UIB(3, 5, 2, 4, 96), UIB(3, 3, 1, 4, 96))
_LARGE_THIRD = UIB(3, 5, 2, 4, 192), *[UIB(3, 3, 1, 4, 192)] * 3, UIB(3, 5, 1, 4, 192)
_LARGE_FOURTH = (
    UIB(5, 5, 2, 4, 512),
    *[UIB(5, 5, 1, 4, 512)] * 3,
    UIB(5, 0, 1, 4, 512),
    UIB(5, 3, 1, 4, 512),
    *[UIB(5, 0, 1, 4, 512)] * 2,
    UIB(5, 3, 1, 4, 512),
    UIB(5, 5, 1, 4, 512),
)
_MQA_160, _MQA_256 = MQA(4, 64, 2, 160), MQA(4, 64, 1, 256)
_MQA_192, _MQA_512 = MQA(8, 48, 2, 192), MQA(8, 64, 1, 512)

NETWORKS: Final[Mapping[str, BlockList]] = MappingProxyType(
    {
        "conv-s": BlockList(
            stem=32,
            size=224,
            stages=(
                (Conv(3, 2, 32), Conv(1, 1, 32)),
                (Conv(3, 2, 96), Conv(1, 1, 64)),
                (UIB(5, 5, 2, 3, 96), *[UIB(0, 3, 1, 2, 96)] * 4, UIB(3, 0, 1, 4, 96)),
                (
                    UIB(3, 3, 2, 6, 128),
                    UIB(5, 5, 1, 4, 128),
                    UIB(0, 5, 1, 4, 128),
                    UIB(0, 5, 1, 3, 128),
                    *[UIB(0, 3, 1, 4, 128)] * 2,
                ),
                _LAST,
            ),
        ),
        "conv-m": BlockList(
            stem=32,
            size=256,
            stages=(
                (FusedIB(3, 2, 4, 48),),
                (UIB(3, 5, 2, 4, 80), UIB(3, 3, 1, 2, 80)),
                (
                    UIB(3, 5, 2, 6, 160),
                    *[UIB(3, 3, 1, 4, 160)] * 2,
                    UIB(3, 5, 1, 4, 160),
                    UIB(3, 3, 1, 4, 160),
                    UIB(3, 0, 1, 4, 160),
                    UIB(0, 0, 1, 2, 160),
                    UIB(3, 0, 1, 4, 160),
                ),
                (
                    UIB(5, 5, 2, 6, 256),
                    UIB(5, 5, 1, 4, 256),
                    *[UIB(3, 5, 1, 4, 256)] * 2,
                    UIB(0, 0, 1, 4, 256),
                    UIB(3, 0, 1, 4, 256),
                    UIB(3, 5, 1, 2, 256),
                    UIB(5, 5, 1, 4, 256),
                    *[UIB(0, 0, 1, 4, 256)] * 2,
                    UIB(5, 0, 1, 2, 256),
                ),
                _LAST,
            ),
        ),
        "conv-l": BlockList(
            stem=24,
            size=384,
            stages=(
                *_LARGE_START,
                (*_LARGE_THIRD, *[UIB(5, 3, 1, 4, 192)] * 5, UIB(3, 0, 1, 4, 192)),
                (*_LARGE_FOURTH, *[UIB(5, 0, 1, 4, 512)] * 3),
                _LAST,
            ),
        ),
        "hybrid-m": BlockList(
            stem=32,
            size=256,
            layer_scale=1e-5,
            stages=(
                (FusedIB(3, 2, 4, 48),),
                (UIB(3, 5, 2, 4, 80), UIB(3, 3, 1, 2, 80)),
                (
                    UIB(3, 5, 2, 6, 160),
                    UIB(0, 0, 1, 2, 160),
                    UIB(3, 3, 1, 4, 160),
                    UIB(3, 5, 1, 4, 160),
                    _MQA_160,
                    UIB(3, 3, 1, 4, 160),
                    _MQA_160,
                    UIB(3, 0, 1, 4, 160),
                    _MQA_160,
                    UIB(3, 3, 1, 4, 160),
                    _MQA_160,
                    UIB(3, 0, 1, 4, 160),
                ),
                (
                    UIB(5, 5, 2, 6, 256),
                    UIB(5, 5, 1, 4, 256),
                    *[UIB(3, 5, 1, 4, 256)] * 2,
                    UIB(0, 0, 1, 2, 256),
                    UIB(3, 5, 1, 2, 256),
                    UIB(0, 0, 1, 2, 256),
                    UIB(0, 0, 1, 4, 256),
                    _MQA_256,
                    UIB(3, 0, 1, 4, 256),
                    _MQA_256,
                    UIB(5, 5, 1, 4, 256),
                    _MQA_256,
                    UIB(5, 0, 1, 4, 256),
                    _MQA_256,
                    UIB(5, 0, 1, 4, 256),
                ),
                _LAST,
            ),
        ),
        "hybrid-l": BlockList(
            stem=24,
            size=384,
            activation="gelu",
            layer_scale=1e-5,
            stages=(
                *_LARGE_START,
                (
                    *_LARGE_THIRD,
                    *[UIB(5, 3, 1, 4, 192)] * 2,
                    *(_MQA_192, UIB(5, 3, 1, 4, 192)) * 3,
                    _MQA_192,
                    UIB(3, 0, 1, 4, 192),
                ),
                (*_LARGE_FOURTH, *(_MQA_512, UIB(5, 0, 1, 4, 512)) * 4),
                _LAST,
            ),
        ),
    }
)
"""The published networks by the name of the option ``variant``."""

"""Builds FeatherFace V1: backbone, attention, feature pyramid, attention, context, channel shuffle, heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from deploy.models.face_blocks.detector import ANCHORS, DetectorOptions, detector

CONTEXTS = ("conv", "dcn", "ssh")
_SHUFFLE_GROUPS = 2


@dataclass(frozen=True)
class Options(DetectorOptions):
    """What can be chosen about the network; the defaults are the documented network.

    Attributes:
        channels: of the feature pyramid, even, 8 to 256; with ``context="ssh"`` a multiple of 4.
        pyramid_layers: repetitions of the pyramid, 1 to 8.
        reduction: of the attention modules' hidden layers.
        context: ``conv``; ``dcn`` (deformable convolution with offsets of at most one position); or ``ssh`` (five
            of these for views of 3x3, 5x5 and 7x7, and convolutions behind the channel shuffle).

    Raises:
        BadInputError: a value outside these ranges.
    """

    project = "featherface-v1"
    channels: int = 74
    pyramid_layers: int = 2
    reduction: int = 48
    context: str = "conv"

    def __post_init__(self) -> None:
        """Refuse what the network cannot be built with."""
        super().__post_init__()
        self.require(
            8 <= self.channels <= 256 and self.channels % 2 == 0,
            f"channels is {self.channels}, must be even, 8 to 256",
        )
        self.require(1 <= self.pyramid_layers <= 8, f"pyramid_layers is {self.pyramid_layers}, must be 1 to 8")
        self.require(1 <= self.reduction <= 256, f"reduction is {self.reduction}, must be 1 to 256")
        self.require(
            self.context in CONTEXTS, f"context is {self.context!r}, must be one of {', '.join(CONTEXTS)}"
        )
        self.require(
            self.context != "ssh" or self.channels % 4 == 0,
            f"channels is {self.channels}, must be a multiple of 4 with context=ssh",
        )


def build(options: Options | None = None) -> Any:
    """Build the network, untrained: see :func:`~deploy.models.face_blocks.detector.detector`.

    Raises:
        NotInstalledError: TensorFlow is missing.
    """
    chosen = options or Options()
    return detector(chosen, lambda features: _answers(features, chosen), "featherface_v1")


def _answers(features: Any, options: Options) -> Iterator[tuple[Any, Any, Any]]:
    from deploy.models.face_blocks.attention import CBAM
    from deploy.models.face_blocks.backbone import Features
    from deploy.models.face_blocks.context import SSH, ConvContext, DeformableContext
    from deploy.models.face_blocks.heads import SharedMultiHead
    from deploy.models.face_blocks.pyramid import BiFPN
    from deploy.models.face_blocks.shuffle import ShuffleUnit, channel_shuffle

    levels = Features._fields
    features = Features(
        *(
            CBAM(x.shape[-1], options.reduction, name=f"attention1_{level}")(x)
            for level, x in zip(levels, features, strict=True)
        )
    )
    features = BiFPN(options.channels, options.pyramid_layers)(features)
    contexts: dict[str, Callable[..., Any]] = {
        "conv": ConvContext,
        "dcn": DeformableContext,
        "ssh": partial(SSH, deformable=True),
    }
    for level, x in zip(levels, features, strict=True):
        attended = CBAM(options.channels, options.reduction, name=f"attention2_{level}")(x)
        seen = contexts[options.context](options.channels, name=f"context_{level}")(attended)
        if options.shuffle == "explicit":
            seen = channel_shuffle(seen, _SHUFFLE_GROUPS)
        if options.context == "ssh":
            seen = ShuffleUnit(options.channels, name=f"shuffle_{level}")(seen)
        yield SharedMultiHead(options.channels, ANCHORS, name=f"head_{level}")(seen)

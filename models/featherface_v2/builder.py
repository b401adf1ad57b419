"""Builds FeatherFace V2 Ultra: the lighter FeatherFace with five exchanges between its levels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deploy.models.face_blocks.detector import ANCHORS, DetectorOptions, detector

_PYRAMID_LAYERS = 2
_SHUFFLE_GROUPS = 4
_ATTENTION_TIMES = 3


@dataclass(frozen=True)
class Options(DetectorOptions):
    """What can be chosen about the network; the defaults are the documented network with all innovations.

    Attributes:
        smart_feature_reuse: innovation 1, no parameters.
        attention_multiplication: innovation 2, no parameters.
        progressive_enhancement: innovation 3, no parameters.
        multi_scale_intelligence: innovation 4, no parameters.
        dynamic_weight_sharing: innovation 5, two parameters a channel (40).
        literal32: the network as its diagram draws it: 32 channels, reduction 32, 4 groups (259,342 parameters).
    """

    project = "featherface-v2-ultra"
    smart_feature_reuse: bool = True
    attention_multiplication: bool = True
    progressive_enhancement: bool = True
    multi_scale_intelligence: bool = True
    dynamic_weight_sharing: bool = True
    literal32: bool = False

    @property
    def channels(self) -> int:
        """Of the feature pyramid."""
        return 32 if self.literal32 else 20

    @property
    def reduction(self) -> int:
        """Of the attention modules' hidden layers (which have at least 4 channels)."""
        return 32 if self.literal32 else 128

    @property
    def groups(self) -> int:
        """Of the context module's convolutions."""
        return 4 if self.literal32 else 1


def build(options: Options | None = None) -> Any:
    """Build the network, untrained: see :func:`~deploy.models.face_blocks.detector.detector`.

    Raises:
        NotInstalledError: TensorFlow is missing.
    """
    chosen = options or Options()
    return detector(chosen, lambda features: _answers(features, chosen), "featherface_v2")


def _answers(features: Any, options: Options) -> Iterator[tuple[Any, Any, Any]]:
    from deploy.models.face_blocks.attention import SharedCBAMManager
    from deploy.models.face_blocks.backbone import BACKBONE_CHANNELS, Features
    from deploy.models.face_blocks.context import SSH
    from deploy.models.face_blocks.heads import TrunkedHead
    from deploy.models.face_blocks.pyramid import BiFPNLight
    from deploy.models.face_blocks.shuffle import channel_shuffle

    levels = Features._fields
    first = SharedCBAMManager(
        dict(zip(levels, BACKBONE_CHANNELS, strict=True)), options.reduction, name="attention1"
    )
    features = Features(*(first(x, gate_name=level) for level, x in zip(levels, features, strict=True)))
    features = BiFPNLight(options.channels, _PYRAMID_LAYERS)(features)
    second = SharedCBAMManager(
        dict.fromkeys(levels, options.channels), options.reduction, share_channel_gates=False, name="attention2"
    )
    features = Features(*(second(x, gate_name=level) for level, x in zip(levels, features, strict=True)))
    for level, x in zip(levels, _innovate(features, second, options), strict=True):
        seen = SSH(options.channels, options.groups, name=f"context_{level}")(x)
        if options.shuffle == "explicit":
            seen = channel_shuffle(seen, _SHUFFLE_GROUPS)
        yield TrunkedHead(options.channels, ANCHORS, name=f"head_{level}")(seen)


def _innovate(features: Any, attention: Any, options: Options) -> Any:
    """The innovations that are switched on, in the document's order."""
    from deploy.models.featherface_v2 import innovations

    if options.smart_feature_reuse:
        features = innovations.smart_feature_reuse(features, attention)
    if options.attention_multiplication:
        features = innovations.attention_multiplication(features, attention, _ATTENTION_TIMES - 1)
    if options.progressive_enhancement:
        features = innovations.progressive_enhancement(features)
    if options.multi_scale_intelligence:
        features = innovations.multi_scale_intelligence(features)
    if options.dynamic_weight_sharing:
        features = innovations.DynamicWeightSharing(options.channels)(features)
    return features

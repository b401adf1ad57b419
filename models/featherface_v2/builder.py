"""Builds FeatherFace V2 Ultra: the lighter FeatherFace with five exchanges between its levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deploy.errors import BadInputError

INPUT_NAME = "image"
"""The input's name in the Keras model and in the SignatureDef."""

OUTPUT_NAMES = ("classes", "boxes", "landmarks")
"""Outputs [N, A, 2], [N, A, 4] and [N, A, 10]; anchors by level (strides 8, 16, 32), row, column, anchor."""

ANCHORS = 2
"""At every position."""

SHUFFLES = ("folded", "explicit")
_SMALLEST, _LARGEST = 32, 1024
_PYRAMID_LAYERS = 2
_SHUFFLE_GROUPS = 4
_ATTENTION_TIMES = 3


@dataclass(frozen=True)
class Options:
    """What can be chosen about the network; the defaults are the documented network with all innovations.

    Attributes:
        size: height and width of the input in pixels, a multiple of 32 up to 1024.
        smart_feature_reuse: innovation 1, no parameters.
        attention_multiplication: innovation 2, no parameters.
        progressive_enhancement: innovation 3, no parameters.
        multi_scale_intelligence: innovation 4, no parameters.
        dynamic_weight_sharing: innovation 5, two parameters a channel (40).
        literal32: the network as its diagram draws it: 32 channels, reduction 32, 4 groups (259,342 parameters).
        shuffle: ``folded``: the channel shuffle is part of the heads, whose input channels may have any order;
            ``explicit``: it is computed.
        batch_norm_momentum: of the moving averages.

    Raises:
        BadInputError: a value outside these ranges.
    """

    size: int = 640
    smart_feature_reuse: bool = True
    attention_multiplication: bool = True
    progressive_enhancement: bool = True
    multi_scale_intelligence: bool = True
    dynamic_weight_sharing: bool = True
    literal32: bool = False
    shuffle: str = "folded"
    batch_norm_momentum: float = 0.98

    def __post_init__(self) -> None:
        """Refuse what the network cannot be built with."""
        _require(
            _SMALLEST <= self.size <= _LARGEST and self.size % 32 == 0,
            f"size is {self.size}, must be a multiple of 32, {_SMALLEST} to {_LARGEST} pixels",
        )
        _require(self.shuffle in SHUFFLES, f"shuffle is {self.shuffle!r}, must be one of {', '.join(SHUFFLES)}")
        _require(
            0 < self.batch_norm_momentum < 1,
            f"batch_norm_momentum is {self.batch_norm_momentum}, must lie between 0 and 1",
        )

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


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise BadInputError(f"featherface-v2-ultra: {message}")


def build(options: Options | None = None) -> Any:
    """Build the network, untrained.

    Args:
        options: see :class:`Options`; None for the documented network.

    Returns:
        A ``keras.Model``: input ``image`` float32 [N, size, size, 3] in [0, 1]; output dictionary ``classes``
        [N, A, 2] (logits: background, face), ``boxes`` [N, A, 4], ``landmarks`` [N, A, 10], float32. A is
        2 x (positions of strides 8, 16 and 32); anchors by level, row, column, anchor. Calibrated on [0, 1] the
        quantized input has scale 1/255 and zero point 0: raw uint8 pixels feed it directly.

    Raises:
        NotInstalledError: TensorFlow is missing.
    """
    options = options or Options()
    from deploy.quantizing.float_model import import_keras

    keras = import_keras()
    from deploy.models.face_blocks.attention import SharedCBAMManager
    from deploy.models.face_blocks.backbone import BACKBONE_CHANNELS, Features, mobilenet_v1_quarter
    from deploy.models.face_blocks.context import SSH
    from deploy.models.face_blocks.convolutions import set_momentum
    from deploy.models.face_blocks.heads import TrunkedHead, gather
    from deploy.models.face_blocks.pyramid import BiFPNLight
    from deploy.models.face_blocks.shuffle import channel_shuffle

    levels = Features._fields
    image = keras.Input((options.size, options.size, 3), name=INPUT_NAME)
    first = SharedCBAMManager(
        dict(zip(levels, BACKBONE_CHANNELS, strict=True)), options.reduction, name="attention1"
    )
    features = Features(
        *(first(x, gate_name=level) for level, x in zip(levels, mobilenet_v1_quarter(image), strict=True))
    )
    features = BiFPNLight(options.channels, _PYRAMID_LAYERS)(features)
    second = SharedCBAMManager(
        dict.fromkeys(levels, options.channels), options.reduction, share_channel_gates=False, name="attention2"
    )
    features = Features(*(second(x, gate_name=level) for level, x in zip(levels, features, strict=True)))
    answers = []
    for level, x in zip(levels, _innovate(features, second, options), strict=True):
        seen = SSH(options.channels, options.groups, name=f"context_{level}")(x)
        if options.shuffle == "explicit":
            seen = channel_shuffle(seen, _SHUFFLE_GROUPS)
        answers.append(TrunkedHead(options.channels, ANCHORS, name=f"head_{level}")(seen))
    model = keras.Model(image, gather(answers), name="featherface_v2")
    set_momentum(model, options.batch_norm_momentum)
    return model


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

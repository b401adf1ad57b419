"""Builds FeatherFace V1: backbone, attention, feature pyramid, attention, context, channel shuffle, heads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from deploy.errors import BadInputError

INPUT_NAME = "image"
"""The input's name in the Keras model and in the SignatureDef."""

OUTPUT_NAMES = ("classes", "boxes", "landmarks")
"""Outputs [N, A, 2], [N, A, 4] and [N, A, 10]; anchors by level (strides 8, 16, 32), row, column, anchor."""

ANCHORS = 2
"""At every position."""

CONTEXTS = ("conv", "dcn", "ssh")
SHUFFLES = ("folded", "explicit")
_SMALLEST, _LARGEST = 32, 1024
_SHUFFLE_GROUPS = 2


@dataclass(frozen=True)
class Options:
    """What can be chosen about the network; the defaults are the documented network.

    Attributes:
        size: height and width of the input in pixels, a multiple of 32 up to 1024.
        channels: of the feature pyramid, even, 8 to 256; with ``context="ssh"`` a multiple of 4.
        pyramid_layers: repetitions of the pyramid, 1 to 8.
        reduction: of the attention modules' hidden layers.
        context: ``conv``; ``dcn`` (deformable convolution with offsets of at most one position); or ``ssh`` (five
            of these for views of 3x3, 5x5 and 7x7, and convolutions behind the channel shuffle).
        shuffle: ``folded``: the channel shuffle is part of the next layer, whose input channels may have any
            order; ``explicit``: it is computed.
        batch_norm_momentum: of the moving averages.

    Raises:
        BadInputError: a value outside these ranges.
    """

    size: int = 640
    channels: int = 74
    pyramid_layers: int = 2
    reduction: int = 48
    context: str = "conv"
    shuffle: str = "folded"
    batch_norm_momentum: float = 0.98

    def __post_init__(self) -> None:
        """Refuse what the network cannot be built with."""
        _require(
            _SMALLEST <= self.size <= _LARGEST and self.size % 32 == 0,
            f"size is {self.size}, must be a multiple of 32, {_SMALLEST} to {_LARGEST} pixels",
        )
        _require(
            8 <= self.channels <= 256 and self.channels % 2 == 0,
            f"channels is {self.channels}, must be even, 8 to 256",
        )
        _require(1 <= self.pyramid_layers <= 8, f"pyramid_layers is {self.pyramid_layers}, must be 1 to 8")
        _require(1 <= self.reduction <= 256, f"reduction is {self.reduction}, must be 1 to 256")
        _require(self.context in CONTEXTS, f"context is {self.context!r}, must be one of {', '.join(CONTEXTS)}")
        _require(
            self.context != "ssh" or self.channels % 4 == 0,
            f"channels is {self.channels}, must be a multiple of 4 with context=ssh",
        )
        _require(self.shuffle in SHUFFLES, f"shuffle is {self.shuffle!r}, must be one of {', '.join(SHUFFLES)}")
        _require(
            0 < self.batch_norm_momentum < 1,
            f"batch_norm_momentum is {self.batch_norm_momentum}, must lie between 0 and 1",
        )


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise BadInputError(f"featherface-v1: {message}")


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
    from deploy.models.face_blocks.attention import CBAM
    from deploy.models.face_blocks.backbone import Features, mobilenet_v1_quarter
    from deploy.models.face_blocks.context import SSH, ConvContext, DeformableContext
    from deploy.models.face_blocks.convolutions import set_momentum
    from deploy.models.face_blocks.heads import SharedMultiHead, gather
    from deploy.models.face_blocks.pyramid import BiFPN
    from deploy.models.face_blocks.shuffle import ShuffleUnit, channel_shuffle

    levels = Features._fields
    image = keras.Input((options.size, options.size, 3), name=INPUT_NAME)
    features = mobilenet_v1_quarter(image)
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
    answers = []
    for level, x in zip(levels, features, strict=True):
        attended = CBAM(options.channels, options.reduction, name=f"attention2_{level}")(x)
        seen = contexts[options.context](options.channels, name=f"context_{level}")(attended)
        if options.shuffle == "explicit":
            seen = channel_shuffle(seen, _SHUFFLE_GROUPS)
        if options.context == "ssh":
            seen = ShuffleUnit(options.channels, name=f"shuffle_{level}")(seen)
        answers.append(SharedMultiHead(options.channels, ANCHORS, name=f"head_{level}")(seen))
    model = keras.Model(image, gather(answers), name="featherface_v1")
    set_momentum(model, options.batch_norm_momentum)
    return model

"""What the face detectors have in common: input, backbone, outputs, and the options about them.

Importing this needs no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from deploy.errors import BadInputError

INPUT_NAME = "image"
"""The input's name in the Keras model and in the SignatureDef."""

OUTPUT_NAMES = ("classes", "boxes", "landmarks")
"""Outputs [N, A, 2], [N, A, 4] and [N, A, 10]; anchors by level (strides 8, 16, 32), row, column, anchor."""

ANCHORS = 2
"""At every position."""

SHUFFLES = ("folded", "explicit")
_SMALLEST, _LARGEST = 32, 1024


@dataclass(frozen=True)
class DetectorOptions:
    """What can be chosen about every detector.

    Attributes:
        project: its name, for messages.
        size: height and width of the input in pixels, a multiple of 32 up to 1024.
        shuffle: ``folded``: the channel shuffle is part of the next layer, whose input channels may have any
            order; ``explicit``: it is computed.
        batch_norm_momentum: of the moving averages.

    Raises:
        BadInputError: a value outside these ranges.
    """

    project: ClassVar[str]
    size: int = 640
    shuffle: str = "folded"
    batch_norm_momentum: float = 0.98

    def __post_init__(self) -> None:
        """Refuse what the network cannot be built with."""
        self.require(
            _SMALLEST <= self.size <= _LARGEST and self.size % 32 == 0,
            f"size is {self.size}, must be a multiple of 32, {_SMALLEST} to {_LARGEST} pixels",
        )
        self.require(
            self.shuffle in SHUFFLES, f"shuffle is {self.shuffle!r}, must be one of {', '.join(SHUFFLES)}"
        )
        self.require(
            0 < self.batch_norm_momentum < 1,
            f"batch_norm_momentum is {self.batch_norm_momentum}, must lie between 0 and 1",
        )

    def require(self, condition: bool, message: str) -> None:
        """Refuse a value.

        Raises:
            BadInputError: the condition does not hold.
        """
        if not condition:
            raise BadInputError(f"{self.project}: {message}")


def detector(options: DetectorOptions, answers: Callable[[Any], Iterable[tuple[Any, Any, Any]]], name: str) -> Any:
    """Build a detector on MobileNetV1 at a quarter of its width, untrained.

    Returns:
        A ``keras.Model``: input ``image`` float32 [N, size, size, 3] in [0, 1]; output dictionary ``classes``
        [N, A, 2] (logits: background, face), ``boxes`` [N, A, 4], ``landmarks`` [N, A, 10], float32. A is
        2 x (positions of strides 8, 16 and 32); anchors by level, row, column, anchor. Calibrated on [0, 1] the
        quantized input has scale 1/255 and zero point 0: raw uint8 pixels feed it directly.

    Raises:
        NotInstalledError: TensorFlow is missing.
    """
    from deploy.quantizing.float_model import import_keras

    keras = import_keras()
    from deploy.models.face_blocks.backbone import mobilenet_v1_quarter
    from deploy.models.face_blocks.convolutions import set_momentum
    from deploy.models.face_blocks.heads import gather

    image = keras.Input((options.size, options.size, 3), name=INPUT_NAME)
    model = keras.Model(image, gather(list(answers(mobilenet_v1_quarter(image)))), name=name)
    set_momentum(model, options.batch_norm_momentum)
    return model

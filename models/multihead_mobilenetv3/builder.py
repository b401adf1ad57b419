"""Builds multi-head MobileNetV3-Small: one shared backbone, one linear classification head per task.

The backbone is ``keras.applications.MobileNetV3Small`` without its top; the heads share one global average
pool. What the NPU does badly is left out (no softmax unless asked for, no preprocessing layer), so that the whole
network becomes a single ``ethos-u`` operator after Vela.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.errors import BadInputError

INPUT_NAME = "image"
"""The input's name in the Keras model and in the SignatureDef."""

HEAD_SUFFIX = "_logits"
"""A head's convolution is named after the head with this behind it."""

ALPHAS = (0.25, 0.5, 0.75, 1.0)
"""Width multipliers of the family."""

_HEAD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
_SMALLEST, _LARGEST = 32, 512
_MAX_CLASSES = 4096
_MAX_HEADS = 32

_ONE_POOLING = 3
"""Up to this height and width one pooling costs less than two (3x3x144: 1,064 cycles against 1,536)."""


@dataclass(frozen=True)
class Options:
    """What can be chosen about the network; the defaults are the demo network.

    Attributes:
        alpha: width multiplier, one of ``ALPHAS``.
        size: height and width of the input in pixels, 32 to 512.
        channels: 1 (grayscale) or 3 (RGB).
        heads: head name -> number of classes, at least one head of at least two classes.
        dropout: fraction of the pooled features dropped in training, 0 for none.
        hidden: units of a shared hard-swish layer between pool and heads, 0 for none. 1024 gives the original
            network's (and the parameter counts that the architecture document states).
        softmax: probabilities instead of logits. Costs NPU cycles and precision: the host can do it better.
        batch_norm_momentum: of the moving averages. keras.applications uses 0.999, which needs thousands of
            steps to forget the initial values: too slow for a training of a few epochs.

    Raises:
        BadInputError: a value outside these ranges.
    """

    alpha: float = 0.25
    size: int = 56
    channels: int = 1
    heads: Mapping[str, int] = field(default_factory=lambda: {"garment": 10, "kind": 5})
    dropout: float = 0.0
    hidden: int = 0
    softmax: bool = False
    batch_norm_momentum: float = 0.98

    def __post_init__(self) -> None:
        """Refuse what the backbone or the target cannot take."""
        _require(self.alpha in ALPHAS, f"alpha is {self.alpha}, must be one of 0.25, 0.5, 0.75, 1.0")
        _require(
            _SMALLEST <= self.size <= _LARGEST,
            f"size is {self.size}, must be {_SMALLEST} to {_LARGEST} pixels",
        )
        _require(self.channels in {1, 3}, f"channels is {self.channels}, must be 1 or 3")
        _require(0 <= self.dropout < 1, f"dropout is {self.dropout}, must be at least 0 and below 1")
        _require(0 <= self.hidden <= 4096, f"hidden is {self.hidden}, must be 0 (none) to 4096 units")
        _require(
            0 < self.batch_norm_momentum < 1,
            f"batch_norm_momentum is {self.batch_norm_momentum}, must lie between 0 and 1",
        )
        _require(1 <= len(self.heads) <= _MAX_HEADS, f"{len(self.heads)} heads, must be 1 to {_MAX_HEADS}")
        for name, classes in self.heads.items():
            _require(
                _HEAD_NAME.fullmatch(name) is not None and name != INPUT_NAME,
                f"head name {name!r} must be a letter, then letters, digits or _ (at most 32, not {INPUT_NAME!r})",
            )
            _require(
                2 <= classes <= _MAX_CLASSES,
                f"head {name!r} has {classes} classes, must be 2 to {_MAX_CLASSES}",
            )


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise BadInputError(f"multihead-mobilenetv3: {message}")


def build(options: Options | None = None) -> Any:
    """Build the network, untrained.

    Returns:
        A ``keras.Model``: input ``image`` float32 [N, size, size, channels] in [0, 1]; output dictionary
        head name -> float32 [N, classes], logits unless ``softmax``. Calibrated on [0, 1] the quantized input
        has scale 1/255 and zero point 0: raw uint8 pixels feed it directly.

    Raises:
        NotInstalledError: TensorFlow is missing.
    """
    options = options or Options()
    from deploy.quantizing.float_model import import_keras

    keras = import_keras()
    image = keras.Input((options.size, options.size, options.channels), name=INPUT_NAME)
    backbone = keras.applications.MobileNetV3Small(
        input_tensor=image,
        alpha=options.alpha,
        include_top=False,
        include_preprocessing=False,
        weights=None,
    )
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = options.batch_norm_momentum
    backbone = keras.models.clone_model(
        backbone,
        input_tensors=[image],
        call_function=lambda layer, *inputs, **rest: _call(keras, layer, *inputs, **rest),
    )
    # 1x1 convolutions on the pooled features, as in MobileNetV3's own classifier: the same parameters and function
    # as Dense, but an operator that LiteRT's reference kernels round as the NPU does (fully connected ones round
    # once, the NPU twice: one LSB in some 0.1 % of the logits, measured).
    # The heads' features keep the mean's own, finer scale: an average pooling's output has that of its input.
    features = backbone.output
    if features.shape[1] > _ONE_POOLING:
        features = keras.layers.AveragePooling2D((features.shape[1], 1), name="pool_columns")(features)
    features = keras.layers.GlobalAveragePooling2D(keepdims=True, name="pool")(features)
    if options.hidden:
        features = keras.layers.Conv2D(options.hidden, 1, name="hidden")(features)
        features = keras.layers.Activation("hard_swish", name="hidden_activation")(features)
    if options.dropout:
        features = keras.layers.Dropout(options.dropout, name="dropout")(features)
    outputs = {name: _head(keras, features, name, classes, options) for name, classes in options.heads.items()}
    return keras.Model(image, outputs, name="multihead_mobilenetv3")


def _call(keras: Any, layer: Any, *inputs: Any, **rest: Any) -> Any:
    """Call a layer of the backbone; squeeze-and-excite averages in the form that costs the NPU least.

    Average pooling of whole columns, then of the row that is left, takes a fifth to two fifths of the cycles of a
    mean over both (Vela 5.2.0, U55-128: 24x24x16 2,886 instead of 12,560; 14x14x240 15,220 instead of 54,264).
    """
    if not isinstance(layer, keras.layers.GlobalAveragePooling2D):
        return layer(*inputs, **rest)
    _, height, width, _ = inputs[0].shape
    if max(height, width) <= _ONE_POOLING:
        return keras.layers.AveragePooling2D((height, width), name=layer.name)(inputs[0])
    columns = keras.layers.AveragePooling2D((height, 1), name=f"{layer.name}_columns")(inputs[0])
    return keras.layers.AveragePooling2D((1, width), name=layer.name)(columns)


def _head(keras: Any, features: Any, name: str, classes: int, options: Options) -> Any:
    logits = keras.layers.Conv2D(classes, 1, name=f"{name}{HEAD_SUFFIX}")(features)
    if not options.softmax:
        return keras.layers.Flatten(name=name)(logits)
    return keras.layers.Softmax(name=name)(keras.layers.Flatten(name=f"{name}_flat")(logits))


def demo() -> Any:
    """The demo network with its trained weights: usable as ``builder.py:demo`` wherever a MODEL is asked for."""
    from deploy import zoo

    return zoo.build("multihead-mobilenetv3")

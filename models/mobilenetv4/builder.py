"""Builds MobileNetV4: the published networks, scaled ones, and any other made of the same blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deploy.errors import BadInputError
from deploy.models.mobilenetv4.attention import mobile_mqa
from deploy.models.mobilenetv4.blocks import (
    MQA,
    NETWORKS,
    UIB,
    Block,
    BlockList,
    Conv,
    ConvStep,
    conv_steps,
    scaled,
)

INPUT_NAME = "image"
"""The input's name in the Keras model and in the SignatureDef."""

OUTPUT_NAME = "logits"
"""The output's name."""

_SMALLEST, _LARGEST = 32, 512
_MAX_CLASSES = 21_841
_NORM = {"momentum": 0.98, "epsilon": 1e-5}


@dataclass(frozen=True)
class Options:
    """What can be chosen about the network.

    Attributes:
        variant: ``conv-s``, ``conv-m``, ``conv-l``, ``hybrid-m`` or ``hybrid-l``.
        size: height and width of the input in pixels, a multiple of 32 up to 512; 0 for the variant's own.
        channels: 1 (grayscale) or 3 (RGB).
        classes: 2 to 21,841.
        width: factor on all channels, 0.25 to 2; rounded to multiples of 8.
        dropout: fraction of the features dropped before the classifier, in training.

    Raises:
        BadInputError: a value outside these ranges.
    """

    variant: str = "conv-s"
    size: int = 0
    channels: int = 3
    classes: int = 1000
    width: float = 1.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what the family or the target cannot take."""
        _require(
            self.variant in NETWORKS, f"variant is {self.variant!r}, must be one of {', '.join(sorted(NETWORKS))}"
        )
        _require(
            self.size == 0 or (_SMALLEST <= self.size <= _LARGEST and self.size % 32 == 0),
            f"size is {self.size}, must be a multiple of 32, {_SMALLEST} to {_LARGEST}, or 0 for its own",
        )
        _require(self.channels in {1, 3}, f"channels is {self.channels}, must be 1 or 3")
        _require(2 <= self.classes <= _MAX_CLASSES, f"classes is {self.classes}, must be 2 to {_MAX_CLASSES:,}")
        _require(0.25 <= self.width <= 2, f"width is {self.width}, must be 0.25 to 2")
        _require(0 <= self.dropout < 1, f"dropout is {self.dropout}, must be at least 0 and below 1")

    @property
    def network(self) -> BlockList:
        """The blocks that these options name."""
        return scaled(NETWORKS[self.variant], self.width)

    @property
    def pixels(self) -> int:
        """Height and width of the input."""
        return self.size or NETWORKS[self.variant].size


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise BadInputError(f"mobilenetv4: {message}")


def build(options: Options | None = None) -> Any:
    """Build the network, untrained.

    Returns:
        A ``keras.Model``: input ``image`` float32 [N, size, size, channels] in [0, 1]; output dictionary
        ``logits`` -> float32 [N, classes]. Calibrated on [0, 1] the quantized input has scale 1/255 and zero
        point 0.

    Raises:
        NotInstalledError: TensorFlow is missing.
    """
    options = options or Options()
    return build_network(
        options.network,
        size=options.pixels,
        channels=options.channels,
        classes=options.classes,
        dropout=options.dropout,
        name=f"mobilenetv4_{options.variant.replace('-', '_')}",
    )


def build_network(
    network: BlockList,
    *,
    size: int,
    channels: int = 3,
    classes: int = 1000,
    dropout: float = 0.0,
    name: str = "mobilenetv4",
) -> Any:
    """Build any network that is made of these blocks.

    Layers of stage i and block k have names that begin with ``stage{i}_block{k}``, both counted from 0; those of
    stem and head with ``stem`` and ``head``.

    Returns:
        A ``keras.Model`` as :func:`build` gives.

    Raises:
        NotInstalledError: TensorFlow is missing.
    """
    from deploy.quantizing.float_model import import_keras

    keras = import_keras()
    builder = _Builder(keras, network.activation, network.layer_scale)
    image = keras.Input((size, size, channels), name=INPUT_NAME)
    x = builder.step(image, "stem", ConvStep("stem", 3, 2, network.stem))
    for i, stage in enumerate(network.stages):
        for k, block in enumerate(stage):
            x = builder.block(x, f"stage{i}_block{k}", block)
    x = keras.layers.AveragePooling2D(x.shape[1:3], name="head_pool")(x)
    x = builder.step(x, "head_features", ConvStep("features", 1, 1, network.features))
    if dropout:
        x = keras.layers.Dropout(dropout, name="head_dropout")(x)
    # A 1x1 convolution instead of a dense layer: the same parameters and the same function, and the operator that
    # LiteRT's reference kernels round as the NPU does.
    x = keras.layers.Conv2D(classes, 1, name="head_classifier")(x)
    return keras.Model(image, {OUTPUT_NAME: keras.layers.Flatten(name=OUTPUT_NAME)(x)}, name=name)


class _Builder:
    """Puts Keras layers together."""

    def __init__(self, keras: Any, activation: str, scale: float | None) -> None:
        self._keras = keras
        self._activation = activation
        self._scale = scale

    def block(self, x: Any, name: str, block: Block) -> Any:
        """One block of a stage."""
        if isinstance(block, MQA):
            return self._attention(x, name, block)
        y = x
        for step in conv_steps(block, x.shape[-1]):
            y = self.step(y, f"{name}_{step.name}" if step.name else name, step)
        if isinstance(block, Conv):
            return y
        return self._joined(x, self._scaled(y, name) if isinstance(block, UIB) else y, name, block.stride)

    def step(self, x: Any, name: str, step: ConvStep) -> Any:
        """Convolution, batch normalization and activation."""
        how: dict[str, Any] = {"padding": "same", "use_bias": False, "name": f"{name}_conv"}
        if step.depthwise:
            layer = self._keras.layers.DepthwiseConv2D(step.kernel, step.stride, **how)
        else:
            layer = self._keras.layers.Conv2D(step.channels, step.kernel, step.stride, **how)
        return self._normalized(layer(x), name, linear=step.linear)

    def _normalized(self, x: Any, name: str, *, linear: bool) -> Any:
        x = self._keras.layers.BatchNormalization(**_NORM, name=f"{name}_norm")(x)
        return x if linear else self._keras.layers.Activation(self._activation, name=f"{name}_act")(x)

    def _attention(self, x: Any, name: str, block: MQA) -> Any:
        # Batch normalization that no convolution stands before would be a multiplication and an addition. Behind
        # one that changes nothing it becomes part of that: 31 k cycles for 16x16x160, not 273 k (Vela, U55-128).
        unchanged = self._keras.layers.DepthwiseConv2D(
            1, use_bias=False, depthwise_initializer="ones", trainable=False, name=f"{name}_identity"
        )
        y = self._normalized(unchanged(x), name, linear=True)
        y = mobile_mqa(self._keras, y, name, block, _NORM)
        return self._joined(x, self._scaled(y, name), name, 1)

    def _scaled(self, x: Any, name: str) -> Any:
        if self._scale is None:
            return x
        from deploy.models.mobilenetv4.layers import LayerScale

        return LayerScale(self._scale, name=f"{name}_scale")(x)

    def _joined(self, x: Any, y: Any, name: str, stride: int) -> Any:
        """The residual connection, where shapes agree."""
        if stride != 1 or x.shape[-1] != y.shape[-1]:
            return y
        return self._keras.layers.Add(name=f"{name}_add")([x, y])

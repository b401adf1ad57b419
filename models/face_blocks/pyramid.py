"""Bidirectional feature pyramids over three levels: information flows down to fine features and back up."""

from __future__ import annotations

from typing import Any

import keras

from deploy.models.face_blocks.backbone import Features
from deploy.models.face_blocks.convolutions import batch_norm, convolution, depthwise, relu
from deploy.models.face_blocks.inlined import Inlined

_EPSILON = 1e-4


@keras.saving.register_keras_serializable(package="deploy.face_blocks")
class FusionWeights(keras.layers.Layer):  # type: ignore[misc]
    """Learned non-negative weights that sum to one (fast normalized fusion)."""

    def __init__(self, count: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = count
        self.importance = self.add_weight(shape=(count,), initializer="ones", name="importance")

    def call(self, x: Any, index: int, used: int | None = None) -> Any:
        """Scale a map by one of the weights.

        Args:
            x: any shape.
            index: which weight.
            used: normalize over this many of the weights, the first ones; None for all.
        """
        positive = keras.ops.relu(self.importance)[:used]
        return x * (positive[index] / (keras.ops.sum(positive) + _EPSILON))

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to build the layer again."""
        return {**super().get_config(), "count": self.count}


def weigh(weights: FusionWeights, *inputs: Any) -> list[Any]:
    """Scale each map by its weight; fewer maps than weights use the first ones."""
    return [weights(x, index=index, used=len(inputs)) for index, x in enumerate(inputs)]


def upsample(x: Any) -> Any:
    """Nearest neighbour, twice the height and width: one resize, where ``UpSampling2D`` becomes a hundred copies.

    (``keras.layers.Resizing`` would switch all layers behind it to training mode when nothing else is asked for.)
    """
    return keras.ops.image.resize(x, (2 * x.shape[1], 2 * x.shape[2]), interpolation="nearest")


def downsample(x: Any) -> Any:
    """Max pool of 3x3 with stride 2: half the height and width."""
    return keras.layers.MaxPooling2D(3, strides=2, padding="same")(x)


class SeparableConv(Inlined):
    """Depthwise 3x3, pointwise, batch normalization; no activation."""

    def __init__(self, channels: int, *, bias: bool, name: str) -> None:
        super().__init__(name=name)
        self.depthwise = depthwise(name=f"{name}_depthwise")
        self.pointwise = convolution(channels, 1, bias=bias, name=f"{name}_pointwise")
        self.norm = batch_norm(f"{name}_bn")

    def call(self, x: Any) -> Any:
        """[N, H, W, channels] to the same shape."""
        return self.norm(self.pointwise(self.depthwise(x)))


class BiFPN(Inlined):
    """The full pyramid: laterals to a common width, then layers of top-down and bottom-up fusion.

    Every node has fusion weights and a separable convolution of its own (ReLU before it). In the first layer
    the bottom-up way takes stride 16 and 32 from laterals of its own.
    """

    def __init__(self, channels: int, layers: int, *, name: str = "bifpn") -> None:
        super().__init__(name=name)
        self.laterals = {key: Lateral(channels, bias=True, name=f"{name}_lateral_{key}") for key in _LATERALS}
        self.nodes = [_Layer(channels, name=f"{name}_{index}") for index in range(layers)]

    def call(self, features: Features) -> Features:
        """Maps of any channels to maps of the common width, same heights and widths."""
        p3, p4, p5 = features
        one, two = (
            Features(self.laterals["p3"](p3), self.laterals["p4"](p4), self.laterals["p5"](p5)),
            Features(None, self.laterals["p4_again"](p4), self.laterals["p5_again"](p5)),
        )
        for layer in self.nodes:
            one = layer(one, two)
            two = one
        return one


_LATERALS = ("p3", "p4", "p5", "p4_again", "p5_again")


class Lateral(Inlined):
    """1x1 convolution to the pyramid's width and batch normalization."""

    def __init__(self, channels: int, *, bias: bool, name: str) -> None:
        super().__init__(name=name)
        self.conv = convolution(channels, 1, bias=bias, name=f"{name}_conv")
        self.norm = batch_norm(f"{name}_bn")

    def call(self, x: Any) -> Any:
        """[N, H, W, any] to [N, H, W, channels]."""
        return self.norm(self.conv(x))


class _Layer(Inlined):
    """One repetition: 4 separable convolutions and 10 fusion weights."""

    def __init__(self, channels: int, *, name: str) -> None:
        super().__init__(name=name)
        inputs = {"p4_down": 2, "p3_out": 2, "p4_out": 3, "p5_out": 3}
        self.weights_of = {
            node: FusionWeights(count, name=f"{name}_{node}_weights") for node, count in inputs.items()
        }
        self.convs = {node: SeparableConv(channels, bias=True, name=f"{name}_{node}") for node in inputs}

    def call(self, one: Features, two: Features) -> Features:
        """Fuse; ``two`` holds what the bottom-up way takes as each level's own features."""
        own, above = weigh(self.weights_of["p4_down"], one.p4, one.p5)
        p4_down = self._node("p4_down", own, upsample(above))
        own, above = weigh(self.weights_of["p3_out"], one.p3, p4_down)
        p3_out = self._node("p3_out", own, upsample(above))
        own, down, below = weigh(self.weights_of["p4_out"], two.p4, p4_down, downsample(p3_out))
        p4_out = self._node("p4_out", own, down, below)
        own, down, below = weigh(self.weights_of["p5_out"], two.p5, one.p5, downsample(p4_out))
        p5_out = self._node("p5_out", own, down, below)
        return Features(p3_out, p4_out, p5_out)

    def _node(self, node: str, *inputs: Any) -> Any:
        return self.convs[node](fuse(inputs, name=f"{self.name}_{node}"))


def fuse(inputs: tuple[Any, ...], *, name: str) -> Any:
    """Sum of maps of equal shape, then ReLU."""
    total = inputs[0]
    for other in inputs[1:]:
        total = keras.ops.add(total, other)
    return relu(f"{name}_relu")(total)


class BiFPNLight(Inlined):
    """The light pyramid: in each layer one separable convolution and three fusion weights serve all nodes.

    The weights are those of a level's own map, of its neighbour's, and of what the top-down way made of its own.
    No bias anywhere.
    """

    def __init__(self, channels: int, layers: int, *, name: str = "bifpn") -> None:
        super().__init__(name=name)
        self.laterals = {
            level: Lateral(channels, bias=False, name=f"{name}_lateral_{level}") for level in Features._fields
        }
        self.nodes = [_LightLayer(channels, name=f"{name}_{index}") for index in range(layers)]

    def call(self, features: Features) -> Features:
        """Maps of any channels to maps of the common width, same heights and widths."""
        fused = Features(*(self.laterals[level](getattr(features, level)) for level in Features._fields))
        for layer in self.nodes:
            fused = layer(fused)
        return fused


class _LightLayer(Inlined):
    """One repetition with shared weights."""

    def __init__(self, channels: int, *, name: str) -> None:
        super().__init__(name=name)
        self.fusion = FusionWeights(3, name=f"{name}_weights")
        self.conv = SeparableConv(channels, bias=False, name=name)

    def call(self, features: Features) -> Features:
        """Fuse down, then up."""
        p3, p4, p5 = features
        own, above = weigh(self.fusion, p4, p5)
        p4_down = self._node("p4_down", own, upsample(above))
        own, above = weigh(self.fusion, p3, p4_down)
        p3_out = self._node("p3_out", own, upsample(above))
        own, below, down = weigh(self.fusion, p4, downsample(p3_out), p4_down)
        p4_out = self._node("p4_out", own, below, down)
        own, below = weigh(self.fusion, p5, downsample(p4_out))
        return Features(p3_out, p4_out, self._node("p5_out", own, below))

    def _node(self, node: str, *inputs: Any) -> Any:
        return self.conv(fuse(inputs, name=f"{self.name}_{node}"))

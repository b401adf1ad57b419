"""The layers of a network as the converter would write them, from its blocks: no TensorFlow, no minutes.

For :mod:`deploy.roofline`: a search can estimate thousands of networks. Weights are taken as random ones, which
compress least: trained ones can only be faster.
"""

from __future__ import annotations

import math

from deploy.models.mobilenetv4.attention import ROWS
from deploy.models.mobilenetv4.blocks import MQA, Block, BlockList, Conv, ConvStep, conv_steps
from deploy.roofline.layer import Layer, Shape
from deploy.tflite.options import Window

_SCALE_BYTES = 10
_POINT = Window(1, 1, 1, 1)


def predicted_layers(
    network: BlockList, *, size: int, channels: int = 3, classes: int = 1000
) -> tuple[Layer, ...]:
    """The layers of a quantized network with uint8 input and output.

    Returns:
        What :func:`deploy.roofline.layers` finds in the converted network, but for the names and the compression
        of the weights.
    """
    graph = _Graph(
        (size, size, channels), table=None if network.activation == "relu" else network.activation.upper()
    )
    graph.add("QUANTIZE", graph.shape)
    graph.step(ConvStep("stem", 3, 2, network.stem))
    for stage in network.stages:
        for block in stage:
            _block(graph, block)
    height, width, depth = graph.shape
    graph.add("AVERAGE_POOL_2D", (1, 1, depth), window=Window(height, width, height, width))
    graph.step(ConvStep("features", 1, 1, network.features))
    graph.linear(classes)
    graph.add("RESHAPE", graph.shape)
    graph.add("QUANTIZE", graph.shape)
    return graph.finished()


class _Graph:
    """Layers in execution order; ``at`` and ``shape`` are the one that the next layer reads."""

    def __init__(self, shape: Shape, table: str | None) -> None:
        self._table = table
        self.at = -1
        self.shape = shape
        self._layers: list[Layer] = []

    def add(
        self,
        operator: str,
        output: Shape,
        *,
        inputs: tuple[tuple[int, Shape], ...] = (),
        window: Window = _POINT,
        macs: int = 0,
        weights: int = 0,
    ) -> int:
        """Append a layer; by default it reads the last one. Returns its index."""
        read = inputs or ((self.at, self.shape),)
        weighted = weights > 0
        self.at, self.shape = len(self._layers), output
        self._layers.append(
            Layer(
                index=self.at,
                operator=operator,
                name=operator.lower(),
                inputs=tuple(shape for _, shape in read),
                output=output,
                window=window,
                macs=macs,
                weight_bytes=weights + (4 * output[2] if weighted else 0),
                packed_bytes=weights + (_SCALE_BYTES * output[2] if weighted else 0),
                input_bytes=sum(math.prod(shape) for _, shape in read),
                output_bytes=math.prod(output),
                element_bytes=1,
                producers=tuple(index for index, _ in read),
                consumers=0,
            )
        )
        return self.at

    @property
    def place(self) -> tuple[int, Shape]:
        """The layer that the next one reads."""
        return self.at, self.shape

    def step(self, step: ConvStep) -> None:
        """A convolution; its activation is part of it, or a table operator behind it."""
        height, width, depth = self.shape
        output = (-(-height // step.stride), -(-width // step.stride), step.channels)
        weights = step.kernel * step.kernel * depth * (1 if step.depthwise else step.channels)
        self.add(
            "DEPTHWISE_CONV_2D" if step.depthwise else "CONV_2D",
            output,
            window=Window(step.kernel, step.kernel, step.stride, step.stride),
            macs=output[0] * output[1] * weights,
            weights=weights,
        )
        if self._table is not None and not step.linear:
            self.add(self._table, self.shape)

    def linear(self, channels: int) -> None:
        """A 1x1 convolution without activation."""
        self.step(ConvStep("", 1, 1, channels, linear=True))

    def back_to(self, place: tuple[int, Shape]) -> None:
        """Let the next layer read an earlier one."""
        self.at, self.shape = place

    def joined(self, place: tuple[int, Shape]) -> None:
        """Add an earlier feature map of the same shape."""
        if place[1] == self.shape:
            self.add("ADD", self.shape, inputs=(place, (self.at, self.shape)))

    def finished(self) -> tuple[Layer, ...]:
        """All layers, consumers counted; the last one's is the application."""
        used = [index for layer in self._layers for index in layer.producers]
        used.append(len(self._layers) - 1)
        return tuple(Layer(**{**vars(layer), "consumers": used.count(layer.index)}) for layer in self._layers)


def _block(graph: _Graph, block: Block) -> None:
    start = graph.place
    if isinstance(block, MQA):
        _attention(graph, block)
    else:
        for step in conv_steps(block, graph.shape[2]):
            graph.step(step)
    if not isinstance(block, Conv):
        graph.joined(start)


def _attention(graph: _Graph, block: MQA) -> None:
    height, width, depth = graph.shape
    dimension = block.dimension
    graph.step(ConvStep("identity", 1, 1, depth, depthwise=True, linear=True))
    normalized = graph.place

    def shared() -> tuple[int, Shape]:
        graph.back_to(normalized)
        if block.kv_stride > 1:
            graph.step(ConvStep("down", 3, block.kv_stride, depth, depthwise=True, linear=True))
        graph.linear(dimension)
        graph.add("RESHAPE", (1, graph.shape[0] * graph.shape[1], dimension))
        return graph.place

    keys = shared()
    graph.back_to(normalized)
    graph.linear(block.heads * dimension)
    rows = height * width * block.heads
    lines = ROWS if rows % ROWS == 0 else 1
    graph.add("RESHAPE", (lines, rows // lines, dimension))
    columns = keys[1][1]
    products = rows * columns * dimension
    graph.add("BATCH_MATMUL", (lines, rows // lines, columns), inputs=(graph.place, keys), macs=products)
    graph.add("SOFTMAX", graph.shape)
    weights, values = graph.place, shared()
    graph.add("BATCH_MATMUL", (lines, rows // lines, dimension), inputs=(weights, values), macs=products)
    graph.add("RESHAPE", (height, width, block.heads * dimension))
    graph.linear(depth)

"""Networks of a few operators for the finders of hints: layers in a row, written with the schema alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tflite_writer import GraphWriter, schema

from deploy import tflite
from deploy.tflite import Model
from deploy.tflite.graph import Graph


class SmallNetwork:
    """Layers that are added one after the other; every method returns the tensor that it computes.

    Args:
        shape: of the input.
        dtype: of the input; uint8 and float32 are quantized to int8 first.
    """

    def __init__(self, shape: Sequence[int], dtype: str = "int8") -> None:
        self._writer = GraphWriter("small")
        self._shapes: dict[int, tuple[int, ...]] = {}
        self._rng = np.random.default_rng(7)
        scales = None if dtype == "float32" else 1 / 255
        self.input = self._tensor("image", shape, dtype, scales, 0 if dtype == "uint8" else -128)
        self.x = self.input
        if dtype != "int8":
            self.x = self._tensor("quantized", shape, "int8", 1 / 255, -128)
            self._writer.operator("QUANTIZE", [self.input], [self.x], schema.QuantizeOptionsT())

    def _tensor(self, name: str, shape: Sequence[int], dtype: str, scales: object, zero: int = 0) -> int:
        index = self._writer.tensor(name, shape, dtype, scales, zero)
        self._shapes[index] = tuple(shape)
        return index

    def _int8(self, shape: Sequence[int], scale: float = 0.05, zero: int = 3) -> int:
        return self._tensor(f"t{len(self._shapes)}", shape, "int8", scale, zero)

    def convolution(self, x: int, channels: int, *, kernel: int = 3, depthwise: bool = False) -> int:
        batch, height, width, taken = self._shapes[x]
        shape = (1, kernel, kernel, channels) if depthwise else (channels, kernel, kernel, taken)
        values = self._rng.integers(-127, 128, shape, dtype=np.int8)
        scales = np.linspace(0.01, 0.02, channels)
        weights = self._writer.tensor("weights", shape, "int8", scales, 0, values)
        if depthwise:
            self._writer._graph.tensors[weights].quantization.quantizedDimension = 3
        bias = self._writer.tensor(
            "bias", (channels,), "int32", scales * self._writer.scale(x), 0, np.zeros(channels, np.int32)
        )
        options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
        options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
        if depthwise:
            options.depthMultiplier = 1
        out = self._int8((batch, height, width, channels))
        code = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        self._writer.operator(code, [x, weights, bias], [out], options, version=3)
        return out

    def unary(self, code: str, x: int, options: object = None, *, scale: float = 1 / 256, zero: int = -128) -> int:
        out = self._int8(self._shapes[x], scale, zero)
        self._writer.operator(code, [x], [out], options)
        return out

    def softmax(self, x: int) -> int:
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        return self.unary("SOFTMAX", x, options)

    def multiplied(self, x: int, y: int) -> int:
        out = self._int8(self._shapes[x])
        self._writer.operator("MUL", [x, y], [out], schema.MulOptionsT())
        return out

    def mean(self, x: int) -> int:
        """Over all positions."""
        batch, _, _, channels = self._shapes[x]
        axes = self._writer.tensor("axes", (2,), "int32", data=np.array([1, 2], np.int32))
        out = self._int8((batch, channels))
        self._writer.operator("MEAN", [x, axes], [out], schema.ReducerOptionsT())
        return out

    def resized(self, x: int, height: int, width: int, *, half_pixel_centers: bool = True) -> int:
        batch, _, _, channels = self._shapes[x]
        size = self._writer.tensor("size", (2,), "int32", data=np.array([height, width], np.int32))
        options = schema.ResizeBilinearOptionsT()
        options.halfPixelCenters = half_pixel_centers
        out = self._int8((batch, height, width, channels))
        self._writer.operator("RESIZE_BILINEAR", [x, size], [out], options, version=3)
        return out

    def requantized(self, x: int, dtype: str = "uint8", *, offset: int = 128) -> int:
        """An output of another type."""
        tensor = self._writer._graph.tensors[x]
        scale, zero = self._writer.scale(x), int(tensor.quantization.zeroPoint[0])
        if dtype == "float32":
            out = self._tensor("real", self._shapes[x], dtype, None)
            self._writer.operator("DEQUANTIZE", [x], [out], schema.DequantizeOptionsT())
        else:
            out = self._tensor("converted", self._shapes[x], dtype, scale, zero + offset)
            self._writer.operator("QUANTIZE", [x], [out], schema.QuantizeOptionsT())
        return out

    def model(self, *outputs: int) -> Model:
        named = {f"out{number}": tensor for number, tensor in enumerate(outputs)}
        return tflite.load(self._writer.finish({"image": self.input}, named))

    def graph(self, *outputs: int) -> Graph:
        return Graph(self.model(*outputs))

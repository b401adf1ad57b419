"""Small quantized graphs, one place to rewrite each, written with the schema alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from tflite_writer import GraphWriter

from deploy import tflite
from deploy.tflite import Model

SCALE, ZERO = 0.047, -11


class SmallGraph:
    """A graph with one input ``x``; every method returns the tensor that it adds."""

    def __init__(self, shape: tuple[int, ...], scale: float = SCALE, zero: int = ZERO) -> None:
        self.writer = GraphWriter()
        self.shape = {}
        self.x = self.tensor(shape, scale, zero)
        self.inputs = {"x": self.x}

    def tensor(self, shape: tuple[int, ...], scale: float = SCALE, zero: int = ZERO, dtype: str = "int8") -> int:
        index = self.writer.tensor(f"t{len(self.shape)}", shape, dtype, scale, zero)
        self.shape[index] = shape
        return index

    def input(self, name: str, shape: tuple[int, ...]) -> int:
        self.inputs[name] = self.tensor(shape)
        return self.inputs[name]

    def constant(self, data: np.ndarray, scales: Any = None) -> int:
        return self.writer.tensor(f"c{id(data)}", data.shape, data.dtype.name, scales, 0, data)

    def ints(self, *values: int) -> int:
        return self.constant(np.asarray(values, np.int32))

    def reduce(self, code: str, x: int, axes: tuple[int, ...], shape: tuple[int, ...], **quantization: Any) -> int:
        options = schema.ReducerOptionsT()
        options.keepDims = len(shape) == len(self.shape[x])
        return self.add(code, [x, self.ints(*axes)], self.tensor(shape, **quantization), options)

    def reshape(self, x: int, shape: tuple[int, ...]) -> int:
        return self.add("RESHAPE", [x, self.ints(*shape)], self.tensor(shape), schema.ReshapeOptionsT())

    def tile(self, x: int, times: tuple[int, ...]) -> int:
        shape = tuple(a * b for a, b in zip(self.shape[x], times, strict=True))
        return self.add("TILE", [x, self.ints(*times)], self.tensor(shape), schema.TileOptionsT())

    def transpose(self, x: int, order: tuple[int, ...]) -> int:
        shape = tuple(self.shape[x][axis] for axis in order)
        return self.add("TRANSPOSE", [x, self.ints(*order)], self.tensor(shape), schema.TransposeOptionsT())

    def concatenation(self, parts: list[int], axis: int) -> int:
        shape = list(self.shape[parts[0]])
        shape[axis] = sum(self.shape[part][axis] for part in parts)
        options = schema.ConcatenationOptionsT()
        options.axis = axis
        return self.add("CONCATENATION", parts, self.tensor(tuple(shape)), options)

    def convolution(
        self, x: int, channels: int, window: tuple[int, int], strides: tuple[int, int] = (1, 1), seed: int = 0
    ) -> int:
        generator = np.random.default_rng(seed)
        kernel = generator.integers(-127, 128, (channels, *window, self.shape[x][3])).astype(np.int8)
        scales = generator.uniform(0.0005, 0.002, channels).astype(np.float32)
        bias = generator.integers(-3000, 3000, channels).astype(np.int32)
        options = schema.Conv2DOptionsT()
        options.strideH, options.strideW = strides
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = schema.ActivationFunctionType.RELU
        biases = np.float32(self.writer.scale(x)) * scales
        inputs = [x, self.constant(kernel, scales), self.constant(bias, biases)]
        _, height, width, _ = self.shape[x]
        shape = (1, -(-height // strides[0]), -(-width // strides[1]), channels)
        return self.add("CONV_2D", inputs, self.tensor(shape, 0.031, 4), options)

    def pool(self, code: str, x: int, window: tuple[int, int]) -> int:
        options = schema.Pool2DOptionsT()
        options.filterHeight, options.filterWidth = window
        options.strideH = options.strideW = 1
        options.padding = schema.Padding.VALID
        _, height, width, channels = self.shape[x]
        shape = (1, height - window[0] + 1, width - window[1] + 1, channels)
        return self.add(code, [x], self.tensor(shape), options)

    def add(self, code: str, inputs: list[int], output: int, options: Any = None) -> int:
        self.writer.operator(code, inputs, [output], options)
        return output

    def model(self, *outputs: int) -> Model:
        named = {f"y{number}": index for number, index in enumerate(outputs)}
        return tflite.load(self.writer.finish(self.inputs, named))


def upsampled(graph: SmallGraph, x: int) -> int:
    """Every position twice in both directions, as the converter writes ``UpSampling2D``."""
    _, h, w, c = graph.shape[x]
    rows = graph.reshape(graph.tile(graph.reshape(x, (1, h, 1, w, c)), (1, 1, 2, 1, 1)), (1, 2 * h, w, 1, c))
    return graph.reshape(graph.tile(rows, (1, 1, 1, 2, 1)), (1, 2 * h, 2 * w, c))


def shuffled(graph: SmallGraph, x: int, groups: int) -> int:
    """Channels seen as [groups, C / groups] and transposed."""
    _, h, w, c = graph.shape[x]
    return graph.reshape(
        graph.transpose(graph.reshape(x, (1, h, w, groups, c // groups)), (0, 1, 2, 4, 3)), (1, h, w, c)
    )

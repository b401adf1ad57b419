"""Small float graphs as the converter writes them, with the schema alone: no TensorFlow, a few milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from tflite_writer import GraphWriter

from deploy import tflite
from deploy.tflite import Model

OPTIONS = {"ADD": schema.AddOptionsT, "SUB": schema.SubOptionsT, "MUL": schema.MulOptionsT}


class FloatGraph:
    """A float graph with one input ``x``; every method returns the tensor that it adds."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.writer = GraphWriter()
        self.shape: dict[int, tuple[int, ...]] = {}
        self.x = self.tensor(shape)

    def tensor(self, shape: Sequence[int]) -> int:
        index = self.writer.tensor(f"t{len(self.shape)}", shape, "float32")
        self.shape[index] = tuple(shape)
        return index

    def constant(self, data: Any, dtype: str = "float32") -> int:
        values = np.asarray(data, dtype)
        index = self.writer.tensor(f"c{len(self.shape)}", values.shape, dtype, data=values)
        self.shape[index] = values.shape
        return index

    def unary(self, code: str, x: int) -> int:
        return self.add(code, [x], self.shape[x])

    def binary(self, code: str, x: int, y: int) -> int:
        options = OPTIONS[code]() if code in OPTIONS else None
        return self.add(code, [x, y], np.broadcast_shapes(self.shape[x], self.shape[y]), options)

    def reduce(self, code: str, x: int) -> int:
        """Over the last axis, which stays."""
        options = schema.ReducerOptionsT()
        options.keepDims = True
        axes = self.constant([len(self.shape[x]) - 1], "int32")
        return self.add(code, [x, axes], (*self.shape[x][:-1], 1), options)

    def dense(self, x: int, weights: np.ndarray, bias: np.ndarray, activation: int = 0) -> int:
        options = schema.FullyConnectedOptionsT()
        options.keepNumDims = len(self.shape[x]) > 2
        options.fusedActivationFunction = activation
        inputs = [x, self.constant(weights), self.constant(bias)]
        return self.add("FULLY_CONNECTED", inputs, (*self.shape[x][:-1], len(weights)), options)

    def add(self, code: str, inputs: list[int], shape: Sequence[int], options: Any = None) -> int:
        output = self.tensor(shape)
        self.writer.operator(code, inputs, [output], options)
        return output

    def model(self, **outputs: int) -> Model:
        return tflite.load(self.writer.finish({"x": self.x}, outputs))

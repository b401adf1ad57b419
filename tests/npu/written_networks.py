"""Networks of operators that TensorFlow's converter does not write, or only in other forms, written by hand."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from tflite_writer import GraphWriter, schema

_IMAGE = (1, 8, 8, 16)


@dataclass(frozen=True)
class WrittenNetwork:
    """A network written with the schema.

    Attributes:
        name: unique, file-name safe.
        write: gives the ``.tflite`` file; called with a random generator for constants.
    """

    name: str
    write: Callable[[np.random.Generator], bytes]

    def convert(self) -> bytes:
        """The quantized ``.tflite`` file."""
        return self.write(np.random.default_rng(zlib.crc32(self.name.encode())))


def written_networks() -> Iterator[WrittenNetwork]:
    """All of them."""
    for name, shape in (("channels", (1, 1, 16)), ("single", (1, 1, 1)), ("elements", (8, 8, 16))):
        yield WrittenNetwork(f"prelu_{name}", _prelu(shape, (0.05, 3), (0.04, -11)))
    yield WrittenNetwork("prelu_other_scales", _prelu((1, 1, 16), (0.02, -40), (0.07, 25)))
    yield WrittenNetwork("relu_0_to_1_fused_none", _relu_0_to_1(0.01, -100))
    yield WrittenNetwork("relu_0_to_1_rescaled", _relu_0_to_1(0.02, 5))
    yield WrittenNetwork("elu", _elu())
    for dtype in ("int8", "int16"):
        suffix = "" if dtype == "int8" else "_int16"
        yield WrittenNetwork(f"expand_dims_itself{suffix}", _reshaping("EXPAND_DIMS", dtype))
        yield WrittenNetwork(f"squeeze{suffix}", _reshaping("SQUEEZE", dtype))
        yield WrittenNetwork(f"tile{suffix}", _tile(dtype))
        yield WrittenNetwork(f"lstm_fused{suffix}", _lstm(dtype, steps=5, features=6, units=8))
        yield WrittenNetwork(f"lstm_fused_one_step{suffix}", _lstm(dtype, steps=1, features=12, units=20))


def _prelu(
    shape: tuple[int, ...], ifm: tuple[float, int], ofm: tuple[float, int]
) -> Callable[[np.random.Generator], bytes]:
    def write(rng: np.random.Generator) -> bytes:
        graph = GraphWriter("prelu")
        x = graph.tensor("x", _IMAGE, "int8", *ifm)
        alpha = graph.tensor("alpha", shape, "int8", 0.004, 7, rng.integers(-128, 128, shape, dtype=np.int8))
        y = graph.tensor("y", _IMAGE, "int8", *ofm)
        graph.operator("PRELU", [x, alpha], [y])
        return graph.finish({"x": x}, {"y": y})

    return write


def _relu_0_to_1(scale: float, zero: int) -> Callable[[np.random.Generator], bytes]:
    def write(_rng: np.random.Generator) -> bytes:
        graph = GraphWriter("relu_0_to_1")
        x = graph.tensor("x", _IMAGE, "int8", scale, zero)
        y = graph.tensor("y", _IMAGE, "int8", 1 / 255, -128)
        graph.operator("RELU_0_TO_1", [x], [y])
        return graph.finish({"x": x}, {"y": y})

    return write


def _elu() -> Callable[[np.random.Generator], bytes]:
    def write(_rng: np.random.Generator) -> bytes:
        graph = GraphWriter("elu")
        x = graph.tensor("x", _IMAGE, "int8", 0.03, 11)
        y = graph.tensor("y", _IMAGE, "int8", 0.025, -80)
        graph.operator("ELU", [x], [y])
        return graph.finish({"x": x}, {"y": y})

    return write


def _tile(dtype: str) -> Callable[[np.random.Generator], bytes]:
    def write(_rng: np.random.Generator) -> bytes:
        graph = GraphWriter("tile")
        x = graph.tensor("x", (1, 4, 5, 6), dtype, 0.02, 0)
        repeats = graph.tensor("repeats", (4,), "int32", data=np.array([1, 2, 3, 2], np.int32))
        y = graph.tensor("y", (1, 8, 15, 12), dtype, 0.02, 0)
        graph.operator("TILE", [x, repeats], [y], schema.TileOptionsT(), version=3)
        return graph.finish({"x": x}, {"y": y})

    return write


def _reshaping(kind: str, dtype: str) -> Callable[[np.random.Generator], bytes]:
    """The operator between two that compute: alone Vela would have nothing to do on the NPU."""

    def write(_rng: np.random.Generator) -> bytes:
        graph = GraphWriter(kind.lower())
        zero = 0 if dtype == "int16" else 4
        flat, deep = (1, 6, 10), (1, 6, 1, 10)
        first, second = (flat, deep) if kind == "EXPAND_DIMS" else (deep, flat)
        a = graph.tensor("a", first, dtype, 0.02, zero)
        b = graph.tensor("b", first, dtype, 0.03, zero)
        sum_ = graph.tensor("sum", first, dtype, 0.04, zero)
        moved = graph.tensor("moved", second, dtype, 0.04, zero)
        c = graph.tensor("c", second, dtype, 0.02, zero)
        y = graph.tensor("y", second, dtype, 0.05, zero)
        graph.operator("ADD", [a, b], [sum_], schema.AddOptionsT(), version=2)
        if kind == "EXPAND_DIMS":
            axis = graph.tensor("axis", (), "int32", data=np.array(2, np.int32))
            graph.operator(kind, [sum_, axis], [moved], schema.ExpandDimsOptionsT())
        else:
            options = schema.SqueezeOptionsT()
            options.squeezeDims = [2]
            graph.operator(kind, [sum_], [moved], options)
        graph.operator("ADD", [moved, c], [y], schema.AddOptionsT(), version=2)
        return graph.finish({"a": a, "b": b, "c": c}, {"y": y})

    return write


def _lstm(dtype: str, *, steps: int, features: int, units: int) -> Callable[[np.random.Generator], bytes]:
    """A fused LSTM, fully quantized: no projection, no peepholes, no normalization (all that Vela places)."""

    def write(rng: np.random.Generator) -> bytes:
        graph = GraphWriter("lstm")
        zero = 0 if dtype == "int16" else -3
        state_scale = (1 / 32768, 0) if dtype == "int16" else (1 / 128, 0)
        x = graph.tensor("x", (1, steps, features), dtype, 0.0002 if dtype == "int16" else 0.03, zero)
        weight_scale, bias_type = 0.004, "int64" if dtype == "int16" else "int32"

        def weights(name: str, columns: int) -> int:
            values = rng.integers(-127, 128, (units, columns), dtype=np.int8)
            return graph.tensor(name, values.shape, "int8", weight_scale, 0, values)

        def bias(name: str) -> int:
            values = rng.integers(-2000, 2000, units).astype(bias_type)
            return graph.tensor(name, (units,), bias_type, graph.scale(x) * weight_scale, 0, values)

        gates = ("input", "forget", "cell", "output")
        from_input = [weights(f"input_to_{gate}", features) for gate in gates]
        from_state = [weights(f"recurrent_to_{gate}", units) for gate in gates]
        biases = [bias(f"{gate}_bias") for gate in gates]
        output_state = graph.tensor("output_state", (1, units), dtype, *state_scale, variable=True)
        cell_state = graph.tensor("cell_state", (1, units), "int16", 2.0**-11, 0, variable=True)
        hidden = [graph.tensor(f"intermediate_{i}", (0,), "int16", 2.0**-12, 0) for i in range(4)]
        hidden.append(graph.tensor("intermediate_4", (0,), dtype, *state_scale))
        y = graph.tensor("y", (1, steps, units), dtype, *state_scale)
        options = schema.UnidirectionalSequenceLSTMOptionsT()
        options.fusedActivationFunction = schema.ActivationFunctionType.TANH
        options.cellClip, options.projClip, options.timeMajor = 10.0, 0.0, False
        inputs = [
            x,
            *from_input,
            *from_state,
            -1,
            -1,
            -1,
            *biases,
            -1,
            -1,
            output_state,
            cell_state,
            -1,
            -1,
            -1,
            -1,
        ]
        graph.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [y], options, version=3, intermediates=hidden)
        return graph.finish({"x": x}, {"y": y})

    return write

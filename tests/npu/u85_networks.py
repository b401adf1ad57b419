"""Networks that make Vela use what only Ethos-U85 has, written by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from tflite_writer import GraphWriter, schema

from .written_networks import WrittenNetwork

_IMAGE = (1, 6, 7, 16)
Write = Callable[[np.random.Generator], bytes]


def u85_networks() -> Iterator[WrittenNetwork]:
    """All of them."""
    for dtype in ("int8", "int16"):
        suffix = "" if dtype == "int8" else "_int16"
        for kind, weights in _WEIGHTS.items():
            yield WrittenNetwork(f"weights_{kind}{suffix}", _convolution(dtype, (1, 1), (256, 128), weights))
            yield WrittenNetwork(f"part_kernel_{kind}{suffix}", _convolution(dtype, (3, 3), (16, 128), weights))
        yield WrittenNetwork(f"sparse3x3{suffix}", _convolution(dtype, (3, 3), (64, 64), two_of_four))
        yield WrittenNetwork(f"sparse1x1_deep{suffix}", _convolution(dtype, (1, 1), (300, 40), two_of_four))
        yield WrittenNetwork(f"stride5{suffix}", _convolution(dtype, (5, 5), (4, 8), _uniform, (42, 42), 5))
        yield WrittenNetwork(f"weights_as_input{suffix}", _weights_as_input(dtype))
        yield WrittenNetwork(f"gather_some{suffix}", _gather(dtype, (10, 16), (6,), 0))
        yield WrittenNetwork(f"gather_one{suffix}", _gather(dtype, (10, 16), (1,), 0))
        yield WrittenNetwork(f"gather_batch{suffix}", _gather(dtype, (3, 10, 16), (3, 4), 1))
        yield WrittenNetwork(f"gather_rows{suffix}", _gather(dtype, (10, 3, 16), (4, 2), 0))
        yield WrittenNetwork(f"not_equal{suffix}", _comparison("NOT_EQUAL", dtype))
        yield WrittenNetwork(f"equal{suffix}", _comparison("EQUAL", dtype))
        yield WrittenNetwork(f"less{suffix}", _comparison("LESS", dtype))
        yield WrittenNetwork(f"less_equal{suffix}", _comparison("LESS_EQUAL", dtype))
        yield WrittenNetwork(f"greater{suffix}", _comparison("GREATER", dtype))
        yield WrittenNetwork(f"greater_equal{suffix}", _comparison("GREATER_EQUAL", dtype))
    yield WrittenNetwork("scatter", _scatter("int8"))
    yield WrittenNetwork("argmax_width", _argmax("int8", 2))
    yield WrittenNetwork("argmax_height", _argmax("int8", 1))
    for kind in ("LOGICAL_AND", "LOGICAL_OR"):
        yield WrittenNetwork(kind.lower(), _logical(kind, 2))
    yield WrittenNetwork("logical_not", _logical("LOGICAL_NOT", 1))
    for kind in ("REDUCE_ANY", "REDUCE_ALL"):
        yield WrittenNetwork(kind.lower(), _reduced(kind))
    for dtype in ("int64", "int32", "bool", "int16", "int8"):
        yield WrittenNetwork(f"transpose_channels_first_{dtype}", _transposed(dtype, (0, 3, 1, 2)))
        yield WrittenNetwork(f"transpose_height_width_{dtype}", _transposed(dtype, (0, 2, 1, 3)))
        yield WrittenNetwork(f"reverse_c_{dtype}", _reversed(dtype))
    for kind in ("ADD", "SUB", "MUL", "MINIMUM", "MAXIMUM"):
        yield WrittenNetwork(f"{kind.lower()}_int32", _of_int32(kind))
    for source, target in (
        ("int16", "int8"),
        ("int8", "int16"),
        ("uint8", "int8"),
        ("int8", "uint8"),
    ):
        yield WrittenNetwork(f"quantize_{source}_{target}", _quantize(source, target))
    for kind in ("SELECT", "SELECT_V2"):
        yield WrittenNetwork(kind.lower(), _select(kind))
    for source, target in (("bool", "int8"), ("bool", "int32"), ("int8", "int16"), ("int8", "int32")):
        yield WrittenNetwork(f"cast_{source}_{target}", _cast(source, target))


def _uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.integers(-127, 128, shape, dtype=np.int8)


def _of(count: int) -> Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]:
    def weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        values = rng.permutation(np.arange(-127, 128, dtype=np.int8))[:count]
        return rng.choice(values, shape)

    return weights


def two_of_four(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Of every four input channels two are zero."""
    weights = _uniform(rng, (-(-math.prod(shape) // 4), 4))
    zeros = np.argsort(rng.random(weights.shape), axis=1)[:, :2]
    np.put_along_axis(weights, zeros, 0, axis=1)
    return weights.ravel()[: math.prod(shape)].reshape(shape)


_WEIGHTS = {"uniform": _uniform, "of_16": _of(16), "of_4": _of(4), "two_of_four": two_of_four}
WEIGHTS = tuple(_WEIGHTS.values())
"""Weights that are coded differently: called with a random generator and a shape."""


def _convolution(
    dtype: str,
    kernel: tuple[int, int],
    channels: tuple[int, int],
    weights: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray],
    size: tuple[int, int] = (5, 6),
    stride: int = 1,
) -> Write:
    def write(rng: np.random.Generator) -> bytes:
        graph = GraphWriter("convolution")
        zero = 5 if dtype == "int8" else 0
        wide = "int32" if dtype == "int8" else "int64"
        x = graph.tensor("x", (1, *size, channels[0]), dtype, 0.02 if dtype == "int8" else 0.0001, zero)
        values = weights(rng, (channels[1], *kernel, channels[0]))
        scales = rng.uniform(0.002, 0.004, channels[1]).astype(np.float32)
        filters = graph.tensor("filters", values.shape, "int8", scales, 0, values)
        offsets = rng.integers(-2000, 2000, channels[1]).astype(wide)
        bias = graph.tensor("bias", (channels[1],), wide, scales * graph.scale(x), 0, offsets)
        shape = (1, *(-(-extent // stride) for extent in size), channels[1])
        y = graph.tensor("y", shape, dtype, 0.3 if dtype == "int8" else 0.002, zero)
        graph.operator("CONV_2D", [x, filters, bias], [y], _convolution_options(stride), version=3)
        return graph.finish({"x": x}, {"y": y})

    return write


def _convolution_options(stride: int = 1) -> Any:
    options = schema.Conv2DOptionsT()
    options.strideW = options.strideH = stride
    options.dilationWFactor = options.dilationHFactor = 1
    return options


def _weights_as_input(dtype: str) -> Write:
    def write(_rng: np.random.Generator) -> bytes:
        graph = GraphWriter("weights as input")
        small = dtype == "int8"
        x = graph.tensor("x", _IMAGE, dtype, 0.02 if small else 0.0001, 3 if small else 0)
        filters = graph.tensor("filters", (8, 3, 3, _IMAGE[3]), "int8", 0.01, 0)
        wide = "int32" if small else "int64"
        offsets = (np.arange(-4, 4) * (1000 if small else 1_000_000)).astype(wide)
        bias = graph.tensor("bias", (8,), wide, graph.scale(x) * 0.01, 0, offsets)
        y = graph.tensor("y", (*_IMAGE[:3], 8), dtype, 0.5 if small else 0.002, -3 if small else 0)
        graph.operator("CONV_2D", [x, filters, bias], [y], _convolution_options(), version=3)
        return graph.finish({"x": x, "filters": filters}, {"y": y})

    return write


def _gather(dtype: str, shape: tuple[int, ...], indices: tuple[int, ...], batch_dims: int) -> Write:
    """Rows of a constant index, which is data all the same."""

    def write(rng: np.random.Generator) -> bytes:
        graph = GraphWriter("gather")
        x = graph.tensor("x", shape, dtype, 0.02, 0)
        numbers = rng.integers(0, shape[batch_dims], indices, dtype=np.int32)
        index = graph.tensor("index", indices, "int32", data=numbers)
        result = (*shape[:batch_dims], *indices[batch_dims:], *shape[batch_dims + 1 :])
        y = graph.tensor("y", result, dtype, 0.02, 0)
        options = schema.GatherOptionsT()
        options.axis = options.batchDims = batch_dims
        graph.operator("GATHER", [x, index], [y], options, version=4)
        return graph.finish({"x": x}, {"y": y})

    return write


def _scatter(dtype: str) -> Write:
    def write(rng: np.random.Generator) -> bytes:
        graph = GraphWriter("scatter")
        numbers = rng.permutation(10)[:6].astype(np.int32).reshape(6, 1)
        index = graph.tensor("index", (6, 1), "int32", data=numbers)
        x = graph.tensor("x", (6, 16), dtype, 0.02, 0)
        shape = graph.tensor("shape", (2,), "int32", data=np.array([10, 16], np.int32))
        y = graph.tensor("y", (10, 16), dtype, 0.02, 0)
        graph.operator("SCATTER_ND", [index, x, shape], [y], schema.ScatterNdOptionsT())
        return graph.finish({"x": x}, {"y": y})

    return write


def _comparison(kind: str, dtype: str) -> Write:
    def write(_rng: np.random.Generator) -> bytes:
        graph = GraphWriter(kind.lower())
        a, b = (graph.tensor(name, _IMAGE, dtype, 0.02, 0) for name in "ab")
        y = graph.tensor("y", _IMAGE, "bool")
        graph.operator(kind, [a, b], [y], version=2)
        return graph.finish({"a": a, "b": b}, {"y": y})

    return write


def _select(kind: str) -> Write:
    def write(_rng: np.random.Generator) -> bytes:
        graph = GraphWriter(kind.lower())
        condition = graph.tensor("condition", _IMAGE, "bool")
        a, b, y = (graph.tensor(name, _IMAGE, "int8", 0.02, 4) for name in "aby")
        options = schema.SelectOptionsT() if kind == "SELECT" else schema.SelectV2OptionsT()
        graph.operator(kind, [condition, a, b], [y], options)
        return graph.finish({"condition": condition, "a": a, "b": b}, {"y": y})

    return write


def _cast(source: str, target: str) -> Write:
    def write(_rng: np.random.Generator) -> bytes:
        graph = GraphWriter("cast")
        x = graph.tensor("x", _IMAGE, source, *_quantized(source))
        y = graph.tensor("y", _IMAGE, target, *_quantized(target))
        options = schema.CastOptionsT()
        types = (getattr(schema.TensorType, each.upper()) for each in (source, target))
        options.inDataType, options.outDataType = types
        graph.operator("CAST", [x], [y], options)
        return graph.finish({"x": x}, {"y": y})

    return write


def _argmax(dtype: str, axis: int) -> Write:
    def write(_rng: np.random.Generator) -> bytes:
        graph = GraphWriter("argmax")
        x = graph.tensor("x", _IMAGE, dtype, 0.02, 0)
        dimension = graph.tensor("dimension", (), "int32", data=np.array(axis, np.int32))
        y = graph.tensor("y", tuple(n for at, n in enumerate(_IMAGE) if at != axis), "int32")
        options = schema.ArgMaxOptionsT()
        options.outputType = schema.TensorType.INT32
        graph.operator("ARG_MAX", [x, dimension], [y], options, version=2)
        return graph.finish({"x": x}, {"y": y})

    return write


def _logical(kind: str, operands: int) -> Write:
    def write(_rng: np.random.Generator) -> bytes:
        graph = GraphWriter(kind.lower())
        inputs = {name: graph.tensor(name, _IMAGE, "bool") for name in "ab"[:operands]}
        y = graph.tensor("y", _IMAGE, "bool")
        graph.operator(kind, list(inputs.values()), [y])
        return graph.finish(inputs, {"y": y})

    return write


def _reduced(kind: str) -> Write:
    def write(_rng: np.random.Generator) -> bytes:
        graph = GraphWriter(kind.lower())
        x = graph.tensor("x", _IMAGE, "bool")
        axes = graph.tensor("axes", (1,), "int32", data=np.array([1], np.int32))
        y = graph.tensor("y", (1, 1, *_IMAGE[2:]), "bool")
        options = schema.ReducerOptionsT()
        options.keepDims = True
        graph.operator(kind, [x, axes], [y], options)
        return graph.finish({"x": x}, {"y": y})

    return write


def _transposed(dtype: str, order: tuple[int, ...]) -> Write:
    def write(_rng: np.random.Generator) -> bytes:
        graph = GraphWriter("transpose")
        x = graph.tensor("x", _IMAGE, dtype, *_quantized(dtype))
        axes = graph.tensor("axes", (4,), "int32", data=np.array(order, np.int32))
        y = graph.tensor("y", tuple(_IMAGE[axis] for axis in order), dtype, *_quantized(dtype))
        graph.operator("TRANSPOSE", [x, axes], [y], schema.TransposeOptionsT(), version=4)
        return graph.finish({"x": x}, {"y": y})

    return write


def _reversed(dtype: str) -> Write:
    def write(_rng: np.random.Generator) -> bytes:
        graph = GraphWriter("reverse")
        x = graph.tensor("x", _IMAGE, dtype, *_quantized(dtype))
        axes = graph.tensor("axes", (1,), "int32", data=np.array([3], np.int32))
        y = graph.tensor("y", _IMAGE, dtype, *_quantized(dtype))
        graph.operator("REVERSE_V2", [x, axes], [y], schema.ReverseV2OptionsT(), version=3)
        return graph.finish({"x": x}, {"y": y})

    return write


def _quantized(dtype: str) -> tuple[Any, ...]:
    return (0.02, 0) if dtype in ("int8", "int16", "uint8") else ()


def _of_int32(kind: str) -> Write:
    def write(_rng: np.random.Generator) -> bytes:
        graph = GraphWriter(kind.lower())
        a, b = (graph.tensor(name, _IMAGE, "int32") for name in "ab")
        y = graph.tensor("y", _IMAGE, "int32")
        options = {"ADD": schema.AddOptionsT, "SUB": schema.SubOptionsT, "MUL": schema.MulOptionsT}.get(
            kind, schema.MaximumMinimumOptionsT
        )
        graph.operator(kind, [a, b], [y], options(), version=1)
        return graph.finish({"a": a, "b": b}, {"y": y})

    return write


def _quantize(source: str, target: str) -> Write:
    scales = {"int8": (0.03, 5), "uint8": (0.04, 120), "int16": (0.0002, 0)}

    def write(_rng: np.random.Generator) -> bytes:
        graph = GraphWriter("quantize")
        x, y = (
            graph.tensor("x", _IMAGE, source, *scales[source]),
            graph.tensor("y", _IMAGE, target, *scales[target]),
        )
        graph.operator("QUANTIZE", [x], [y], schema.QuantizeOptionsT(), version=2)
        return graph.finish({"x": x}, {"y": y})

    return write

"""Writes a float network in a form of which integers can be computed, before its ranges are found.

- Operators that TFLite has no int8 kernel for become others that it has: NEG a product with -1, SQUARE ``x * x``.
- What an unrolled recurrent layer leaves of its first step becomes constants and slices: a constant that is split,
  and parts that nobody reads, whose memory is another tensor's by the time the converter looks for their range.
- A fully connected layer of many rows, of a sequence for example, becomes a convolution of 1x1: LiteRT's reference
  kernel of the former rounds once, the NPU twice, and in a deep network differences of 1 grow; of the latter both
  round alike.
- Normalization is written so that eight bits are enough for it (:mod:`deploy.quantizing.normalizations`).

All of it is the same real function but for the rounding of float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from deploy.quantizing import normalizations
from deploy.tflite import Model, damage_named
from deploy.tflite.emitter import Emitter
from deploy.tflite.graph import Graph, Node

Ranges = Callable[[Model, Sequence[int]], Mapping[int, tuple[float, float]]]
"""Says of tensors of a float model which values they have on the calibration data: least and largest."""


def with_integer_forms(model: Model, ranges: Ranges) -> Model:
    """A float model in a form of which integers can be computed; the same object where nothing had to change.

    Args:
        model: float.
        ranges: what is asked for the ranges of a few of its tensors.

    Raises:
        BadInputError: it cannot be written.
    """
    if len(model.tensor_counts) != 1:
        return model  # Loops have bodies of their own; what stays float in them is named by who asked.
    graph = Graph(model)
    with damage_named("the float model"):
        changed = [
            _normalize(graph, model, ranges),
            _split_constants(graph),
            _slice_what_is_read(graph),
            _multiply(graph),
            _convolve_rows(graph),
        ]
    return graph.model() if any(changed) else model


def _normalize(graph: Graph, model: Model, ranges: Ranges) -> bool:
    found = list(normalizations.find(graph))
    spread = ranges(model, [place.squares for place in found]) if found else {}
    for place in found:
        emit = Emitter(graph, graph.tensors[place.out].name)
        place.write(emit, spread.get(place.squares))
        graph.replace(place.nodes, emit.nodes)
    return bool(found)


def _split_constants(graph: Graph) -> bool:
    found = [node for node in graph.nodes if node.code == "SPLIT" and not graph.activations(node)]
    for node in found:
        axis, values = (graph.constant(index) for index in node.inputs)
        parts = np.split(values, len(node.outputs), int(axis.item()))
        for out, part in zip(node.outputs, parts, strict=True):
            name, dtype = graph.tensors[out].name, graph.tensors[out].dtype
            graph.redirect(out, graph.add_tensor(name, part.shape, dtype, None, part))
    gone = {node.outputs for node in found}
    graph.nodes = [node for node in graph.nodes if node.outputs not in gone]
    return bool(found)


def _slice_what_is_read(graph: Graph) -> bool:
    def read(index: int) -> bool:
        return bool(graph.consumers(index)) or index in graph.outputs

    found = [node for node in graph.nodes if node.code == "SPLIT" and not all(map(read, node.outputs))]
    for node in found:
        emit = Emitter(graph, graph.tensors[node.outputs[0]].name)
        shape = graph.tensors[node.outputs[0]].shape
        axis = int(graph.constant(node.inputs[0]).item()) % len(shape)
        for number, out in enumerate(node.outputs):
            if read(out):
                emit.slice(node.inputs[1], axis, number * shape[axis], shape[axis], out=out)
        graph.replace([node], emit.nodes)
    return bool(found)


def _multiply(graph: Graph) -> bool:
    found = [node for node in graph.nodes if node.code in ("NEG", "SQUARE") and _is_float(graph, node)]
    for node in found:
        x, out = node.inputs[0], node.outputs[0]
        emit = Emitter(graph, graph.tensors[out].name)
        other = x if node.code == "SQUARE" else emit.constant(np.asarray(-1, np.float32))
        emit.binary("MUL", x, other, out=out)
        graph.replace([node], emit.nodes)
    return bool(found)


def _convolve_rows(graph: Graph) -> bool:
    found = [node for node in graph.nodes if node.code == "FULLY_CONNECTED" and _has_rows(graph, node)]
    for node in found:
        x, kernel, *more = node.inputs
        out, shape = node.outputs[0], graph.tensors[node.outputs[0]].shape
        weights = graph.constant(kernel)
        emit = Emitter(graph, graph.tensors[out].name)
        bias = next((index for index in more if index >= 0), None)
        image = emit.reshape(x, (1, *_height_and_width(math.prod(shape[:-1])), weights.shape[1]))
        y = emit.pointwise(
            image,
            emit.constant(weights[:, None, None, :]),
            emit.constant(np.zeros(len(weights), np.float32)) if bias is None else bias,
            activation=int(node.options.fusedActivationFunction),
        )
        emit.reshape(y, shape, out=out)
        graph.replace([node], emit.nodes)
    return bool(found)


def _has_rows(graph: Graph, node: Node) -> bool:
    """Whether it is a float one of several rows, with constant weights."""
    x, kernel = graph.tensors[node.inputs[0]], graph.tensors[node.inputs[1]]
    constant = kernel.data is not None and all(
        graph.tensors[index].data is not None for index in node.inputs[2:] if index >= 0
    )
    rows = math.prod(graph.tensors[node.outputs[0]].shape[:-1])
    return (
        _is_float(graph, node) and constant and len(x.shape) > 2 and x.shape[-1] == kernel.shape[-1] and rows > 1
    )


def _height_and_width(rows: int) -> tuple[int, int]:
    """The most square image of that many elements: the NPU's blocks fit it best."""
    height = next(size for size in range(math.isqrt(rows), 0, -1) if rows % size == 0)
    return height, rows // height


def _is_float(graph: Graph, node: Node) -> bool:
    return graph.tensors[node.outputs[0]].dtype == "float32"

"""Writes a float network in a form of which integers can be computed, before its ranges are found.

Operators that TFLite has no int8 kernel for become others that it has (NEG a multiplication by -1, SQUARE
``x * x``), and normalization is written so that eight bits are enough for it
(:mod:`deploy.quantizing.normalizations`). All of it is the same real function but for the rounding of float32.
"""

from __future__ import annotations

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
        found = list(normalizations.find(graph))
        spread = ranges(model, [place.squares for place in found]) if found else {}
        for place in found:
            emit = Emitter(graph, graph.tensors[place.out].name)
            place.write(emit, spread.get(place.squares))
            graph.replace(place.nodes, emit.nodes)
        products = [node for node in graph.nodes if _is_product(graph, node)]
        for node in products:
            x, out = node.inputs[0], node.outputs[0]
            emit = Emitter(graph, graph.tensors[out].name)
            emit.binary(
                "MUL", x, x if node.code == "SQUARE" else emit.constant(np.asarray(-1, np.float32)), out=out
            )
            graph.replace([node], emit.nodes)
    return graph.model() if found or products else model


def _is_product(graph: Graph, node: Node) -> bool:
    return node.code in ("NEG", "SQUARE") and graph.tensors[node.outputs[0]].dtype == "float32"

"""Functions that are written with several operators, and those that are one for the NPU."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.advising.suggestion import Suggestion
from deploy.rewriting.matching import is_int8, is_plain
from deploy.rewriting.site import Site
from deploy.tflite import model as tflite_model
from deploy.tflite.graph import Graph, Node

_COMPUTES = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD")
"""Operators that look their results up in a table on the way: behind them a function costs less."""


def swishes(graph: Graph) -> Iterator[Suggestion]:
    """LOGISTIC and MUL with its own input: hard-swish is one table look-up.

    The operator before it is part of the site: it can look up on the way.
    """
    for node in graph.nodes:
        found = _swish(graph, node)
        if found is None:
            continue
        x, logistic = found
        hard = Node("HARD_SWISH", (x,), node.outputs, tflite_model.schema().HardSwishOptionsT())
        before, inputs = _before(graph, x, (logistic, node))
        yield Suggestion(
            "cheaper operator",
            "swish, which is LOGISTIC and MUL",
            "train with hard-swish (keras.activations.hard_silu), which is one operator",
            "needs retraining",
            Site("swish", (*before, logistic, node), inputs, node.outputs[0], ()),
            Site("hard-swish", (*before, hard), inputs, node.outputs[0], ()),
        )


def _swish(graph: Graph, node: Node) -> tuple[int, Node] | None:
    """The input of a swish that ends with this node, and its LOGISTIC."""
    if node.code != "MUL" or len(node.inputs) != 2 or not is_plain(node):
        return None
    for x, gate in (node.inputs, node.inputs[::-1]):
        logistic = graph.producer(gate)
        if logistic is None or logistic.code != "LOGISTIC" or logistic.inputs[0] != x:
            continue
        source, result = graph.tensors[x], graph.tensors[node.outputs[0]]
        if source.data is None and graph.private(gate, node) and is_int8(source, result):
            return x, logistic
    return None


def _before(graph: Graph, x: int, readers: tuple[Node, ...]) -> tuple[tuple[Node, ...], tuple[int, ...]]:
    """The operator that computes a tensor for these readers alone, if there is one, and what is read then."""
    writer = graph.producer(x)
    if writer is None or writer.code not in _COMPUTES or x in graph.outputs:
        return (), (x,)
    inputs = graph.activations(writer)
    if not inputs or set(graph.consumers(x)) != set(readers):
        return (), (x,)
    return (writer,), inputs

"""Functions that are written with several operators, and those that are one for the NPU."""

from __future__ import annotations

from collections.abc import Iterator

from deploy import tflite_model
from deploy.advising.place import Place
from deploy.rewriting.emitter import Emitter
from deploy.rewriting.graph import Graph
from deploy.rewriting.matching import is_int8, is_plain
from deploy.rewriting.site import Form, Site


def swishes(graph: Graph) -> Iterator[Place]:
    """LOGISTIC and MUL with its own input: hard-swish is one table look-up."""
    for node in graph.nodes:
        if node.code != "MUL" or len(node.inputs) != 2 or not is_plain(node):
            continue
        for x, gate in (node.inputs, node.inputs[::-1]):
            logistic = graph.producer(gate)
            if logistic is None or logistic.code != "LOGISTIC" or logistic.inputs[0] != x:
                continue
            source, result = graph.tensors[x], graph.tensors[node.outputs[0]]
            if source.data is None and graph.private(gate, node) and is_int8(source, result):
                form = Form("HARD_SWISH", _hard_swish, exact=False)
                yield Place(
                    "cheaper operator",
                    "swish, which is LOGISTIC and MUL",
                    "train with hard-swish (keras.activations.hard_silu), which is one operator",
                    "needs retraining",
                    Site("swish", (logistic, node), (x,), result.index, (form,)),
                )
                break


def _hard_swish(emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    emit.unary("HARD_SWISH", inputs[0], tflite_model.schema().HardSwishOptionsT(), output)

"""Softmax over the last axis of a long list, such as the classes of a detector's anchors, [1, A, 2].

The NPU computes a block of positions at a time, and a list fills blocks worse than a map.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from deploy.rewriting.matching import is_int8
from deploy.rewriting.site import Form, Site
from deploy.tflite.emitter import Emitter
from deploy.tflite.graph import Graph, Node

_LEAST_ROWS = 64


def softmaxes(graph: Graph) -> Iterator[Site]:
    """SOFTMAX of a list, over a map of as many positions that is as square as they allow."""
    for node in graph.nodes:
        if node.code != "SOFTMAX":
            continue
        source, result = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
        rows = math.prod(source.shape[:-1])
        if not is_int8(source, result) or rows < _LEAST_ROWS or max(source.shape[:-1]) != rows:
            continue
        height = max(factor for factor in range(1, math.isqrt(rows) + 1) if rows % factor == 0)
        if height > 1:
            form = Form(
                f"over {height} x {rows // height} positions", partial(_squarer, node, (height, rows // height))
            )
            yield Site("softmax of a list", (node,), (source.index,), result.index, (form,))


def _squarer(node: Node, size: tuple[int, int], emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    shape = (1, *size, emit.tensor(output).shape[-1])
    result = emit.activation(shape, output)
    emit.nodes.append(replace(node, inputs=(emit.reshape(inputs[0], shape),), outputs=(result,)))
    emit.reshape(result, emit.tensor(output).shape, output)

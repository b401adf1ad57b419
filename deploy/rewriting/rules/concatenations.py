"""Concatenations of short rows, as of a detector's boxes: [1, A, 4] and [1, B, 4] to [1, A + B, 4].

The NPU copies 16 bytes as fast as one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

from deploy.rewriting.matching import is_plain, same_quantization
from deploy.rewriting.site import Form, Site
from deploy.tflite.emitter import Emitter
from deploy.tflite.graph import Graph

_ROWS = (16, 32, 64)


def concatenations(graph: Graph) -> Iterator[Site]:
    """CONCATENATION along the first dimension that is not 1, in longer rows."""
    for node in graph.nodes:
        if node.code != "CONCATENATION" or not is_plain(node) or len(graph.activations(node)) != len(node.inputs):
            continue
        parts, result = [graph.tensors[index] for index in node.inputs], graph.tensors[node.outputs[0]]
        axis = node.options.axis % len(result.shape)
        inner = math.prod(result.shape[axis + 1 :])
        if math.prod(result.shape[:axis]) != 1 or not same_quantization(result, *parts):
            continue
        sizes = [part.elements for part in parts]
        rows = dict.fromkeys(math.gcd(row, *sizes) for row in _ROWS)
        forms = tuple(Form(f"in rows of {row}", partial(_in_rows, row)) for row in rows if row > 1 and inner % row)
        if forms:
            yield Site("concatenation of short rows", (node,), node.inputs, result.index, forms)


def _in_rows(row: int, emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    parts = [emit.reshape(x, (1, emit.tensor(x).elements // row, row)) for x in inputs]
    emit.reshape(emit.concatenation(parts, 1), emit.tensor(output).shape, output)

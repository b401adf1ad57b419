"""Bilinear resizing by factors that Vela leaves to the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from deploy import tflite
from deploy.advising.suggestion import Suggestion
from deploy.rewriting.matching import is_int8, is_map, same_quantization
from deploy.rewriting.site import Form, Site
from deploy.tflite.emitter import VALID, Emitter
from deploy.tflite.graph import Graph, Node

_STEPS = {4: 2, 8: 3}
"""Factor -> how many times two."""


def resizes(graph: Graph) -> Iterator[Suggestion]:
    """RESIZE_BILINEAR by 4 or 8 as steps of 2, and by a half as an average pool."""
    for node in graph.nodes:
        if node.code != "RESIZE_BILINEAR" or node.options is None or not graph.activations(node):
            continue
        source, result = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
        if not (is_map(source) and is_map(result) and is_int8(source) and same_quantization(source, result)):
            continue
        before, after = source.shape[1:3], result.shape[1:3]
        factor = after[0] // max(before[0], 1)
        if factor in _STEPS and after == tuple(factor * size for size in before):
            steps = _STEPS[factor]
            yield Suggestion(
                "cheaper operator",
                f"bilinear resizing by {factor}",
                f"build and train the network with resizing by 2, {steps} times",
                "needs retraining",
                _site(node, Form(f"{steps} times by 2", partial(_doubled, node), exact=False)),
            )
        elif node.options.halfPixelCenters and before == tuple(2 * size for size in after):
            yield Suggestion(
                "cheaper operator",
                "bilinear resizing by a half",
                "build the network with a 2x2 average pool, which computes the same",
                "within rounding",
                _site(node, Form("2x2 average pool", _halved, exact=False)),
            )


def _site(node: Node, form: Form) -> Site:
    return Site(f"bilinear, {form.name}", (node,), (node.inputs[0],), node.outputs[0], (form,))


def _doubled(node: Node, emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    x, (_, rows, _, channels) = inputs[0], emit.tensor(output).shape
    while (height := emit.tensor(x).shape[1]) < rows:
        size = (2 * height, 2 * emit.tensor(x).shape[2])
        out = output if size[0] == rows else emit.activation((1, *size, channels), x)
        wanted = emit.constant(np.asarray(size, np.int32))
        emit.nodes.append(Node(node.code, (x, wanted), (out,), node.options, node.version))
        x = out


def _halved(emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    options = tflite.schema().Pool2DOptionsT()
    options.filterHeight = options.filterWidth = options.strideH = options.strideW = 2
    options.padding = VALID
    emit.nodes.append(Node("AVERAGE_POOL_2D", inputs, (output,), options, version=2))

"""Mean and maximum over channels, [1, H, W, C] to [1, H, W, 1].

Vela leaves the mean to the CPU, and computes the maximum one channel at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from deploy.rewriting.matching import axes, is_int8, is_map, same_quantization
from deploy.rewriting.site import Form, Site
from deploy.tflite.emitter import Emitter
from deploy.tflite.graph import Graph, Node

_FOLDS = (1, 4, 8)
_HALVES = (0, 1, 2)
_CHANNELS = 3


def channel_means(graph: Graph) -> Iterator[Site]:
    """MEAN over channels as a 1x1 convolution with a kernel of ones, scaled by 1 / C.

    The sums are the same. So are the results where C is a power of two; elsewhere LiteRT and TFLM round a mean in
    coarser steps than a convolution (0.45 becomes 0.5 and then 1, measured).
    """
    for node in _reductions(graph, "MEAN"):
        _, _, width, channels = graph.tensors[node.inputs[0]].shape
        exact = channels & (channels - 1) == 0
        forms = tuple(Form(_mean_name(fold), partial(_mean, fold), exact) for fold in _FOLDS if width % fold == 0)
        yield Site("mean over channels", (node,), (node.inputs[0],), node.outputs[0], forms)


def channel_maxima(graph: Graph) -> Iterator[Site]:
    """REDUCE_MAX over channels: halves against each other, or the channels put into rows and pooled."""
    for node in _reductions(graph, "REDUCE_MAX"):
        source, result = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
        if not same_quantization(source, result):
            continue
        channels = source.shape[_CHANNELS]
        forms = [Form("tree of MAXIMUM", _tree)]
        for halves in _HALVES:
            if channels >> halves >= 8:
                name = "rows of channels, pooled" if halves == 0 else f"{halves} x MAXIMUM of halves, then pooled"
                forms.append(Form(name, partial(_pooled, halves)))
        yield Site("maximum over channels", (node,), (node.inputs[0],), node.outputs[0], tuple(forms))


def _reductions(graph: Graph, code: str) -> Iterator[Node]:
    for node in graph.nodes:
        if node.code != code or axes(graph, node) != (_CHANNELS,):
            continue
        source, result = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
        if is_map(source) and is_int8(source, result) and source.shape[_CHANNELS] > 1:
            yield node


def _mean_name(fold: int) -> str:
    return "1x1 convolution" if fold == 1 else f"1x1 convolution of {fold} columns at once"


def _mean(fold: int, emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    _, height, width, channels = emit.tensor(inputs[0]).shape
    folded = emit.reshape(inputs[0], (1, height, width // fold, channels * fold))
    kernel = np.zeros((fold, 1, 1, fold * channels), np.int8)
    for column in range(fold):
        kernel[column, 0, 0, column * channels : (column + 1) * channels] = 1
    shape = (1, height, width // fold, fold)
    direct = emit.tensor(output).shape == shape
    means = output if direct else emit.activation(shape, output)
    emit.convolution(folded, kernel, [1 / channels] * fold, out=means)
    if not direct:
        emit.reshape(means, emit.tensor(output).shape, output)


def _halved(emit: Emitter, x: int) -> int:
    channels = emit.tensor(x).shape[_CHANNELS]
    half = (channels + 1) // 2
    return emit.maximum(emit.slice(x, _CHANNELS, 0, half), emit.slice(x, _CHANNELS, channels - half, half))


def _tree(emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    x = inputs[0]
    while emit.tensor(x).shape[_CHANNELS] > 1:
        x = _halved(emit, x)
    emit.reshape(x, emit.tensor(output).shape, output)


def _pooled(halves: int, emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    x = inputs[0]
    for _ in range(halves):
        x = _halved(emit, x)
    _, height, width, channels = emit.tensor(x).shape
    rows = emit.transpose(emit.reshape(x, (1, 1, height * width, channels)), (0, 1, 3, 2))
    columns = emit.reshape(rows, (1, channels, 1, height * width))
    emit.reshape(emit.pool("MAX_POOL_2D", columns, (channels, 1)), emit.tensor(output).shape, output)

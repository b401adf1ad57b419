"""Convolutions of few channels, such as the 7x7 of a spatial attention gate (2 channels to 1).

The NPU computes 8 or 16 channels at a time, used or not. Taking neighbouring columns as channels fills them: the
kernel grows by zeros, the sums stay the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from deploy.rewriting.matching import is_int8, is_map, is_plain, same_quantization
from deploy.rewriting.site import Form, Site
from deploy.tflite.emitter import SAME, Emitter
from deploy.tflite.graph import Graph, Node

_FOLDS = (2, 4, 8)
_MOST_CHANNELS = 64
"""Channels in or out after folding: beyond, the zeros cost more than they save."""


def narrow_convolutions(graph: Graph) -> Iterator[Site]:
    """CONV_2D of few channels, alone or with the concatenation of its input."""
    for node in graph.nodes:
        convolution = _read(graph, node)
        if convolution is None:
            continue
        joined = graph.producer(node.inputs[0])
        if joined is not None and _joins_channels(graph, joined, node):
            yield from _site(graph, convolution, (joined, node), joined.inputs)
        else:
            yield from _site(graph, convolution, (node,), (node.inputs[0],))


@dataclass(frozen=True)
class _Convolution:
    """A CONV_2D to fold, by value.

    Attributes:
        kernel: [out, rows, columns, in].
        bias: None for zeros.
        stride: rows and columns.
        left: columns of padding.
    """

    kernel: NDArray[np.int8]
    scales: tuple[float, ...]
    bias: NDArray[np.int32] | None
    stride: tuple[int, int]
    activation: int
    left: int
    source: tuple[int, ...]
    result: tuple[int, ...]


def _read(graph: Graph, node: Node) -> _Convolution | None:
    options = node.options
    if node.code != "CONV_2D" or options is None or options.padding != SAME:
        return None
    source, weights, result = (graph.tensors[index] for index in (*node.inputs[:2], node.outputs[0]))
    if not (is_map(source) and is_int8(source, result)) or weights.dtype != "int8" or weights.data is None:
        return None
    if (options.dilationHFactor, options.dilationWFactor) != (1, 1) or weights.quantization is None:
        return None
    kernel = graph.constant(weights.index)
    if kernel.shape[3] != source.shape[3]:
        return None  # grouped
    bias = None
    if len(node.inputs) > 2 and node.inputs[2] >= 0:
        if graph.tensors[node.inputs[2]].data is None or graph.tensors[node.inputs[2]].dtype != "int32":
            return None
        bias = graph.constant(node.inputs[2])
    scales = weights.quantization.scales
    channels, columns = kernel.shape[0], kernel.shape[2]
    padding = max((result.shape[2] - 1) * options.strideW + columns - source.shape[2], 0)
    return _Convolution(
        kernel,
        scales if len(scales) == channels else scales * channels,
        bias,
        (options.strideH, options.strideW),
        options.fusedActivationFunction,
        padding // 2,
        source.shape,
        result.shape,
    )


def _joins_channels(graph: Graph, joined: Node, reader: Node) -> bool:
    tensors = [graph.tensors[index] for index in (*joined.inputs, *joined.outputs)]
    return (
        joined.code == "CONCATENATION"
        and is_plain(joined)
        and joined.options.axis in (3, -1)
        and len(graph.activations(joined)) == len(joined.inputs)
        and graph.private(joined.outputs[0], reader)
        and same_quantization(*tensors)
    )


def _site(
    graph: Graph, convolution: _Convolution, nodes: tuple[Node, ...], inputs: tuple[int, ...]
) -> Iterator[Site]:
    forms = tuple(
        Form(f"{fold} columns at once", partial(_folded, convolution, fold))
        for fold in _FOLDS
        if _foldable(convolution, fold)
    )
    if forms:
        yield Site("convolution of few channels", nodes, inputs, nodes[-1].outputs[0], forms)


def _foldable(convolution: _Convolution, fold: int) -> bool:
    width, channels = convolution.source[2], convolution.source[3]
    columns = fold * convolution.stride[1]
    return (
        width % columns == 0
        and convolution.result[2] * convolution.stride[1] == width
        and channels * columns <= _MOST_CHANNELS
        and convolution.result[3] * fold <= _MOST_CHANNELS
    )


def _folded(convolution: _Convolution, fold: int, emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    """The form that computes ``fold`` neighbouring columns as channels."""
    columns = fold * convolution.stride[1]
    _, height, width, _ = convolution.source
    groups = [emit.reshape(x, (1, height, width // columns, emit.tensor(x).shape[3] * columns)) for x in inputs]
    widths = [emit.tensor(x).shape[3] for x in inputs]
    joined = groups[0] if len(groups) == 1 else emit.concatenation(groups, 3)
    kernel = folded_kernel(convolution.kernel, widths, fold, convolution.stride[1], convolution.left)
    shape = (1, convolution.result[1], convolution.result[2] // fold, kernel.shape[0])
    result = emit.activation(shape, output)
    emit.convolution(
        joined,
        kernel,
        convolution.scales * fold,
        bias=None if convolution.bias is None else np.tile(convolution.bias, fold),
        stride_rows=convolution.stride[0],
        activation=convolution.activation,
        shape=shape,
        out=result,
    )
    emit.reshape(result, emit.tensor(output).shape, output)


def folded_kernel(
    kernel: NDArray[np.int8], widths: list[int], fold: int, stride: int, left: int
) -> NDArray[np.int8]:
    """The kernel over groups of columns.

    Args:
        kernel: [out, rows, columns, in].
        widths: channels of the maps that are joined; they add up to ``in``.
        fold: columns of the output in a group; a group of the input has ``fold * stride``.
        stride: of the columns.
        left: columns of padding on the left.

    Returns:
        [fold * out, rows, groups, fold * stride * in]; groups are odd, so that padding to the same size puts the
        group itself in the middle. Channels of a group: map by map, within it column by column.
    """
    out, rows, taps, channels = kernel.shape
    columns = fold * stride
    reach = [p * stride - left + k for p in range(fold) for k in range(taps)]
    most = max(-(min(reach) // columns), max(reach) // columns, 0)
    folded = np.zeros((fold, out, rows, 2 * most + 1, columns * channels), np.int8)
    starts = np.cumsum([0, *widths])
    for p in range(fold):
        for k in range(taps):
            group, column = divmod(p * stride - left + k, columns)
            for start, width in zip(starts, widths, strict=False):
                place = columns * start + column * width
                folded[p, :, :, group + most, place : place + width] = kernel[:, :, k, start : start + width]
    return folded.reshape(fold * out, rows, 2 * most + 1, columns * channels)

"""Mean and maximum over all positions, [1, H, W, C] to [1, 1, 1, C] or [1, C].

A window as large as the map gives a single position, which leaves units of the NPU idle: columns first, and then
the row that is left, is several times faster.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from deploy.rewriting.matching import axes, is_int8, is_map, is_plain, same_quantization
from deploy.rewriting.site import Form, Site
from deploy.tflite import Quantization, Tensor
from deploy.tflite.emitter import VALID, Emitter
from deploy.tflite.graph import Graph, Node

_LARGEST_KERNEL = 64
_LARGEST_WINDOW = 256
"""Rows of a kernel and of a pooling window that the NPU has (source: Vela's list of supported operators)."""


_LEAST, _FINEST = -128, 255
"""Zero point of a map without negative values, as behind a ReLU; the steps that such a map has."""

_FINER = 16
"""Steps of a fine mean in one step of the map."""


def global_means(graph: Graph) -> Iterator[Site]:
    """MEAN over all positions in two sums.

    What is rounded in between must not show: whole steps of the map only where a step of the result is as large.
    """
    for node in graph.nodes:
        if not (node.code == "MEAN" and axes(graph, node) == (1, 2)):
            continue
        source, result = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
        if not (is_map(source) and is_int8(source, result)):
            continue
        _, height, width, _ = source.shape
        forms = []
        if 1 < height <= _LARGEST_KERNEL and 1 < width <= _LARGEST_KERNEL:
            forms.append(Form("fine and coarse means of columns, then of the row", _fine_sums, exact=False))
            if _step(source) <= _step(result):
                forms.append(Form("means of columns, then of the row", _two_sums, exact=False))
        if 1 < height <= _LARGEST_WINDOW and 1 < width <= _LARGEST_KERNEL and _step(source) <= _step(result):
            forms.append(Form("average pool of columns, then the mean of the row", _pool_and_sum, exact=False))
        if forms:
            yield Site("global average", (node,), (node.inputs[0],), node.outputs[0], tuple(forms))


def global_maxima(graph: Graph) -> Iterator[Site]:
    """REDUCE_MAX over all positions, or a max pool as large as the map."""
    for node in graph.nodes:
        if not (node.code == "REDUCE_MAX" and axes(graph, node) == (1, 2)) and not _whole_map_pool(graph, node):
            continue
        source, result = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
        if not (is_map(source) and is_int8(source) and same_quantization(source, result)):
            continue
        forms = []
        if source.shape[1] > 1 and source.shape[2] > 1 and max(source.shape[1:3]) <= _LARGEST_WINDOW:
            forms.append(Form("maxima of columns, then of the row", _two_maxima))
        if source.shape[1] * source.shape[2] > 1:
            forms.append(Form("tree of MAXIMUM", _tree))
        if forms:
            yield Site("global maximum", (node,), (node.inputs[0],), node.outputs[0], tuple(forms))


def _step(tensor: Tensor) -> float:
    return tensor.quantization.scales[0] if tensor.quantization is not None else 0.0


def _whole_map_pool(graph: Graph, node: Node) -> bool:
    if node.code != "MAX_POOL_2D" or not is_plain(node) or node.options is None:
        return False
    shape, options = graph.tensors[node.inputs[0]].shape, node.options
    return (
        len(shape) == 4
        and options.padding == VALID
        and (options.filterHeight, options.filterWidth) == tuple(shape[1:3])
    )


def _two_sums(emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    height = emit.tensor(inputs[0]).shape[1]
    _mean_of_row(emit, emit.sum_of_window(inputs[0], _ones(height, 1), 1 / height), output)


def _pool_and_sum(emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    height = emit.tensor(inputs[0]).shape[1]
    _mean_of_row(emit, emit.pool("AVERAGE_POOL_2D", inputs[0], (height, 1)), output)


def _fine_sums(emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    """Means of columns in parts: small ones in sixteenths of a step of the map, what lies beyond in whole steps.

    Most columns have small means. In whole steps they would all be rounded the same way, up to 15 steps of the
    result in the end (measured). The parts share scale and zero point, so that one sum over the row adds them up.
    """
    _, height, width, _ = emit.tensor(inputs[0]).shape
    source = emit.tensor(inputs[0]).quantization
    assert source is not None  # noqa: S101 - the rule asked for it
    finer = Quantization((float(np.float32(source.scales[0]) / np.float32(_FINER)),), (_LEAST,))
    negative = 0 if source.zero_points[0] == _LEAST else _FINEST // 2 + 1  # sixteenths below zero that are fine

    def part(sign: int, scale: float, sixteenths: int) -> int:
        """The mean of every column, times sign and scale, plus an offset; what is negative is cut off."""
        bias = round(sixteenths * height / _FINER)
        return emit.sum_of_window(
            inputs[0], sign * _ones(height, 1), scale / height, bias=bias, quantization=finer
        )

    parts, factors = [part(1, 1, negative), part(1, 1 / _FINER, negative - _FINEST)], [1, _FINER]
    if negative:
        parts.append(part(-1, 1 / _FINER, -negative))
        factors.append(-_FINER)
    weights = np.repeat(np.array(factors, np.int8)[:, None], width, axis=1)
    _mean_of_row(emit, emit.concatenation(parts, 1), output, weights, bias=-negative * width)


def _mean_of_row(
    emit: Emitter, row: int, output: int, weights: NDArray[np.int8] | None = None, *, bias: int = 0
) -> None:
    _, _, width, channels = emit.tensor(row).shape
    wanted, target = emit.tensor(output).shape, emit.tensor(output).quantization
    out = output if wanted == (1, 1, 1, channels) else None
    kernel = _ones(1, width) if weights is None else weights
    mean = emit.sum_of_window(row, kernel, 1 / width, bias=bias, quantization=target, out=out)
    if out is None:
        emit.reshape(mean, wanted, output)


def _ones(rows: int, columns: int) -> NDArray[np.int8]:
    return np.ones((rows, columns), np.int8)


def _two_maxima(emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    _, height, width, _ = emit.tensor(inputs[0]).shape
    row = emit.pool("MAX_POOL_2D", inputs[0], (height, 1))
    emit.reshape(emit.pool("MAX_POOL_2D", row, (1, width)), emit.tensor(output).shape, output)


def _tree(emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    x = inputs[0]
    for axis in (1, 2):
        while (size := emit.tensor(x).shape[axis]) > 1:
            half = (size + 1) // 2
            x = emit.maximum(emit.slice(x, axis, 0, half), emit.slice(x, axis, size - half, half))
    emit.reshape(x, emit.tensor(output).shape, output)

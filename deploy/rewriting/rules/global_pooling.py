"""Mean and maximum over all positions, [1, H, W, C] to [1, 1, 1, C] or [1, C].

A window as large as the map gives a single position, which leaves units of the NPU idle: columns first, and then
the row that is left, is several times faster.
"""

from __future__ import annotations

from collections.abc import Iterator

from deploy.rewriting.emitter import VALID, Emitter
from deploy.rewriting.graph import Graph, Node
from deploy.rewriting.matching import axes, is_int8, is_map, is_plain, same_quantization
from deploy.rewriting.site import Form, Site

_LARGEST_KERNEL = 64
_LARGEST_WINDOW = 256
"""Rows of a kernel and of a pooling window that the NPU has (source: Vela's list of supported operators)."""


def global_means(graph: Graph) -> Iterator[Site]:
    """MEAN over all positions as two sums, or as a pool and a sum."""
    for node in graph.nodes:
        if not (node.code == "MEAN" and axes(graph, node) == (1, 2)):
            continue
        source, result = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
        if not (is_map(source) and is_int8(source, result)):
            continue
        _, height, width, _ = source.shape
        forms = []
        if 1 < height <= _LARGEST_KERNEL and 1 < width <= _LARGEST_KERNEL:
            forms.append(Form("means of columns, then of the row", _two_sums, exact=False))
        if 1 < height <= _LARGEST_WINDOW and 1 < width <= _LARGEST_KERNEL:
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
    _mean_of_row(emit, emit.sum_of_window(inputs[0], (height, 1), 1 / height), output)


def _pool_and_sum(emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    height = emit.tensor(inputs[0]).shape[1]
    _mean_of_row(emit, emit.pool("AVERAGE_POOL_2D", inputs[0], (height, 1)), output)


def _mean_of_row(emit: Emitter, row: int, output: int) -> None:
    _, _, width, channels = emit.tensor(row).shape
    shape, wanted = (1, 1, 1, channels), emit.tensor(output).shape
    out = output if wanted == shape else None
    mean = emit.sum_of_window(row, (1, width), 1 / width, out, like=output)
    if out is None:
        emit.reshape(mean, wanted, output)


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

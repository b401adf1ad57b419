"""Channels just above a number that the NPU takes as a whole: 17 where 16 would do.

The NPU computes 8 channels at a time, and feature maps lie in bricks of 16 (U55 and U65). Whether that matters is
not assumed here: the same operator is written once more with a few channels less, and Vela says what each costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from deploy.advising.suggestion import Suggestion
from deploy.rewriting.site import Site
from deploy.tflite import Quantization
from deploy.tflite.graph import Graph, Node

_UNIT = 8
_MOST_DROPPED = 8
"""At most one channel of so many is dropped: 17 and 18 are just above 16, 20 is not."""
_LEAST_SHARE = 0.1
"""Share of an operator's cycles that must be saved."""

_ALONG = {"CONV_2D": (0, 3), "DEPTHWISE_CONV_2D": (3, 3)}
"""Operator -> dimensions of its kernel that are channels out and channels in."""
_MIXES = ("CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
"""Operators whose channels out have nothing to do with their channels in."""


def fewer(channels: int) -> int:
    """The number of channels that would do: the multiple of 8 just below; the same where that is too far."""
    rounded = channels - channels % _UNIT
    return rounded if rounded and (channels - rounded) * _MOST_DROPPED <= channels else channels


def odd_channels(graph: Graph) -> Iterator[Suggestion]:
    """Convolutions with channels just above a multiple of 8, in or out."""
    fixed = _fixed(graph)
    for node in graph.nodes:
        if node.code not in _ALONG or not _is_plain_convolution(graph, node):
            continue
        x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
        taken = x.shape[-1] if x.index in fixed else fewer(x.shape[-1])
        given = y.shape[-1] if y.index in fixed else fewer(y.shape[-1])
        if node.code == "DEPTHWISE_CONV_2D":
            taken = given = max(taken, given)
        pairs = sorted({(old, new) for old, new in ((x.shape[-1], taken), (y.shape[-1], given)) if old != new})
        if pairs:
            yield Suggestion(
                "channels",
                " and ".join(f"{old} channels where {new} would do" for old, new in pairs),
                f"build and train the network with {' and '.join(str(new) for _, new in pairs)} channels there",
                "needs retraining",
                Site("channels", (node,), (x.index,), y.index, ()),
                _twin(graph, node, taken, given),
                _LEAST_SHARE,
            )


def _is_plain_convolution(graph: Graph, node: Node) -> bool:
    """Whether it is a convolution with a constant kernel, one channel out a channel in where it is depthwise."""
    x, y, kernel = (graph.tensors[index] for index in (node.inputs[0], node.outputs[0], node.inputs[1]))
    if len(x.shape) != 4 or len(kernel.shape) != 4 or x.data is not None or kernel.data is None:
        return False
    out, taken = (kernel.shape[axis] for axis in _ALONG[node.code])
    return out == y.shape[3] and taken == x.shape[3] and kernel.data.size == kernel.nbytes


def _fixed(graph: Graph) -> set[int]:
    """The tensors whose channels are those of an input or an output of the network."""
    fixed = {*graph.inputs, *graph.outputs}
    before = 0
    while len(fixed) != before:
        before = len(fixed)
        for node in graph.nodes:
            if node.code in _MIXES:
                continue
            activations = graph.activations(node)
            if fixed.intersection((*activations, *node.outputs)):
                fixed.update(activations, node.outputs)
    return fixed


def _twin(graph: Graph, node: Node, fewer_in: int, fewer_out: int) -> Site:
    """The operator with other channels, beside the graph: its tensors are in it, the operator is not."""
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    source = graph.add_tensor(x.name, (*x.shape[:-1], fewer_in), x.dtype, x.quantization)
    result = graph.add_tensor(y.name, (*y.shape[:-1], fewer_out), y.dtype, y.quantization)
    out, taken = _ALONG[node.code]
    cut = {out: fewer_out} if out == taken else {out: fewer_out, taken: fewer_in}
    kernel = _cut(graph, node.inputs[1], cut)
    bias = [_cut(graph, index, {0: fewer_out}) if index >= 0 else -1 for index in node.inputs[2:3]]
    twin = replace(node, inputs=(source, kernel, *bias), outputs=(result,))
    return Site("channels, fewer", (twin,), (source,), result, ())


def _cut(graph: Graph, index: int, sizes: dict[int, int]) -> int:
    """A constant without the last of its slices along some axes."""
    tensor = graph.tensors[index]
    data = graph.constant(index)
    data = data[tuple(slice(sizes.get(axis)) for axis in range(data.ndim))]
    quantization = tensor.quantization
    if quantization is not None and len(quantization.scales) > 1 and (size := sizes.get(quantization.axis)):
        scales, zeros = quantization.scales[:size], quantization.zero_points[:size]
        quantization = Quantization(scales, zeros, quantization.axis)
    return graph.add_tensor(tensor.name, data.shape, tensor.dtype, quantization, np.ascontiguousarray(data))

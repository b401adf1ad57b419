"""Channel shuffles in front of a convolution: its kernel takes the channels in any order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deploy.rewriting.matching import MOVES, chain_to, is_map, moved, same_quantization
from deploy.rewriting.site import Form, Site, Write
from deploy.tflite.emitter import Emitter
from deploy.tflite.graph import Graph, Node


def channel_shuffles(graph: Graph) -> Iterator[Site]:
    """Chains of RESHAPE and TRANSPOSE that put the channels of a map into another order for one CONV_2D."""
    for reader in graph.nodes:
        if reader.code != "CONV_2D" or graph.tensors[reader.inputs[1]].data is None:
            continue
        last = graph.producer(reader.inputs[0])
        if last is None or last.code not in MOVES or not graph.private(last.outputs[0], reader):
            continue
        whole = chain_to(graph, last)
        for first in range(len(whole)):
            chain = whole[first:]
            order = _order(graph, chain)
            if order is not None and graph.constant(reader.inputs[1]).shape[3] == order.size:
                form = Form("kernel in that order", _permuted(graph, reader, order))
                source = chain[0].inputs[0]
                yield Site("channel shuffle", (*chain, reader), (source,), reader.outputs[0], (form,))
                break


def _order(graph: Graph, chain: tuple[Node, ...]) -> NDArray[np.int64] | None:
    """Output channel -> input channel, where that is all that the chain does."""
    source, result = graph.tensors[chain[0].inputs[0]], graph.tensors[chain[-1].outputs[0]]
    if not (is_map(source) and source.shape == result.shape and same_quantization(source, result)):
        return None
    indices = moved(graph, chain)
    if indices is None or all(node.code != "TRANSPOSE" for node in chain):
        return None
    channels = source.shape[3]
    order = indices.reshape(-1, channels)[0]
    positions = np.arange(indices.size // channels)[:, None] * channels
    return order if np.array_equal(indices.reshape(-1, channels), positions + order) else None


def _permuted(graph: Graph, reader: Node, order: NDArray[np.int64]) -> Write:
    kernel, quantization = graph.constant(reader.inputs[1]), graph.tensors[reader.inputs[1]].quantization
    permuted = np.empty_like(kernel)
    permuted[..., order] = kernel
    operands = [
        (graph.constant(index), graph.tensors[index].quantization) for index in reader.inputs[2:] if index >= 0
    ]

    def write(emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
        rest = tuple(emit.constant(data, scale) for data, scale in operands)
        weights = emit.constant(permuted, quantization)
        emit.nodes.append(
            replace(reader, inputs=(inputs[0], weights, *rest), outputs=(output,), record=reader.record)
        )

    return write

"""Nearest-neighbour upsampling written with TILE, as Keras' ``UpSampling2D`` becomes: a hundred copies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deploy.rewriting.matching import chain_to, is_map, moved, same_quantization
from deploy.rewriting.site import Form, Site
from deploy.tflite.emitter import Emitter
from deploy.tflite.graph import Graph

_FACTORS = (2, 4, 8)


def upsampling(graph: Graph) -> Iterator[Site]:
    """Chains of RESHAPE and TILE that repeat every position, as one RESIZE_NEAREST_NEIGHBOR."""
    for node in graph.nodes:
        if node.code != "RESHAPE" or not is_map(graph.tensors[node.outputs[0]]):
            continue
        whole = chain_to(graph, node)
        for first in range(len(whole)):
            chain = whole[first:]
            source, result = graph.tensors[chain[0].inputs[0]], graph.tensors[node.outputs[0]]
            if not (is_map(source) and same_quantization(source, result)) or source.shape[3] != result.shape[3]:
                continue
            factor = result.shape[1] // source.shape[1]
            repeated = (source.shape[1] * factor, source.shape[2] * factor)
            if factor not in _FACTORS or repeated != tuple(result.shape[1:3]):
                continue
            indices = moved(graph, chain)
            if indices is None:
                continue
            positions = np.arange(source.elements).reshape(source.shape)
            if not np.array_equal(indices, positions.repeat(factor, 1).repeat(factor, 2)):
                continue
            form = Form("RESIZE_NEAREST_NEIGHBOR", _resize)
            yield Site("nearest-neighbour upsampling", chain, (source.index,), result.index, (form,))
            break


def _resize(emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    _, height, width, _ = emit.tensor(output).shape
    emit.resize_nearest(inputs[0], height, width, output)

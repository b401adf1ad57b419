"""Transposes of more than four dimensions, which stay on the CPU or take several operations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

from deploy.rewriting.matching import same_quantization
from deploy.rewriting.site import Form, Site
from deploy.tflite.emitter import Emitter
from deploy.tflite.graph import Graph


def transposes(graph: Graph) -> Iterator[Site]:
    """TRANSPOSE with the dimensions that stay together taken as one."""
    for node in graph.nodes:
        if node.code != "TRANSPOSE" or graph.tensors[node.inputs[1]].data is None:
            continue
        source, result = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
        permutation = graph.constant(node.inputs[1]).reshape(-1).tolist()
        if sorted(permutation) != list(range(len(source.shape))) or not same_quantization(source, result):
            continue
        shape, order = merged(source.shape, permutation)
        if len(shape) < len(source.shape) and len(source.shape) > 3:
            form = Form(f"transpose of {len(shape)} dimensions", partial(_transpose, shape, order))
            yield Site("transpose", (node,), (node.inputs[0],), node.outputs[0], (form,))


def merged(shape: tuple[int, ...], permutation: list[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The same transpose with fewer dimensions: its shape and its permutation.

    Dimensions of 1 go, and neighbours that stay neighbours become one.
    """
    groups: list[list[int]] = []
    for axis in permutation:
        if shape[axis] == 1:
            continue
        if groups and axis == _next(shape, groups[-1][-1]):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    ordered = sorted(groups, key=lambda group: group[0])
    sizes = tuple(math.prod(shape[axis] for axis in group) for group in ordered)
    return sizes, tuple(ordered.index(group) for group in groups)


def _next(shape: tuple[int, ...], axis: int) -> int:
    """The next axis that is not of size 1."""
    following = axis + 1
    while following < len(shape) and shape[following] == 1:
        following += 1
    return following


def _transpose(
    shape: tuple[int, ...], order: tuple[int, ...], emit: Emitter, inputs: tuple[int, ...], output: int
) -> None:
    x = emit.reshape(inputs[0], shape)
    if order != tuple(range(len(order))):
        x = emit.transpose(x, order)
    emit.reshape(x, emit.tensor(output).shape, output)

"""Elementwise operators on maps whose channels are no multiple of 16.

The NPU's own layout of a map comes in bricks of 16 channels, and elementwise operators compute whole bricks: 20
channels take as long as 32. What they compute does not depend on the shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from deploy.rewriting.matching import is_int8, is_map
from deploy.rewriting.site import Form, Site, Write
from deploy.tflite.emitter import Emitter
from deploy.tflite.graph import Graph, Node

_OPERATORS = ("ADD", "SUB", "MUL")
"""Not MAXIMUM: as maps of 16 channels it makes its neighbours dearer than it gets cheaper itself (measured)."""
_BRICK = 16


def elementwise(graph: Graph) -> Iterator[Site]:
    """Operators on two maps of one shape, or on a map and a number, as maps of 16 channels."""
    for node in graph.nodes:
        if node.code not in _OPERATORS or not all(index >= 0 for index in node.inputs):
            continue
        result = graph.tensors[node.outputs[0]]
        if not (is_map(result) and is_int8(result)) or result.shape[3] % _BRICK == 0 or result.elements % _BRICK:
            continue
        operands = [graph.tensors[index] for index in node.inputs]
        maps = tuple(operand.index for operand in operands if operand.shape == result.shape)
        if not all(
            is_int8(operand) and (operand.index in maps if operand.data is None else operand.elements == 1)
            for operand in operands
        ):
            continue
        form = Form("as a map of 16 channels", _as_bricks(graph, node))
        yield Site("elementwise operator on an odd number of channels", (node,), maps, result.index, (form,))


def _as_bricks(graph: Graph, node: Node) -> Write:
    constants = {
        position: (graph.constant(index).reshape(-1)[:1], graph.tensors[index].quantization)
        for position, index in enumerate(node.inputs)
        if graph.tensors[index].data is not None
    }

    def write(emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
        _, height, width, channels = emit.tensor(output).shape
        rows = height if width * channels % _BRICK == 0 else 1
        shape = (1, rows, height * width * channels // _BRICK // rows, _BRICK)
        given = iter(inputs)
        operands = [
            emit.constant(*constants[position]) if position in constants else emit.reshape(next(given), shape)
            for position in range(len(node.inputs))
        ]
        result = emit.activation(shape, output)
        emit.nodes.append(replace(node, inputs=tuple(operands), outputs=(result,)))
        emit.reshape(result, emit.tensor(output).shape, output)

    return write

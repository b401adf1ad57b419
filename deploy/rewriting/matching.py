"""What rules ask of nodes and tensors, and of chains of operators that only move elements.

A chain is followed on indices, so that what it does is known, not guessed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.tflite import Tensor
from deploy.tflite.graph import Graph, Node

MOVES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "TILE")
_MAX_ELEMENTS = 1 << 22


def is_int8(*tensors: Tensor) -> bool:
    """Whether all are int8 with one scale each."""
    return all(
        tensor.dtype == "int8" and tensor.quantization is not None and len(tensor.quantization.scales) == 1
        for tensor in tensors
    )


def same_quantization(first: Tensor, *others: Tensor) -> bool:
    """Whether all have the dtype, the scale and the zero point of the first: integers can be copied."""
    return all(other.dtype == first.dtype and other.quantization == first.quantization for other in others)


def is_map(tensor: Tensor) -> bool:
    """Whether it is a feature map [1, H, W, C]."""
    return len(tensor.shape) == 4 and tensor.shape[0] == 1


def is_plain(node: Node) -> bool:
    """Whether no activation function is fused into the operator."""
    return not getattr(node.options, "fusedActivationFunction", 0)


def axes(graph: Graph, node: Node) -> tuple[int, ...]:
    """The axes of a reduction, ascending and not negative; empty where they are no constant."""
    if len(node.inputs) != 2 or graph.tensors[node.inputs[1]].data is None:
        return ()
    rank = len(graph.tensors[node.inputs[0]].shape)
    values: NDArray[np.int32] = graph.constant(node.inputs[1]).reshape(-1)
    if any(not -rank <= int(value) < rank for value in values):
        return ()
    return tuple(sorted({int(value) % rank for value in values}))


def chain_to(graph: Graph, node: Node) -> tuple[Node, ...]:
    """The moving operators that end in this one, each read by the next alone; first to last."""
    chain = [node]
    while (before := graph.producer(chain[0].inputs[0])) is not None:
        if before.code not in MOVES or not graph.private(before.outputs[0], chain[0]):
            break
        chain.insert(0, before)
    return tuple(chain)


def moved(graph: Graph, chain: tuple[Node, ...]) -> NDArray[np.int64] | None:
    """For every element of the chain's output the flat index of the input element that it is.

    None where that cannot be said: an operand that is no constant, or too many elements.
    """
    shape = graph.tensors[chain[0].inputs[0]].shape
    if max(int(np.prod(graph.tensors[node.outputs[0]].shape)) for node in chain) > _MAX_ELEMENTS:
        return None
    indices = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
    for node in chain:
        result = graph.tensors[node.outputs[0]].shape
        if node.code in ("TRANSPOSE", "TILE"):
            if graph.tensors[node.inputs[1]].data is None:
                return None
            operand = graph.constant(node.inputs[1]).reshape(-1).tolist()
            indices = indices.transpose(operand) if node.code == "TRANSPOSE" else np.tile(indices, operand)
        if indices.size != int(np.prod(result)):
            return None
        indices = indices.reshape(result)
    return indices

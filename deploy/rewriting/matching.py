"""What rules ask of nodes and tensors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.tflite import Tensor
from deploy.tflite.graph import Graph, Node


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

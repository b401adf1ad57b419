"""Operators that copy integers, between tensors of different scales: mended after quantizing.

TensorFlow's converter gives REVERSE_V2 a scale of its own (2.21, measured: a bidirectional LSTM loses all that it
has computed), but its kernels, and the NPU, move bytes. A QUANTIZE before it gives integers of the output's scale.
"""

from __future__ import annotations

from deploy.tflite import Model, damage_named
from deploy.tflite.graph import Graph, Node

_COPYING = (
    "DEPTH_TO_SPACE",
    "EXPAND_DIMS",
    "MIRROR_PAD",
    "RESHAPE",
    "REVERSE_V2",
    "SLICE",
    "SPACE_TO_DEPTH",
    "SQUEEZE",
    "STRIDED_SLICE",
    "TILE",
    "TRANSPOSE",
)


def with_scales_of_copies(model: Model) -> Model:
    """A quantized model whose copying operators read what is scaled as they write; the same object where all do.

    Raises:
        BadInputError: it cannot be written.
    """
    if len(model.tensor_counts) != 1:
        return model
    graph = Graph(model)
    with damage_named("the quantized model"):
        found = [node for node in graph.nodes if node.code in _COPYING and _rescales(graph, node)]
        for node in found:
            x, output = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
            scaled = graph.add_tensor(f"{output.name}_scaled", x.shape, x.dtype, output.quantization)
            copying = Node(
                node.code, (scaled, *node.inputs[1:]), node.outputs, node.options, node.version, record=node.record
            )
            graph.replace([node], [Node("QUANTIZE", (node.inputs[0],), (scaled,), version=2), copying])
    return graph.model() if found else model


def _rescales(graph: Graph, node: Node) -> bool:
    """Whether input and output are quantized, and differently."""
    x, output = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    return (
        x.dtype == output.dtype == "int8"
        and x.quantization is not None
        and output.quantization is not None
        and (x.quantization.scales, x.quantization.zero_points)
        != (output.quantization.scales, output.quantization.zero_points)
    )

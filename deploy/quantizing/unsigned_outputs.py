"""Keeps uint8 outputs whose int8 tensor has zero point 0 out of a defect of Vela (5.2.0, found by running it).

Vela folds the last QUANTIZE into the operator before it and leaves that one's clamp at 0..127 of 0..255: half the
range is lost. Quantization-aware training and symmetric outputs make such tensors. An average over windows of one
element in between, which changes nothing, is not folded into; on U85 a maximum is.
"""

from __future__ import annotations

import math

from deploy.tflite import Model, damage_named
from deploy.tflite.emitter import Emitter
from deploy.tflite.graph import Graph, Node

_NOT_FOLDED_INTO = "AVERAGE_POOL_2D"


def with_unsigned_outputs_kept(model: Model) -> tuple[Model, tuple[str, ...]]:
    """A quantized model in which Vela cannot fold what it folds wrongly.

    Returns:
        The model, the same object where there was nothing to do; and the outputs that are concerned.

    Raises:
        BadInputError: it cannot be written.
    """
    if len(model.tensor_counts) != 1:
        return model, ()
    graph = Graph(model)
    names = model.output_names()
    kept = []
    with damage_named("the quantized model"):
        for node in [node for node in graph.nodes if _is_folded_wrongly(graph, node)]:
            x, shape = node.inputs[0], graph.tensors[node.inputs[0]].shape
            emit = Emitter(graph, f"{graph.tensors[node.outputs[0]].name}_int8")
            if len(shape) == 4 and shape[0] == 1:
                same = emit.pool(_NOT_FOLDED_INTO, x, (1, 1))
            else:
                rows = emit.reshape(x, (1, math.prod(shape[:-1]), 1, shape[-1]))
                same = emit.reshape(emit.pool(_NOT_FOLDED_INTO, rows, (1, 1)), shape)
            last = Node(node.code, (same,), node.outputs, node.options, node.version, record=node.record)
            graph.replace([node], [*emit.nodes, last])
            kept.append(names[node.outputs[0]])
    return (graph.model() if kept else model), tuple(kept)


def kept_note(output: str) -> str:
    """What to tell the user about an output that needed it."""
    return (
        f"output {output}: its int8 zero point is 0, which Vela compiles wrongly before a uint8 output; an "
        "average over single elements stands in between, which costs a little time: --io int8 does without"
    )


def _is_folded_wrongly(graph: Graph, node: Node) -> bool:
    """Whether it makes a uint8 output of an int8 tensor whose zero point is 0."""
    if node.code != "QUANTIZE" or node.outputs[0] not in graph.outputs:
        return False
    x, output = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    before = graph.producer(node.inputs[0])
    return (
        (x.dtype, output.dtype) == ("int8", "uint8")
        and x.quantization is not None
        and x.quantization.zero_points == (0,)
        and len(x.shape) > 0
        and before is not None
        and before.code != _NOT_FOLDED_INTO
    )

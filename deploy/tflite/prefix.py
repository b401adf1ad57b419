"""The first operators of a compiled model as a model of its own, with other constants where that is asked for.

The file is patched, not written anew: every tensor keeps its index and its place in the arena. What is new stands
at its end.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.errors import BadInputError
from deploy.tflite.generated import schema
from deploy.tflite.model import Model
from deploy.tflite.reading import damage_named
from deploy.tflite.state import variable_tensors

# Places of fields in their tables (source: TFLite's schema, the fourth byte of a table's own is its first field).
_SHAPE_OF_TENSOR = 4
_DATA_OF_BUFFER = 4
_OUTPUTS_OF_GRAPH = 8
_OPERATORS_OF_GRAPH = 10

_ALIGNMENT = 16


def live_after(model: Model, operator: int) -> tuple[int, ...]:
    """The tensors that hold something when an operator has run, and that a later one or the user needs.

    Args:
        model: any model.
        operator: its position; -1 for the time before the first one.
    """
    held = dict.fromkeys((*model.inputs, *(tensor.index for tensor in variable_tensors(model))))
    for earlier in model.operators[: operator + 1]:
        held.update(dict.fromkeys(earlier.outputs))
    needed = {*model.outputs, *(index for later in model.operators[operator + 1 :] for index in later.inputs)}
    return tuple(index for index in held if index in needed)


def prefix(model: Model, operator: int, contents: Mapping[int, bytes]) -> bytes:
    """The model up to an operator; its outputs are the tensors that later operators would need.

    Nothing that this model needs gets another place, and nothing that is needed later is given up: its memory is
    that of the whole model after the same operator.

    Args:
        model: compiled by Vela.
        operator: position of the last operator.
        contents: constant tensor -> what it holds instead, as bytes ``(n,)``.

    Raises:
        BadInputError: the file is damaged, or a tensor shares its content with others.
    """
    content = bytearray(model.content)
    with damage_named("the compiled model"):
        root = schema().Model.GetRootAs(content, 0)
        graph = root.Subgraphs(0)
        outputs = live_after(model, operator) or model.operators[operator].outputs
        _point(content, graph._tab, _OUTPUTS_OF_GRAPH, _numbers(content, outputs))
        operators = graph._tab.Vector(graph._tab.Offset(_OPERATORS_OF_GRAPH))
        struct.pack_into("<I", content, operators - 4, operator + 1)
        for index, held in contents.items():
            tensor = model.tensors[index]
            if sum(other.buffer == tensor.buffer for other in model.tensors) > 1:
                raise BadInputError(f"the tensor {tensor.name!r} shares its content with another one")
            _point(content, root.Buffers(tensor.buffer)._tab, _DATA_OF_BUFFER, _bytes(content, held))
            if len(held) != tensor.nbytes:
                _point(content, graph.Tensors(index)._tab, _SHAPE_OF_TENSOR, _numbers(content, [len(held)]))
    return bytes(content)


def _point(content: bytearray, table: Any, field: int, vector: int) -> None:
    """Have a field of a table refer to another vector, which stands behind it."""
    offset = table.Offset(field)
    if offset == 0:
        raise ValueError("a table without the field that has to change")
    at = table.Pos + offset
    struct.pack_into("<I", content, at, vector - at)


def _numbers(content: bytearray, values: Sequence[int]) -> int:
    """Append a vector of int32; returns where it stands."""
    return _vector(content, len(values), struct.pack(f"<{len(values)}i", *values))


def _bytes(content: bytearray, values: bytes) -> int:
    """Append a vector of bytes; returns where it stands."""
    return _vector(content, len(values), values)


def _vector(content: bytearray, count: int, values: bytes) -> int:
    """The values begin at a multiple of 16 bytes, as what the NPU reads has to."""
    content.extend(bytes(-(len(content) + 4) % _ALIGNMENT))
    at = len(content)
    content += struct.pack("<I", count) + values
    return at

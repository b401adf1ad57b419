"""Puts what initialises resource variables in front of what reads them; changes nothing else of the file. Pure.

Vela 5.2.0 writes CALL_ONCE behind the operators that read variables: in the first inference these would read what
the runtime put there, its zero points, in the place of the initial values that the model gives.
"""

from __future__ import annotations

import struct

from deploy.tflite.generated import schema
from deploy.tflite.model import Model
from deploy.tflite.state import CALL_ONCE

_OPERATORS_OF_GRAPH = 10
"""Where a subgraph's table keeps the place of its operators, in the table's own index."""


def initialised_first(model: Model) -> bytes:
    """The file of a model with its CALL_ONCE operators first, all others in the order that they had."""
    order = sorted(model.operators, key=lambda operator: operator.code != CALL_ONCE)
    if [operator.index for operator in order] == list(range(len(order))):
        return model.content
    content = bytearray(model.content)
    graph = schema().Model.GetRootAs(content, 0).Subgraphs(0)
    start = graph._tab.Vector(graph._tab.Offset(_OPERATORS_OF_GRAPH))
    # Every entry says how far away from itself its table stands.
    slots = [start + 4 * number for number in range(len(order))]
    tables = [slot + struct.unpack_from("<I", content, slot)[0] for slot in slots]
    for slot, operator in zip(slots, order, strict=True):
        struct.pack_into("<I", content, slot, tables[operator.index] - slot)
    return bytes(content)

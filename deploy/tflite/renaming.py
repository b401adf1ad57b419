"""Gives tensors of a ``.tflite`` other names, and changes nothing else of the file. Pure."""

from __future__ import annotations

import struct
from collections.abc import Callable

from deploy.tflite.generated import schema
from deploy.tflite.reading import damage_named

_NAME_FIELD = 10
"""Where a tensor's table keeps the place of its name, in the table's own index: the fourth field of the schema."""


@damage_named("the model")
def with_names(content: bytes, name_of: Callable[[str], str]) -> bytes:
    """A model whose tensors, in all subgraphs, are called otherwise.

    A string of a flatbuffer lies anywhere behind the field that points to it: new ones are put at the end, so that
    everything else, the alignment of constants too, stays as it is.

    Args:
        content: a ``.tflite`` that can be read.
        name_of: a tensor's name -> what it shall be.

    Raises:
        BadInputError: the file is damaged.
    """
    root = schema().Model.GetRootAs(content, 0)
    changed = bytearray(content)
    places: dict[str, int] = {}
    for i in range(root.SubgraphsLength()):
        graph = root.Subgraphs(i)
        for k in range(graph.TensorsLength()):
            tensor = graph.Tensors(k)
            old = (tensor.Name() or b"").decode("utf-8", "replace")
            new = name_of(old)
            offset = tensor._tab.Offset(_NAME_FIELD)
            if new == old or offset == 0:
                continue
            if new not in places:
                places[new] = _append(changed, new.encode("utf-8", "replace"))
            field = tensor._tab.Pos + offset
            struct.pack_into("<I", changed, field, places[new] - field)
    return bytes(changed)


def _append(content: bytearray, text: bytes) -> int:
    """Put a string at the end; returns where it begins."""
    content.extend(bytes(-len(content) % 4))
    place = len(content)
    content.extend(struct.pack("<I", len(text)) + text + b"\0")
    content.extend(bytes(-len(content) % 4))
    return place

"""A file as the schema's own objects, to be changed and written again; ``Any``, since they are generated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.tflite.generated import IDENTIFIER, schema
from deploy.tflite.reading import damage_named


@damage_named("the model")
def unpacked(content: bytes) -> Any:
    """The ``ModelT`` of a file that :func:`deploy.tflite.load` has read.

    Raises:
        BadInputError: what nothing has looked at so far is damaged.
    """
    return schema().ModelT.InitFromObj(schema().Model.GetRootAs(content, 0))


def packed(model: Any) -> bytes:
    """The file that a ``ModelT`` makes."""
    from flatbuffers import Builder

    builder = Builder(1 << 16)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def new_signature(inputs: Mapping[str, int], outputs: Mapping[str, int]) -> Any:
    """The ``SignatureDefT`` of the first subgraph that calls tensors by these names."""
    signature = schema().SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs, signature.outputs = _entries(inputs), _entries(outputs)
    return signature


def _entries(named: Mapping[str, int]) -> list[Any]:
    entries = []
    for name, index in named.items():
        entry = schema().TensorMapT()
        entry.name, entry.tensorIndex = name, index
        entries.append(entry)
    return entries


def text_of(value: bytes | str | None) -> str:
    """A string of such an object: bytes as read, text as set."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""

"""A SignatureDef for a model that has none: what it is called by then stays, whatever becomes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.tflite.generated import schema
from deploy.tflite.model import Model
from deploy.tflite.reading import load
from deploy.tflite.records import packed, unpacked


def with_signature(model: Model) -> Model:
    """The same model with a signature whose names are those that its inputs and outputs have already.

    Args:
        model: without a signature.
    """
    record, signature = unpacked(model.content), schema().SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs, signature.outputs = _entries(model.input_names()), _entries(model.output_names())
    record.signatureDefs = [signature]
    return load(packed(record))


def _entries(names: Mapping[int, str]) -> list[Any]:
    entries = []
    for index, name in names.items():
        entry = schema().TensorMapT()
        entry.name, entry.tensorIndex = name, index
        entries.append(entry)
    return entries

"""A SignatureDef for a model that has none: what it is called by then stays, whatever becomes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.tflite.model import Model
from deploy.tflite.reading import load
from deploy.tflite.records import new_signature, packed, unpacked


def with_signature(model: Model) -> Model:
    """The same model with a signature whose names are those that its inputs and outputs have already.

    Args:
        model: without a signature.
    """
    record = unpacked(model.content)
    record.signatureDefs = [new_signature(_by_name(model.input_names()), _by_name(model.output_names()))]
    return load(packed(record))


def _by_name(names: Mapping[int, str]) -> dict[str, int]:
    return {name: index for index, name in names.items()}

"""TFLite files: reading, the graph to change, and new operators for it."""

from __future__ import annotations

from deploy.tflite.generated import schema
from deploy.tflite.model import NPU_OPERATOR, Model, Operator, Quantization, Signature, Tensor
from deploy.tflite.reading import damage_named, load, read

__all__ = [
    "NPU_OPERATOR",
    "Model",
    "Operator",
    "Quantization",
    "Signature",
    "Tensor",
    "damage_named",
    "load",
    "read",
    "schema",
]

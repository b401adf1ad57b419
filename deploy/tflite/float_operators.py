"""Tells a quantized model from one that still computes in floating point."""

from __future__ import annotations

from collections import Counter

from deploy.tflite.model import Model


def float_operators(model: Model) -> dict[str, int]:
    """Operators that compute in floating point, with how often each occurs.

    QUANTIZE and DEQUANTIZE do not count: they are the border between float and integer.
    """
    return dict(
        Counter(
            operator.code
            for operator in model.operators
            if operator.code not in ("QUANTIZE", "DEQUANTIZE")
            and any(
                model.tensors[index].dtype.startswith("float")
                for index in (*operator.inputs, *operator.outputs)
                if index >= 0
            )
        )
    )

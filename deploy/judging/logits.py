"""Which outputs hold logits."""

from __future__ import annotations

from deploy.tflite import Model

_PROBABILITIES = frozenset({"SOFTMAX", "LOGISTIC", "LOG_SOFTMAX"})
_TRANSPARENT = frozenset({"QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE"})


def is_logits(model: Model, tensor_index: int) -> bool:
    """Whether an output holds logits, that is, no softmax or sigmoid stands at its end."""
    producers = {index: operator for operator in model.operators for index in operator.outputs}
    for _ in range(len(model.operators)):
        operator = producers.get(tensor_index)
        if operator is None or operator.code in _PROBABILITIES:
            return operator is None
        if operator.code not in _TRANSPARENT or not operator.inputs:
            return True
        tensor_index = operator.inputs[0]
    return True

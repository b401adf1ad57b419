"""What a model computes in integers and what in floating point."""

from __future__ import annotations

from deploy.tflite.model import Model, Operator, Tensor

_BORDER = ("QUANTIZE", "DEQUANTIZE")
"""The border between float and integer: they count as neither."""


def float_operators(model: Model) -> tuple[Operator, ...]:
    """Operators that compute in floating point, in the model's order."""
    return tuple(operator for operator in model.operators if in_float(model, operator))


def in_float(model: Model, operator: Operator) -> bool:
    """Whether an operator computes in floating point."""
    tensors = (model.tensors[index] for index in (*operator.inputs, *operator.outputs) if index >= 0)
    return operator.code not in _BORDER and any(tensor.dtype.startswith("float") for tensor in tensors)


def integer_operators(model: Model) -> tuple[Operator, ...]:
    """Operators that compute quantized integers, in the model's order."""
    return tuple(
        operator
        for operator in model.operators
        if operator.code not in _BORDER and any(_quantized(model.tensors[index]) for index in operator.outputs)
    )


def narrow_weights(model: Model) -> str:
    """How the weights of a float model are kept, where they are narrower than what it computes with; else empty.

    ``int8``: dynamic range quantization. ``float16``: a DEQUANTIZE stands behind each of them.
    """
    found = set()
    for operator in model.operators:
        computes = operator.code == "DEQUANTIZE" or in_float(model, operator)
        for tensor in (model.tensors[index] for index in operator.inputs if index >= 0 and computes):
            if tensor.data is not None and (tensor.dtype == "float16" or _quantized(tensor)):
                found.add(tensor.dtype)
    return ", ".join(sorted(found))


def float_results(model: Model) -> frozenset[int]:
    """Tensors that float operators compute, and what is made of these before anything quantizes it, by index."""
    found: set[int] = set()
    for operator in model.operators:
        if in_float(model, operator) or (operator.code not in _BORDER and not found.isdisjoint(operator.inputs)):
            found.update(index for index in operator.outputs if not _quantized(model.tensors[index]))
    return frozenset(found)


def in_front_of_float(model: Model) -> tuple[int, ...]:
    """Quantized tensors that outputs are computed from in floating point, by index; no outputs themselves."""
    needed = set(float_results(model).intersection(model.outputs))
    found: set[int] = set()
    for operator in reversed(model.operators):
        if needed.isdisjoint(operator.outputs):
            continue
        for tensor in model.activations(operator):
            (found if _quantized(tensor) else needed).add(tensor.index)
    return tuple(sorted(found.difference(model.outputs)))


def _quantized(tensor: Tensor) -> bool:
    return tensor.quantization is not None and tensor.dtype.startswith(("int", "uint"))

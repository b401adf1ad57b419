"""What Vela 5.2.0 makes of a QUANTIZE that it folds into the operator in front, whose output has the zero point 0.

That operator writes the other numbers then. Its clamp stays what it was, in the integers of its own output: too
narrow for uint8, and too wide where both zero points differ. Behind RESIZE_NEAREST_NEIGHBOR on U55 and U65 nothing
is changed at all: the QUANTIZE is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from deploy.npu.stream.operations import BlockOperation, Function
from deploy.tflite import Model, Operator
from deploy.tflite.options import ACTIVATION_RANGES, options_of
from deploy.verifying.layer_capture import KEEPING_ORDER

_LIMITS = {"int8": (-128, 127), "uint8": (0, 255)}


def clamped_too_far(
    operator: Operator, source: Model, operations: Mapping[int, Sequence[BlockOperation]]
) -> str | None:
    """The clamp of the operator in front cuts off what can occur in uint8; see :data:`.miscompilations.Known`."""
    for producer, operation, low, high in _folded(operator, source, operations, "uint8"):
        clamp = operation.activation
        # A rounding more or less is no defect of this kind.
        if clamp.minimum > low + 1 or clamp.maximum < high - 1:
            return (
                f"it is folded into {producer.code} with a clamp to {clamp.minimum}..{clamp.maximum}, "
                f"where {low}..{high} can occur"
            )
    return None


def not_clamped(
    operator: Operator, source: Model, operations: Mapping[int, Sequence[BlockOperation]]
) -> str | None:
    """The clamp of the operator in front lets pass what its own output could not hold; see ``Known`` as well.

    A QUANTIZE of its own need not clamp: what it reads was.
    """
    for producer, operation, low, high in _folded(operator, source, operations, "int8"):
        clamp = operation.activation
        if clamp.minimum < low - 1 or clamp.maximum > high + 1:
            return (
                f"it is folded into {producer.code} with a clamp to {clamp.minimum}..{clamp.maximum}, "
                f"where {low}..{high} alone can occur"
            )
    return None


def left_out(operator: Operator, source: Model, operations: Mapping[int, Sequence[BlockOperation]]) -> str | None:
    """The operator in front writes what it would write without the QUANTIZE; see ``Known`` as well."""
    if operator.code != "QUANTIZE" or operations.get(operator.index):
        return None
    producer = _computing(operator.inputs[0], source)
    made = operations.get(producer.index, ()) if producer is not None else ()
    if producer is None or not made or made[-1].ofm.dtype == source.tensors[operator.outputs[0]].dtype:
        return None
    return f"it is folded into {producer.code}, which goes on writing {made[-1].ofm.dtype}"


def _folded(
    operator: Operator, source: Model, operations: Mapping[int, Sequence[BlockOperation]], dtype: str
) -> list[tuple[Operator, BlockOperation, int, int]]:
    """What writes the output of a QUANTIZE from int8 to ``dtype`` through a clamp.

    Returns:
        The operator in front, an operation, and the least and the largest integer that can occur in the output.
    """
    if operator.code != "QUANTIZE":
        return []
    x, y = source.tensors[operator.inputs[0]], source.tensors[operator.outputs[0]]
    producer = _computing(x.index, source)
    if (x.dtype, y.dtype) != ("int8", dtype) or producer is None:
        return []
    if x.quantization is None or y.quantization is None:
        return []
    factor = x.quantization.scales[0] / y.quantization.scales[0]
    low, high = (
        y.quantization.zero_points[0] + (limit - x.quantization.zero_points[0]) * factor
        for limit in _range(producer, source)
    )
    least, largest = _LIMITS[dtype]
    return [
        (producer, operation, max(math.floor(low), least), min(math.ceil(high), largest))
        for operation in (*operations.get(producer.index, ()), *operations.get(operator.index, ()))
        if operation.ofm.dtype == dtype and operation.activation.function is Function.NONE
    ]


def _computing(tensor: int, source: Model) -> Operator | None:
    """The operator that computes the elements of a tensor: one that only shapes them anew becomes no commands."""
    for operator in reversed(source.operators):
        if tensor in operator.outputs:
            if operator.code not in KEEPING_ORDER or not operator.inputs:
                return operator
            tensor = operator.inputs[0]
    return None


def _range(operator: Operator, source: Model) -> tuple[float, float]:
    """What an operator with an int8 output can compute, in its output's integers."""
    quantization = source.tensors[operator.outputs[0]].quantization
    options = options_of(source, operator)
    low, high = ACTIVATION_RANGES.get(getattr(options, "fusedActivationFunction", 0), ACTIVATION_RANGES[0])
    if quantization is None:
        return -128, 127
    scale, zero_point = quantization.scales[0], quantization.zero_points[0]
    return max(low / scale + zero_point, -128), min(high / scale + zero_point, 127)

"""An LSTM of 8 bits as Vela has the NPU compute it, in NumPy, step by step.

Source: TFLM's kernel (``kernels/lstm_eval.h``), which Vela rebuilds of NPU operations, but for one thing: the
product of two scales, of which a multiplier is made, is one of 32-bit floats in Vela and of 64-bit ones in TFLM.
The last bits of the multipliers differ, a gate in some thousands by one step, and after many steps a rare result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.npu.execution.activation import sigmoid, tanh
from deploy.tflite import Model, Operator, Tensor
from deploy.tflite.options import options_of
from deploy.verifying.fixed_point import constant, has_scales, rounded_twice, scales_of, zero_point_of

_INPUT, _OUTPUT_STATE, _CELL_STATE = 0, 18, 19
_GATES = {"input": (1, 5, 12), "forget": (2, 6, 13), "cell": (3, 7, 14), "output": (4, 8, 15)}
"""Places of a gate's weights, recurrent weights and bias among the inputs."""

_LEFT_OUT = (9, 10, 11, 16, 17, 20, 21, 22, 23)
"""Peepholes, projection, normalization: Vela leaves an LSTM with one of them on the CPU."""

_GATE_SCALE, _UNIT_SCALE = 2.0**-12, 2.0**-15
_CURVE_UNITS = 3
"""What one step of a gate's scale is to the NPU's curves."""

_TANH = 4


def applies(operator: Operator, source: Model) -> bool:
    """Whether it is an LSTM that :func:`compute` computes: int8, one scale a tensor, a cell of at most 12 bits.

    Args:
        operator: of the source model.
        source: that model.
    """
    if operator.code != "UNIDIRECTIONAL_SEQUENCE_LSTM" or len(operator.inputs) <= _CELL_STATE:
        return False
    places = [place for gate in _GATES.values() for place in gate]
    if any(operator.inputs[place] < 0 for place in (_INPUT, _OUTPUT_STATE, _CELL_STATE, *places)):
        return False
    if any(operator.inputs[place] >= 0 for place in _LEFT_OUT if place < len(operator.inputs)):
        return False
    taken = [_tensor(operator, source, place) for place in (_INPUT, _OUTPUT_STATE, _CELL_STATE)]
    if [tensor.dtype for tensor in taken] != ["int8", "int8", "int16"]:
        return False
    weights = [_tensor(operator, source, place) for gate in _GATES.values() for place in gate[:2]]
    if any(len(scales_of(tensor)) > 1 or not has_scales(tensor) for tensor in (*taken, *weights)):
        return False
    constants = [_tensor(operator, source, place) for place in places]
    if len(taken[0].shape) != 3 or not _fitting(operator, source, taken[0].shape[2]):
        return False
    bits = -math.log2(scales_of(taken[2])[0])
    options = options_of(source, operator)
    return (
        all(tensor.data is not None for tensor in constants)
        and bits.is_integer()
        and bits <= -math.log2(_GATE_SCALE)
        and getattr(options, "fusedActivationFunction", None) == _TANH
    )


def _fitting(operator: Operator, source: Model, features: int) -> bool:
    """Whether the constants of all gates have the shapes of one LSTM."""
    shape = _tensor(operator, source, _GATES["input"][2]).shape
    if len(shape) != 1:
        return False
    [units] = shape
    wanted = [(units, features), (units, units), (units,)]
    gates = ([_tensor(operator, source, place).shape for place in gate] for gate in _GATES.values())
    return all(shapes == wanted for shapes in gates)


def compute(
    operator: Operator, source: Model, values: Mapping[int, NDArray[Any]], *, sequence: bool = False
) -> NDArray[Any]:
    """All steps of an LSTM.

    Args:
        operator: that :func:`applies` to.
        source: its model.
        values: tensor index -> ``(inferences, *shape)``, with its input.
        sequence: whether each inference starts from the state that the one before it left; else all start from
            the initial one.

    Returns:
        Its output, int8 ``(inferences, *shape)``.
    """
    given = _tensor(operator, source, _INPUT)
    options = options_of(source, operator)
    output = source.tensors[operator.outputs[0]]
    steps = values[given.index].astype(np.int64) - zero_point_of(given)
    if options.timeMajor:
        steps = steps.swapaxes(1, 2)
    inferences, rows, count, features = steps.shape
    # (time, rows, features): inferences are further rows, or further time.
    steps = steps.transpose(0, 2, 1, 3) if sequence else steps.transpose(2, 0, 1, 3)
    steps = steps.reshape(-1, rows if sequence else inferences * rows, features)
    found = _States(operator, source, steps.shape[1], float(options.cellClip)).after(steps)
    units = found.shape[-1]
    if sequence:
        result = found.reshape(inferences, count, rows, units).transpose(0, 2, 1, 3)
    else:
        result = found.reshape(count, inferences, rows, units).transpose(1, 2, 0, 3)
    if options.timeMajor:
        result = result.swapaxes(1, 2)
    return result.astype(output.dtype).reshape(inferences, *output.shape)


@dataclass(frozen=True)
class _Gate:
    """Constants of a gate, ``(units, n)`` and ``(units,)``, and what its two sums are multiplied with."""

    weights: NDArray[np.int64]
    recurrent: NDArray[np.int64]
    bias: NDArray[np.int64]
    from_input: float
    from_state: float


class _States:
    """The states of an LSTM, ``(rows, units)`` each, at their initial values at first."""

    def __init__(self, operator: Operator, source: Model, rows: int, clip: float) -> None:
        given, hidden, cell = (_tensor(operator, source, place) for place in (_INPUT, _OUTPUT_STATE, _CELL_STATE))
        self._gates: dict[str, _Gate] = {}
        for name, (weights, recurrent, bias) in _GATES.items():
            tensors = [_tensor(operator, source, place) for place in (weights, recurrent, bias)]
            matrices = [constant(tensor).astype(np.int64) for tensor in tensors]
            self._gates[name] = _Gate(
                matrices[0],
                matrices[1],
                matrices[2],
                from_input=_product(given, tensors[0]) / _GATE_SCALE,
                from_state=_product(hidden, tensors[1]) / _GATE_SCALE,
            )
        self._zero, self._cell_scale = zero_point_of(hidden), scales_of(cell)[0]
        unit, step = np.float32(_UNIT_SCALE), np.float32(self._cell_scale)
        self._kept = float(unit * step / step)
        self._let_in = float(unit * unit / step)
        self._shown = float(unit * unit / np.float32(scales_of(hidden)[0]))
        self._limit = min(int(clip / self._cell_scale), 32767) if clip > 0 else 32768
        units = len(self._gates["cell"].bias)
        self._hidden = np.zeros((rows, units), np.int64)
        self._cell = np.zeros((rows, units), np.int64)

    def after(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Outputs ``(time, rows, units)`` for inputs without zero point, ``(time, rows, features)``."""
        return np.stack([self._step(step) for step in steps])

    def _step(self, given: NDArray[np.int64]) -> NDArray[np.int64]:
        gates = {name: self._gate(name, given) for name in _GATES}
        let_in, kept, shown = (sigmoid(gates[name]) for name in ("input", "forget", "output"))
        cell = _saturated(rounded_twice(self._cell * kept, self._kept))
        cell += _saturated(rounded_twice(tanh(gates["cell"]) * let_in, self._let_in))
        self._cell = np.clip(_saturated(cell), -self._limit, self._limit)
        curved = tanh(self._cell * round(_CURVE_UNITS * self._cell_scale / _GATE_SCALE))
        result = np.clip(rounded_twice(curved * shown, self._shown) + self._zero, -128, 127)
        self._hidden = result - self._zero
        return result

    def _gate(self, name: str, given: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sum in front of a gate's curve, in units of the curve."""
        gate = self._gates[name]
        from_input = _saturated(rounded_twice(given @ gate.weights.T + gate.bias, gate.from_input))
        from_state = _saturated(rounded_twice(self._hidden @ gate.recurrent.T, gate.from_state))
        return _saturated(from_input + from_state) * _CURVE_UNITS


def _saturated(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.clip(values, -32768, 32767)


def _product(first: Tensor, second: Tensor) -> float:
    """Of their scales, as Vela multiplies them."""
    return float(np.float32(scales_of(first)[0]) * np.float32(scales_of(second)[0]))


def _tensor(operator: Operator, source: Model, place: int) -> Tensor:
    return source.tensors[operator.inputs[place]]

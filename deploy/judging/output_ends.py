"""The ends of an output's range: a value there says less than one between them, for it may have been cut off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.judging.comparison import output_scale
from deploy.tflite import Model, Tensor


@dataclass(frozen=True)
class OutputEnds:
    """Smallest and largest number that an output can hold.

    Attributes:
        low: in the output's own units.
        high: in the output's own units.
        lsb: its last place, in the same units.
    """

    low: float
    high: float
    lsb: float

    def reached(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Which values are at an end; same shape."""
        found: NDArray[np.bool_] = (values <= self.low + self.lsb / 2) | (values >= self.high - self.lsb / 2)
        return found


def output_ends(model: Model) -> dict[str, OutputEnds | None]:
    """The ends of every output, by name; None where there are none: flags, indices, numbers without quantization.

    Args:
        model: the source model. A float output has the ends of what its DEQUANTIZE reads.
    """
    return {name: _ends(model, model.tensors[index]) for index, name in model.output_names().items()}


def _ends(model: Model, tensor: Tensor) -> OutputEnds | None:
    stored, lsb = tensor, 1.0
    if np.dtype(tensor.dtype).kind == "f":
        behind = (each for each in model.operators if each.code == "DEQUANTIZE" and tensor.index in each.outputs)
        operator = next(behind, None)
        if operator is None:
            return None
        stored, lsb = model.tensors[operator.inputs[0]], output_scale(model, tensor).lsb
    dtype, quantization = np.dtype(stored.dtype), stored.quantization
    if quantization is None or dtype.kind not in "iu" or dtype.itemsize > 2:
        return None
    zero_point = quantization.zero_points[0] if stored is not tensor else 0
    limits = np.iinfo(dtype)
    return OutputEnds((limits.min - zero_point) * lsb, (limits.max - zero_point) * lsb, lsb)

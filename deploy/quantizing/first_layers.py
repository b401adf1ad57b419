"""What the first layers of a float model show about its inputs: which pixels ``Rescaling`` is made for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.data.image_range import ImageRange, range_prepared_by

_PREPARING = frozenset(["Add", "AddV2", "BiasAdd", "Cast", "Div", "Identity", "Mul", "RealDiv", "Sub"])
_MOST_STEPS = 16


def prepared_range(frozen: Any, place: int) -> ImageRange | None:
    """The range of pixels for which a frozen model prepares an input by itself; None where it shows none.

    What stands between the input and the first layer with weights is run on the ends of the usual ranges.

    Args:
        frozen: concrete function without variables, with one tensor an input.
        place: of the input.
    """
    end, shape = _prepared(frozen.inputs[place]), frozen.inputs[place].shape.as_list()
    if end is frozen.inputs[place] or len(shape) != 4 or None in shape[1:]:
        return None
    try:
        preparing = frozen.prune(frozen.inputs[place], end)
        return range_prepared_by(lambda value: _filled(preparing, frozen.inputs[place], value))
    except Exception:  # whatever TensorFlow says of a graph that is cut out: nothing is known then
        return None


def _filled(preparing: Any, tensor: Any, value: float) -> NDArray[Any]:
    """What an input becomes that holds one value throughout."""
    import tensorflow as tf

    filled = np.full([1, *tensor.shape.as_list()[1:]], value, tensor.dtype.as_numpy_dtype)
    return np.asarray(preparing(tf.constant(filled)), np.float64)


def _prepared(tensor: Any) -> Any:
    """The last tensor that is nothing but an input, scaled and moved."""
    for _ in range(_MOST_STEPS):
        consumers = tensor.consumers()
        if len(consumers) != 1 or consumers[0].type not in _PREPARING or len(consumers[0].outputs) != 1:
            break
        if any(_depends(other, tensor.op) for other in consumers[0].inputs if other is not tensor):
            break
        tensor = consumers[0].outputs[0]
    return tensor


def _depends(tensor: Any, on: Any) -> bool:
    """Whether a tensor is computed from another operation; what is computed from constants alone is not."""
    pending, seen = [tensor.op], set()
    while pending:
        operation = pending.pop()
        if operation is on or operation.type == "Placeholder":
            return True
        if operation.name not in seen:
            seen.add(operation.name)
            pending += [each.op for each in operation.inputs]
    return False

"""What tensors inside a float model hold while it runs, with LiteRT."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.tflite import Model


def tensor_values(
    model: Model, tensors: Sequence[int], samples: Iterable[Mapping[str, NDArray[Any]]]
) -> Iterator[dict[int, NDArray[Any]]]:
    """Run a float model and look inside it.

    Args:
        model: float.
        tensors: which of its tensors, by index.
        samples: per input an array, by name.

    Yields:
        Per sample the values of those tensors.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # Without XNNPACK, which keeps what lies between its operators to itself.
    interpreter = Interpreter(
        model_content=model.content,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    names = model.input_names()
    for sample in samples:
        for index, name in names.items():
            interpreter.set_tensor(index, sample[name])
        interpreter.invoke()
        yield {index: np.array(interpreter.get_tensor(index)) for index in tensors}


def tensor_ranges(
    model: Model, tensors: Sequence[int], samples: Iterable[Mapping[str, NDArray[Any]]]
) -> dict[int, tuple[float, float]]:
    """Least and largest value of tensors over all samples; infinite and undefined values do not count."""
    found: dict[int, tuple[float, float]] = {}
    for values in tensor_values(model, tensors, samples):
        for index, array in values.items():
            finite = array[np.isfinite(array)]
            if finite.size:
                low, high = found.get(index, (np.inf, -np.inf))
                found[index] = (min(low, float(finite.min())), max(high, float(finite.max())))
    return found

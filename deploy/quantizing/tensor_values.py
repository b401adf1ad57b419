"""What tensors inside a model hold while it runs, with LiteRT."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.tflite import Model


class TensorValues:
    """Runs a model and looks inside it."""

    def __init__(self, model: Model, tensors: Sequence[int], *, reference: bool = False) -> None:
        """Prepare a model.

        Args:
            model: float, or quantized.
            tensors: which of its tensors to give, by index.
            reference: with the reference kernels.
        """
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        # Without XNNPACK, which keeps what lies between its operators to itself.
        kinds = OpResolverType
        resolver = kinds.BUILTIN_REF if reference else kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that all tensors take memory
            self._interpreter = Interpreter(
                model_content=model.content,
                experimental_preserve_all_tensors=True,
                experimental_op_resolver_type=resolver,
            )
        self._interpreter.allocate_tensors()
        self._inputs, self._tensors = model.input_names(), tensors

    def run(self, sample: Mapping[str, NDArray[Any]]) -> dict[int, NDArray[Any]]:
        """Run one inference: per input an array, by name.

        Returns:
            The values of the tensors, by index.
        """
        for index, name in self._inputs.items():
            self._interpreter.set_tensor(index, sample[name])
        self._interpreter.invoke()
        return {index: np.array(self._interpreter.get_tensor(index)) for index in self._tensors}


def tensor_ranges(
    model: Model, tensors: Sequence[int], samples: Iterable[Mapping[str, NDArray[Any]]]
) -> dict[int, tuple[float, float]]:
    """Least and largest value of tensors over all samples; infinite and undefined values do not count."""
    found: dict[int, tuple[float, float]] = {}
    inside = TensorValues(model, tensors)
    for sample in samples:
        for index, array in inside.run(sample).items():
            finite = array[np.isfinite(array)]
            if finite.size:
                low, high = found.get(index, (np.inf, -np.inf))
                found[index] = (min(low, float(finite.min())), max(high, float(finite.max())))
    return found

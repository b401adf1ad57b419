"""What tensors inside a model hold while it runs, with LiteRT's kernels in a process apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.judging.kernel_process import KernelProcess
from deploy.judging.oracles import OptimisedKernels
from deploy.judging.reference import InnerTensors
from deploy.tflite import Model


class _OptimisedInnerTensors(InnerTensors):
    """The optimised kernels: float models need no others, and the reference kernels lack some."""

    name, resolver = OptimisedKernels.name, OptimisedKernels.resolver


class TensorValues:
    """Runs a model and looks inside it.

    Args:
        model: float, or quantized.
        tensors: which of its tensors to give, by index.
        reference: with the reference kernels.
        process: that the kernels run in; None for one of their own.

    Raises:
        BadInputError: LiteRT cannot run the model.
        NotInstalledError: LiteRT is missing.
    """

    def __init__(
        self,
        model: Model,
        tensors: Sequence[int],
        *,
        reference: bool = False,
        process: KernelProcess | None = None,
    ) -> None:
        kernels = InnerTensors if reference else _OptimisedInnerTensors
        self._kernels, self._tensors = kernels(model, process=process), tensors

    def run(self, sample: Mapping[str, NDArray[Any]]) -> dict[int, NDArray[Any]]:
        """Run one inference: per input an array, by name.

        Returns:
            The values of the tensors, by index.

        Raises:
            BadInputError: the sample does not fit, or LiteRT fails.
        """
        self._kernels.run(sample)
        return self._kernels.tensors(self._tensors)


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

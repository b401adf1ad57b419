"""Runs operators of a model side by side on the reference kernels: each from values of its own, in one request.

To put operators before kernels one by one takes as long as an inference of the whole model. Here they are one
file, in which none starts from what another one computes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from deploy import tflite
from deploy.errors import BadInputError
from deploy.judging.kernel_process import KernelProcess, macs_at_most
from deploy.judging.reference import ReferenceKernels
from deploy.tflite import Model, Operator

_MOST_MACS = 200e6
"""Of the operators of one part: a tenth of a second of the reference kernels, or several."""


class SideBySide:
    """Operators of a model, ready to run.

    Args:
        operators: that keep no state.
        model: the model they belong to.
        content: a file with these operators, see :mod:`deploy.tflite.single_operator`.
        process: that the kernels run in.

    Attributes:
        inputs: tensors that they start from.

    Raises:
        BadInputError: the reference kernels lack one of them, or cannot prepare one.
        NotInstalledError: LiteRT is missing.
    """

    def __init__(
        self, operators: Sequence[Operator], model: Model, content: bytes, process: KernelProcess
    ) -> None:
        self.inputs = inputs_of(operators, model)
        computed = [model.tensors[index] for each in operators for index in each.outputs]
        single = tflite.load(content, source=f"operators {operators[0].index} to {operators[-1].index}")
        # The file lists its inputs and outputs in this order.
        self._names = dict(zip(self.inputs, single.input_names().values(), strict=True))
        self._outputs = dict(zip(single.output_names().values(), computed, strict=True))
        self._kernels = ReferenceKernels(single, process=process)
        if self._kernels.name != ReferenceKernels.name:
            raise BadInputError(f"{self._kernels.name} would answer for all of them")

    def run_batch(self, values: Mapping[int, NDArray[Any]], batch: int) -> dict[int, NDArray[Any]]:
        """Run all of them for several sets of values.

        Args:
            values: tensor index -> ``(batch, *shape)``, one for each of ``inputs``.
            batch: how many sets.

        Returns:
            Tensor index -> ``(batch, *shape)``, one for every output of every operator.

        Raises:
            BadInputError: the kernels fail, or end the process that they run in.
        """
        answers = self._kernels.run_batch({name: values[index] for index, name in self._names.items()}, batch)
        return {tensor.index: answers[name] for name, tensor in self._outputs.items()}


def inputs_of(operators: Sequence[Operator], model: Model) -> tuple[int, ...]:
    """The tensors that operators start from, each once."""
    return tuple(dict.fromkeys(tensor.index for each in operators for tensor in model.activations(each)))


def parts(model: Model, operators: Iterable[Operator]) -> Iterator[tuple[Operator, ...]]:
    """Operators of a model in their order, in parts that each cost the kernels little time."""
    part, macs = list[Operator](), 0.0
    for operator in operators:
        cost = macs_at_most(model, operator)
        if part and macs + cost > _MOST_MACS:
            yield tuple(part)
            part, macs = [], 0.0
        part.append(operator)
        macs += cost
    if part:
        yield tuple(part)

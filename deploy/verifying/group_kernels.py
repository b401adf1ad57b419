"""Runs groups of operators on what says what they must compute: kernels of LiteRT and TFLM, known arithmetic."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from deploy.errors import DeployError
from deploy.judging.kernel_process import KernelProcess
from deploy.judging.known_differences import alternatives
from deploy.judging.oracles import MakeKernels
from deploy.judging.reference import InnerTensors, ReferenceKernels
from deploy.judging.samples import Sample
from deploy.tflite import Model, Operator
from deploy.tflite.single_operator import OperatorFiles
from deploy.verifying.cpu_operators import CpuOperator
from deploy.verifying.operator_groups import Group
from deploy.verifying.side_by_side import SideBySide
from deploy.verifying.witnesses import witness_of

Values = Mapping[int, NDArray[Any]]
"""Tensor index -> ``(batch, *shape)``."""


class ModelKernels:
    """A model and its operators before kernels, all in one process: each prepared when it is first asked for.

    Args:
        source: the model.
    """

    def __init__(self, source: Model) -> None:
        self.source = source
        self._process = KernelProcess()
        self._operators: dict[tuple[MakeKernels, int], CpuOperator] = {}

    @functools.cached_property
    def whole(self) -> InnerTensors:
        """The reference kernels with the whole model.

        Raises:
            BadInputError: they cannot run it.
            NotInstalledError: LiteRT is missing.
        """
        return InnerTensors(self.source, process=self._process)

    def begin(self, sample: Sample) -> Begun:
        """Have the reference kernels run the whole model beside what the caller does next.

        Args:
            sample: an array per input.

        Raises:
            NotInstalledError: LiteRT is missing.
        """
        self.start()
        return Begun(lambda: self.whole.run(sample), self._tensors)

    def _tensors(self, indices: Iterable[int]) -> Values:
        return self.whole.tensors(indices)

    def start(self) -> None:
        """Start their process, from a thread that lives as long.

        Raises:
            NotInstalledError: LiteRT is missing.
        """
        self._process.start(ReferenceKernels.library)

    @functools.cached_property
    def _files(self) -> OperatorFiles:
        return OperatorFiles(self.source)

    def operator(self, operator: Operator, preferred: MakeKernels) -> CpuOperator:
        """An operator alone, on the preferred kernels or the first others that can.

        Raises:
            BadInputError: no kernels have it.
        """
        key = preferred, operator.index
        if key not in self._operators:
            order = tuple(dict.fromkeys((preferred, ReferenceKernels, *alternatives().values())))
            content = self._files.content(operator)
            self._operators[key] = CpuOperator(operator, self.source, content, order, self._process)
        return self._operators[key]

    def side_by_side(self, operators: Sequence[Operator]) -> SideBySide:
        """Operators that keep no state, on the reference kernels, each on values of its own.

        Raises:
            BadInputError: these cannot run all of them.
            NotInstalledError: LiteRT is missing.
        """
        return SideBySide(operators, self.source, self._files.content(*operators), self._process)


class Inference(Protocol):
    """One of the whole model, on the reference kernels."""

    def answer(self) -> Sample:
        """Its outputs, by name.

        Raises:
            BadInputError: the kernels cannot run the model, or end the process that they run in.
        """
        ...

    def tensors(self, indices: Iterable[int]) -> Values:
        """What it left in tensors, as far as it is kept; until the next one.

        Raises:
            BadInputError: the kernels have ended the process that they run in.
        """
        ...


class Begun(Inference):
    """An inference that is under way, in a thread that waits for the process of the kernels.

    Args:
        run: makes it; nothing else may be asked of its kernels before :meth:`answer`.
        tensors: reads tensors afterwards.
    """

    def __init__(self, run: Callable[[], Sample], tensors: Callable[[Iterable[int]], Values]) -> None:
        self._run, self._tensors = run, tensors
        self._answer: Sample = {}
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        try:
            self._answer = self._run()
        except Exception as error:
            self._error = error

    def answer(self) -> Sample:
        """Wait for its outputs."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._answer

    def tensors(self, indices: Iterable[int]) -> Values:
        """What it left in tensors."""
        return self._tensors(indices)


class GroupKernels:
    """What runs groups of a model's operators.

    Args:
        kernels: with the model.
        batch: how many inferences the values that it is given hold.
        sequence: whether operators keep their state from one inference to the next.
    """

    def __init__(self, kernels: ModelKernels, batch: int, *, sequence: bool = False) -> None:
        self._kernels, self._source = kernels, kernels.source
        self._batch, self._sequence = batch, sequence

    def reference(self, group: Group, known: Values) -> dict[int, NDArray[Any]]:
        """What LiteRT's reference kernels compute; where there is none (ELU), what other kernels do.

        Args:
            group: to run.
            known: with the tensors that it starts from.

        Returns:
            Tensor index -> ``(batch, *shape)`` for all outputs of the last operator.

        Raises:
            BadInputError: no kernels have an operator.
            TargetError: no kernels can run an operator.
        """
        return self._run(group, known, lambda operator, values: self._first(ReferenceKernels, operator, values))

    def others(self, group: Group, known: Values) -> Iterator[tuple[str, dict[int, NDArray[Any]]]]:
        """Name of other kernels, and what they compute; where these lack an operator, the reference stands in."""
        for name, kernels in alternatives().items():
            try:
                yield (
                    name,
                    self._run(group, known, functools.partial(self._first, kernels)),
                )
            except DeployError:
                continue

    def witness(self, group: Group, known: Values) -> tuple[str, dict[int, NDArray[Any]]] | None:
        """What is known of the NPU's arithmetic where it is known to differ from the reference's.

        Returns:
            The cause, one sentence, and what the group computes then; None where there is no such arithmetic.

        Raises:
            BadInputError: no kernels have one of the other operators.
            TargetError: no kernels can run one of the other operators.
        """
        causes: dict[str, None] = {}

        def compute(operator: Operator, values: Values) -> dict[int, NDArray[Any]]:
            witness = witness_of(operator, self._source, sequence=self._sequence)
            if witness is None:
                return self._first(ReferenceKernels, operator, values)
            causes[witness.cause] = None
            return {operator.outputs[0]: witness.compute(operator, self._source, values)}

        if all(witness_of(operator, self._source) is None for operator in group.operators):
            return None
        outputs = self._run(group, known, compute)
        return "; ".join(causes), outputs

    def _run(
        self, group: Group, known: Values, compute: Callable[[Operator, Values], dict[int, NDArray[Any]]]
    ) -> dict[int, NDArray[Any]]:
        values: dict[int, NDArray[Any]] = {index: known[index] for index in group.inputs}
        for operator in group.operators:
            outputs = compute(operator, values)
            values.update({index: array for index, array in outputs.items() if index not in values})
        return outputs

    def _first(self, preferred: MakeKernels, operator: Operator, values: Values) -> dict[int, NDArray[Any]]:
        """What the preferred kernels compute, or the first others that can."""
        single = self._kernels.operator(operator, preferred)
        return single.run_batch(values, self._batch, sequence=self._sequence)

"""The reference's half of a check of operators, begun before it is known what Vela makes of the model.

What the reference kernels say depends on the model and its inputs alone. So they run beside Vela: the whole model
on one input, and then every operator on a few sets of made-up values. What is left for afterwards is the NPU
model's half, and the comparison; the kernels' process, with all operators prepared, goes on from there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError
from deploy.judging.samples import Sample, Stacked, stacked
from deploy.tflite import Model, Operator, Tensor
from deploy.tflite.state import is_stateful
from deploy.verifying.group_kernels import GroupKernels, Inference, ModelKernels, Values
from deploy.verifying.made_up_values import MadeUpValues
from deploy.verifying.operator_groups import Group
from deploy.verifying.side_by_side import inputs_of, parts

_SETS, _SETS_BYTES = 3, 1 << 21
"""Sets of made-up values, one of each kind; one alone of a network with more bytes of tensors."""


class ReferenceAhead:
    """What the reference kernels say ahead of all else, in a thread that has to itself what it asks.

    Made by the main thread of its process, which the kernels' process ends with.

    Args:
        source: the model.
        sample: an input that it is going to be checked on; if that becomes another one, little is lost.
        seed: of the made-up values.

    Attributes:
        kernels: for whoever goes on, after :meth:`end`.
        is_costly: whether the network is large: what was done ahead then is a good part of all that can be done.
        inputs: made-up inputs of the network, name -> ``(sets, *shape)``; none where it has not got so far.
        sets: how many there are.
        made: made-up values of tensors inside, index -> ``(sets, *shape)``.

    Raises:
        NotInstalledError: LiteRT is missing.
    """

    def __init__(self, source: Model, sample: Sample, seed: int) -> None:
        self.source, self.kernels = source, ModelKernels(source)
        self.inputs: Stacked = {}
        self.is_costly = sum(tensor.nbytes for tensor in _inner(source)) > _SETS_BYTES
        self.sets = 1 if self.is_costly else _SETS
        self.made: dict[int, NDArray[Any]] = {}
        self._sample, self._values = sample, MadeUpValues(source, seed)
        self._starts: dict[int, NDArray[Any]] = {}
        self._expected: dict[int, NDArray[Any]] = {}
        self._whole: _Made | None = None
        self._whole_done, self._stopped = threading.Event(), False
        self._began, self._ended = time.monotonic(), 0.0
        self.kernels.start()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def whole(self, sample: Sample) -> Inference | None:
        """The inference of the whole model with an input, waited for; None where it was made with another one."""
        self._whole_done.wait()
        same = all(np.array_equal(array, self._sample[name]) for name, array in sample.items())
        return self._whole if same else None

    @property
    def seconds(self) -> float:
        """How long it has worked."""
        return (self._ended or time.monotonic()) - self._began

    def end(self, until: float) -> None:
        """Wait for all of it until a value of the monotonic clock; then nothing further is begun."""
        self._thread.join(max(0.0, until - time.monotonic()))
        self._stopped = True

    def behind(self, group: Group, start: Values) -> dict[int, NDArray[Any]] | None:
        """What a group must compute; None where that is not known, or it starts from something else.

        Args:
            group: of operators.
            start: tensor index -> ``(sets, *shape)`` that it starts from.
        """
        if len(group.operators) > 1 or any(index not in self._expected for index in group.outputs):
            return None
        if not all(index in self._starts for index in group.inputs):
            return None
        if not all(np.array_equal(self._starts[index], start[index]) for index in group.inputs):
            return None
        return {index: self._expected[index] for index in group.outputs}

    def _work(self) -> None:
        try:
            self._run_whole()
        finally:
            self._whole_done.set()
        if not is_stateful(self.source):
            self._run_operators()
        self._ended = time.monotonic()

    def _run_whole(self) -> None:
        try:
            whole = self.kernels.whole
            outputs = whole.run(self._sample)
            kept = whole.tensors([tensor.index for tensor in _inner(self.source)])
        except DeployError:
            return  # who needs it asks again, and says what is wrong
        self._whole = _Made(outputs, kept)

    def _run_operators(self) -> None:
        self.inputs = self._values.inputs(stacked([self._sample]), self.sets)
        names = self.source.input_names()
        self._starts = {index: self.inputs[name] for index, name in names.items()}
        # Of a large network none is asked again: they are not worth being prepared one by one.
        for part in parts(self.source, self.source.operators) if self.is_costly else ():
            if not self._stopped:
                self._run_side_by_side(part)
        self._run_one_by_one(
            [each for each in self.source.operators if not self._expected.keys() >= {*each.outputs}]
        )

    def _run_side_by_side(self, part: Sequence[Operator]) -> None:
        """From other values in the place of those of the whole model's inference."""
        kept = {} if self._whole is None else self._whole.kept
        inputs = [self.source.tensors[index] for index in inputs_of(part, self.source)]
        new = [tensor for tensor in inputs if tensor.index not in self._starts]
        if any(tensor.index not in kept or kept[tensor.index].nbytes != tensor.nbytes for tensor in new):
            return
        try:
            kernels = self.kernels.side_by_side(part)
            for tensor in new:
                own = kept[tensor.index].reshape(tensor.shape)
                self._start(tensor, np.broadcast_to(own, (self.sets, *tensor.shape)))
            self._expected |= kernels.run_batch(self._starts, self.sets)
        except DeployError:
            return  # one by one, those of them are left out that cannot be run

    def _run_one_by_one(self, operators: Sequence[Operator]) -> None:
        alone = GroupKernels(self.kernels, self.sets)
        for operator in operators:
            inputs = inputs_of([operator], self.source)
            if self._stopped or not all(index in self._starts for index in inputs):
                continue
            try:
                found = alone.reference(Group((operator,), inputs, operator.outputs), self._starts)
            except DeployError:
                continue
            self._expected |= found
            for index, computed in found.items():
                if index not in self._starts:
                    self._start(self.source.tensors[index], computed)

    def _start(self, tensor: Tensor, own: NDArray[Any]) -> None:
        """Make up what operators start from in a tensor's place."""
        other = self._values(tensor, own)
        self._starts[tensor.index] = own if other is None else other
        if other is not None:
            self.made[tensor.index] = other

    def values(self, other: MadeUpValues) -> Callable[[Tensor, NDArray[Any]], NDArray[Any] | None]:
        """What takes the place of tensors: what was made up here, for others what ``other`` makes up."""

        def replace(tensor: Tensor, computed: NDArray[Any]) -> NDArray[Any] | None:
            made = self.made.get(tensor.index)
            return other(tensor, computed) if made is None else made

        return replace


@dataclass(frozen=True)
class _Made(Inference):
    """An inference that was made."""

    outputs: Sample
    kept: Values

    def answer(self) -> Sample:
        return self.outputs

    def tensors(self, indices: Iterable[int]) -> Values:
        return {index: self.kept[index] for index in indices if index in self.kept}


def _inner(source: Model) -> Sequence[Tensor]:
    """All tensors that are computed."""
    return [tensor for tensor in source.tensors if tensor.data is None]

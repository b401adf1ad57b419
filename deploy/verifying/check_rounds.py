"""Rounds of a check of operators: on some inputs each, or on some sets of made-up values."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deploy.build_folder import BuildFolder
from deploy.errors import TargetError
from deploy.judging.samples import Sample, Stacked, stacked, unstacked
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import Operation
from deploy.tflite import Model
from deploy.tflite.state import initial_resources
from deploy.verifying.group_kernels import Inference, ModelKernels
from deploy.verifying.groups_at_once import GroupsAtOnce
from deploy.verifying.inference_state import InferenceState
from deploy.verifying.layer_capture import LayerCapture, joined
from deploy.verifying.layer_walk import Walk, walk
from deploy.verifying.made_up_values import MadeUpValues
from deploy.verifying.npu_inference import NpuInference, Observer
from deploy.verifying.reference_ahead import ReferenceAhead
from deploy.verifying.usual_inputs import FEWEST, SEED, affordable, affordable_sets
from deploy.verifying.variable_values import variable_values

_REFERENCE_S, _REFERENCE_MACS_PER_S, _REFERENCE_SHARE = 0.05, 4e8, 0.5
"""About what the reference kernels take, for any network and by its size (measured), and the part of a limited
time that is kept for them at most. Operators that the NPU model has not reached then are not compared."""

_FIRST_MACS = 50e6
"""What the inputs of the first round cost at most, which is to be done in any time; a large network's is one."""

_FIRST_SETS = 3
"""Of made-up values, one of each kind, which is to be done in nearly any time."""

_ANY = 1 << 30

_ROUND_BYTES = 64 * 1024 * 1024
"""Of all tensors that one round keeps, and of its arenas."""


@dataclass(frozen=True)
class Round:
    """What a part of the inputs, or of the made-up values, told.

    Attributes:
        walk: through the operators.
        answers: of the NPU model to the inputs; empty where it was not run to its end.
        inputs: how many inputs or sets of values it had.
        seconds: that it took.
    """

    walk: Walk
    answers: tuple[Sample, ...]
    inputs: int
    seconds: float

    def end(self, inputs: int) -> float:
        """About when another round would end that begins now."""
        return time.monotonic() + self.seconds * inputs / max(self.inputs, 1)

    def inputs_until(self, until: float) -> int:
        """About how many inputs another round may have to end in time."""
        left = (until - time.monotonic()) * self.inputs / max(self.seconds, 1e-9)
        return int(max(0, min(left, _ANY)))


class Rounds:
    """What makes them.

    Args:
        build: an open build folder with a debug database.
        source: its model.
        inference: with its compiled model.
        samples: inputs, at least one.
        until: value of the monotonic clock after which nothing further is begun.
        ahead: what the reference kernels have said already, in a part of the time.
        observer: called after every NPU operation of these inputs.
        sequence: whether the samples are one sequence, in which the model keeps its state: they are one round
            then, as far as they fit in memory.

    Attributes:
        in_time: whether nothing was left out because the time was up.
    """

    def __init__(
        self,
        build: BuildFolder,
        source: Model,
        inference: NpuInference,
        samples: Sequence[Sample],
        *,
        until: float,
        ahead: ReferenceAhead | None = None,
        observer: Observer | None = None,
        sequence: bool = False,
    ) -> None:
        self._build, self._source, self._inference, self._sequence = build, source, inference, sequence
        self._samples, self._until, self._observer = samples, until, observer
        macs = build.document.figure("macs")
        self._macs = macs.value if macs is not None else 0.0
        kept = max(sum(tensor.nbytes for tensor in source.tensors), inference.arena_bytes)
        self._room = max(1, _ROUND_BYTES // kept)
        self._ahead = ahead if ahead is not None and ahead.source is source else None
        self._kernels = ModelKernels(source) if self._ahead is None else self._ahead.kernels
        # In a limited time there is a look at the clock after each.
        self._at_once = GroupsAtOnce(self._kernels) if until == math.inf and not sequence else None
        self.in_time = True

    def on_inputs(self) -> Iterator[Round]:
        """Rounds on inputs, each on about as many as all before it, and none on more than fit in memory."""
        size = max(1, min(FEWEST, int(_FIRST_MACS // max(self._macs, 1))))
        done, end = 0, min(len(self._samples), affordable(self._macs))
        if self._sequence:
            size = end = min(self._room, end)
        while done < end and self.in_time:
            made = self._on_inputs(self._samples[done : done + size])
            self.in_time = made.walk.in_time
            yield made
            done += size
            size = min(max(size, done), self._room, end - done)
            self.in_time &= done == end or made.end(size) <= self._until

    def _on_inputs(self, samples: Sequence[Sample]) -> Round:
        began = time.monotonic()
        begun = self._begun(samples[0])
        reference_s = _REFERENCE_S + self._macs * (len(samples) - 1) / _REFERENCE_MACS_PER_S
        kept_s = min(reference_s, _REFERENCE_SHARE * (self._until - began))
        captures: list[LayerCapture] = []
        parts: list[Stacked] = []
        size = 1 if self._sequence else len(samples)
        for first in range(0, len(samples), size):
            captures.append(LayerCapture(self._source, self._build.debug))
            state = self._inference.state if first else None
            part = stacked(samples[first : first + size])
            parts.append(self._outputs(part, captures[-1], state, until=self._until - kept_s, shown=True))
            if not parts[-1]:
                break
        outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[-1]}
        capture, inputs = joined(captures), stacked(samples)
        found = walk(
            self._source,
            capture,
            inputs,
            outputs,
            until=self._until,
            kernels=self._kernels,
            begun=begun,
            sequence=self._sequence,
        )
        answers = tuple(unstacked(outputs, len(samples))) if outputs else ()
        return Round(found, answers, len(samples), time.monotonic() - began)

    def _begun(self, sample: Sample) -> Inference:
        """The first inference of a round on the reference kernels: made already, or begun now."""
        found = None if self._ahead is None or self._sequence else self._ahead.whole(sample)
        return found or self._kernels.begin(sample)

    def on_made_up_values(self, first: Round) -> Iterator[Round]:
        """A small round, then rounds on as many sets as there is time for.

        What cannot be compared is left out without a word.

        Args:
            first: round on inputs, which has said what no kernels can run.
        """
        values, inputs = MadeUpValues(self._source, SEED), stacked(self._samples)
        left, last, size = affordable_sets(self._macs), first, _FIRST_SETS
        if self._ahead is not None:
            self._ahead.end(self._until - first.seconds)
            made = self._on_made_up(self._ahead.inputs, values, self._ahead) if self._ahead.inputs else None
            if self._ahead.is_costly:
                self._until -= self._ahead.seconds
            if made is not None:
                self.in_time = made.walk.in_time
                yield made
                # With the reference's half more of them take about as long as that did; of a small network,
                # where it was little, nobody knows yet.
                seconds = self._ahead.seconds if self._ahead.is_costly else 0.0
                last, left, size = replace(made, seconds=seconds), left - made.inputs, self._ahead.sets
        while left > 0 and self.in_time:
            size = min(size, left, self._room, last.inputs_until(self._until))
            if size < 1:
                self.in_time = False
                return
            made = self._on_made_up(values.inputs(inputs, size), values)
            if made is None:
                return
            self.in_time = made.walk.in_time
            yield made
            last, left = made, left - size
            size = left

    def _on_made_up(
        self, inputs: Stacked, values: MadeUpValues, ahead: ReferenceAhead | None = None
    ) -> Round | None:
        """A round on made-up values; None where an operator on the CPU has no answer to such: on inputs it ran."""
        began, size = time.monotonic(), len(next(iter(inputs.values())))
        capture = LayerCapture(self._source, self._build.debug, values if ahead is None else ahead.values(values))
        state = self._inference.initial_state(size)
        state.resources |= values.variables(initial_resources(self._source), size)
        state.called = True
        try:
            outputs = self._outputs(inputs, capture, state, until=self._until)
        except TargetError:
            return None
        found = walk(
            self._source,
            capture,
            inputs,
            outputs,
            until=self._until,
            kernels=self._kernels,
            behind=None if ahead is None else ahead.behind,
            at_once=self._at_once,
        )
        return Round(found, (), size, time.monotonic() - began)

    def _outputs(
        self,
        inputs: Stacked,
        capture: LayerCapture,
        state: InferenceState | None,
        *,
        until: float,
        shown: bool = False,
    ) -> Stacked:
        """Outputs of the NPU model; none where the time was up before the end.

        Args:
            inputs: name -> ``(batch, *shape)``.
            capture: takes what is computed, and what is read from variables and assigned to them.
            state: to start from; None for the initial one.
            until: value of the monotonic clock after which the inference ends early.
            shown: whether the observer is called.
        """
        observers = (capture, self._observer) if shown and self._observer is not None else (capture,)
        before = self._initial_resources(len(next(iter(inputs.values())))) if state is None else state.resources

        def observe(operator: int, operation: Operation, memory: Memory) -> None:
            for each in observers:
                each(operator, operation, memory)
            if time.monotonic() > until:
                raise _TimeUpError

        try:
            outputs = self._inference.run_batch(inputs, observe, state=state)
        except _TimeUpError:
            return {}
        after = self._inference.state.resources if self._inference.state is not None else {}
        capture.tensors = {**variable_values(self._source, before, after), **capture.tensors}
        return outputs

    def _initial_resources(self, batch: int) -> dict[str, NDArray[np.uint8]]:
        """What resource variables hold at first: name -> bytes ``(batch, n)``."""
        found = initial_resources(self._source)
        return {name: np.repeat(held[np.newaxis], batch, axis=0) for name, held in found.items()}


class _TimeUpError(Exception):
    """Nothing further is to be begun."""

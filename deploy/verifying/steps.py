"""An inference on the NPU model step by step: what each step leaves in memory, and which step wrote which byte.

A step is an operation of the NPU, or an operator that Vela left on the CPU. Where a result stays inside the NPU
for the next operation (U85), all up to the one that stores what comes of it are one step. Steps count from 1: 0
is the time before the first one, when memory holds the inputs and the initial state.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.hardware.npus import Npu
from deploy.judging.oracles import MakeKernels
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Sample
from deploy.npu.execution.destinations import destinations
from deploy.npu.execution.feature_maps import views
from deploy.npu.execution.memory import Memory
from deploy.npu.regions import ARENA, FAST
from deploy.npu.stream.dma import Transfer
from deploy.npu.stream.operations import BlockOperation, Operation
from deploy.tflite import Model
from deploy.tflite.compiled import arena_offsets, npu_operators
from deploy.tflite.prefix import live_after
from deploy.tflite.state import initial_variable, variable_tensors
from deploy.verifying.npu_inference import NpuInference

NOBODY = -1
"""In the place of a step's number: nobody wrote the byte, or nobody needs it any more."""


@dataclass(frozen=True)
class Step:
    """One step of an inference.

    Attributes:
        operator: position in the compiled model.
        operation: of the NPU, the last one of the step; None for an operator on the CPU.
        inside: those before it that belong to the step, because something stayed inside the NPU.
    """

    operator: int
    operation: Operation | None
    inside: tuple[Operation, ...] = ()

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All of the NPU, in their order."""
        return self.inside if self.operation is None else (*self.inside, self.operation)


@dataclass(frozen=True)
class Contents:
    """What memory holds after a step: by region, the arena and, where there is one, the NPU's own fast memory.

    Attributes:
        values: region -> bytes ``(n,)``.
        writers: region -> number of the step that wrote each byte ``(n,)``, :data:`NOBODY` for a byte that means
            nothing: unwritten, or of a tensor that no operator needs any more, whose place others may take.
    """

    values: Mapping[int, NDArray[np.uint8]] = field(repr=False)
    writers: Mapping[int, NDArray[np.int32]] = field(repr=False)


class InferenceSteps:
    """The steps of one inference.

    Args:
        model: read from a ``.tflite`` that Vela wrote.
        npu: that it was compiled for.
        sample: one array per input.
        kernels: what runs operators left on the CPU, LiteRT's reference kernels where these cannot.

    Attributes:
        steps: in their order; number 1 is the first.
        last: what the last one leaves in memory.

    Raises:
        BadInputError: the NPU model cannot run it, or the NPU's arena is only a part of the model's.
        NotInstalledError: there are operators left on the CPU and LiteRT is missing.
        TargetError: the NPU model refused the command stream, or a CPU operator failed.
    """

    def __init__(self, model: Model, npu: Npu, sample: Sample, kernels: MakeKernels = ReferenceKernels) -> None:
        self._model = model
        offsets = arena_offsets(model)
        if any(offsets[operator.scratch.index] > 0 for operator in npu_operators(model)):
            raise BadInputError("the model's ethos-u operators work on a part of the arena, which is not covered")
        self._inference = NpuInference(model, npu, kernels=kernels)
        self._inputs = {name: np.asarray(array)[np.newaxis] for name, array in sample.items()}
        record = self._run(until=None)
        self.steps = tuple(record.steps)
        self.last = record.contents()

    def after(self, number: int) -> Contents:
        """What memory holds after a step; 0 for the inputs alone. Runs the inference again up to there."""
        if number == len(self.steps):
            return self.last
        return self._run(until=number).contents()

    def _run(self, until: int | None) -> _Record:
        record = _Record(self._model, self._inference.arena_bytes, self._inputs, until)
        if until != 0:
            with contextlib.suppress(_ReachedError):
                self._inference.run_batch(self._inputs, record.on_operation, record.on_cpu_operator)
        return record


_Reader = Callable[[int], NDArray[np.uint8]]
"""Gives the bytes of a region."""


class _ReachedError(Exception):
    """The step that was asked for has been taken."""


class _Record:
    """Notes who wrote what, until a step is reached."""

    def __init__(
        self, model: Model, arena_bytes: int, inputs: Mapping[str, NDArray[Any]], until: int | None
    ) -> None:
        self._model, self._until = model, until
        self._offsets = arena_offsets(model)
        self._fast = {operator.index for operator in npu_operators(model) if operator.has_fast_memory}
        self._operator = -1
        self._inside: list[Operation] = []
        self.steps: list[Step] = []
        arena = np.zeros(arena_bytes, np.uint8)
        self._writers = {ARENA: np.full(arena_bytes, NOBODY, np.int32)}
        # The order in which they come into memory, where they may share a place.
        contents = {tensor.index: initial_variable(tensor) for tensor in variable_tensors(model)}
        for index, name in model.input_names().items():
            contents[index] = np.ascontiguousarray(inputs[name]).reshape(-1).view(np.uint8)
        for index, content in contents.items():
            start = self._offsets[index]
            if start >= 0:
                arena[start : start + content.size] = content
                self._writers[ARENA][start : start + content.size] = 0
        self._read: _Reader = lambda _region: arena

    def contents(self) -> Contents:
        """Copies of what memory holds now."""
        return Contents({region: self._read(region).copy() for region in self._writers}, self._writers)

    def on_operation(self, operator: int, operation: Operation, memory: Memory) -> None:
        self._enter(operator)
        if operator in self._fast and FAST not in self._writers:
            self._writers[FAST] = np.full(memory.size(FAST), NOBODY, np.int32)
        self._mark(operation, memory, own_fast=operator in self._fast)
        stored = not isinstance(operation, BlockOperation) or operation.stores
        if not stored or (self._inside and not isinstance(operation, BlockOperation)):
            self._inside.append(operation)
            return
        self.steps.append(Step(operator, operation, tuple(self._inside)))
        self._inside.clear()
        self._taken(lambda region: memory.bytes(region, 0, memory.size(region))[0])

    def on_cpu_operator(self, index: int, arena: NDArray[np.uint8]) -> None:
        self._enter(index)
        self.steps.append(Step(index, None))
        for tensor in self._model.operators[index].outputs:
            self._place(tensor, len(self.steps))
        self._taken(lambda _region: arena[0])

    def _enter(self, operator: int) -> None:
        """At the begin of an operator: of what earlier ones left, only tensors count that are still needed."""
        if operator == self._operator:
            return
        self._operator = operator
        before = self._writers.pop(ARENA)
        self._writers = {ARENA: np.full_like(before, NOBODY)}
        for index in live_after(self._model, operator - 1):
            start, size = self._offsets[index], self._model.tensors[index].nbytes
            if start >= 0:
                self._writers[ARENA][start : start + size] = before[start : start + size]

    def _place(self, tensor: int, number: int) -> None:
        start = self._offsets[tensor]
        if start >= 0:
            self._writers[ARENA][start : start + self._model.tensors[tensor].nbytes] = number

    def _mark(self, operation: Operation, memory: Memory, *, own_fast: bool) -> None:
        number = len(self.steps) + 1
        if isinstance(operation, Transfer):
            [(region, _)] = operation.writes
            if region is not None:
                self._of(region, own_fast)[destinations(operation, memory)] = number
        elif isinstance(operation, BlockOperation) and operation.stores:
            writers = self._of(operation.ofm.region, own_fast)
            whole = memory.bytes(operation.ofm.region, 0, 1)
            size = operation.ofm.dtype.itemsize
            for view in views(memory, operation.ofm):
                np.ndarray(
                    (*view.shape[1:], size),
                    np.int32,
                    buffer=writers,
                    offset=4 * (view.ctypes.data - whole.ctypes.data),
                    strides=(*(4 * stride for stride in view.strides[1:]), 4),
                )[...] = number

    def _of(self, region: int, own_fast: bool) -> NDArray[np.int32]:
        return self._writers[FAST if region == FAST and own_fast else ARENA]

    def _taken(self, read: _Reader) -> None:
        self._read = read
        if len(self.steps) == self._until:
            raise _ReachedError

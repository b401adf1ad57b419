"""Runs a Vela-compiled model on the host: ``ethos-u`` operators on the NPU model, the rest on LiteRT's kernels.

All operators share one arena, as they do on the target.

Regions (source: Vela 5.2.0's output, TFLM's ``ethos-u`` kernel): 0 is the read-only data, 1 the arena, 2 the SRAM
that the memory mode dedicates to the NPU; without one, the arena again.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy import npu
from deploy.errors import BadInputError, TargetError
from deploy.hardware.designs import MemorySystem
from deploy.hardware.npus import Npu
from deploy.judging.float_parts import defined, inner_names, leaves_memory
from deploy.judging.oracles import MakeKernels
from deploy.judging.reference import ReferenceKernels
from deploy.npu.core.library import native
from deploy.npu.execution.memory import Memory
from deploy.npu.program import PreparedRun, Program, decoded
from deploy.npu.regions import ARENA, CONSTANTS, FAST, region_config
from deploy.npu.stream.operations import Operation
from deploy.tflite import NPU_OPERATOR, Model, Tensor
from deploy.tflite.compiled import NpuOperator, arena_end, arena_offsets, npu_operators
from deploy.verifying.cpu_operators import CpuOperator, cpu_operators
from deploy.verifying.inference_state import InferenceState, InitialState, ResourceStep, resource_steps
from deploy.verifying.learned_operators import LearnedOperator, can_be_learned
from deploy.verifying.tensor_memory import TensorMemory

_ARENA_PADDING = 4096
_MAX_ARENA_BYTES = 1 << 29

Observer = Callable[[int, Operation, Memory], None]
"""Called after every NPU operation: number of the ``ethos-u`` operator in the file, operation, memory."""

_CpuStep = CpuOperator | LearnedOperator

CpuObserver = Callable[[int, NDArray[np.uint8]], None]
"""Called after every operator on the CPU: its number in the file, the arenas ``(batch, bytes)``."""


class NpuInference:
    """A compiled model, ready to run.

    Args:
        model: read from a ``.tflite`` that Vela wrote.
        npu_config: the NPU to model; must be the one that the model was compiled for.
        memories: behind its ports, on which the estimated cycles of the counters depend; default: those of the
            NPU's default system configuration and memory mode.
        kernels: what runs operators left on the CPU, LiteRT's reference kernels where these cannot.

    Attributes:
        state: that the last run left; None before the first one.
        arena_bytes: size of the arena of one inference.

    Raises:
        BadInputError: the model was not compiled for this NPU, is damaged, or has an operator left on the CPU
            that LiteRT has no reference kernel for.
        NotInstalledError: there are operators left on the CPU and LiteRT is missing.
    """

    def __init__(
        self,
        model: Model,
        npu_config: Npu,
        memories: MemorySystem | None = None,
        kernels: MakeKernels = ReferenceKernels,
    ) -> None:
        self._model = model
        self._memories = memories
        self._architecture = _architecture(npu_config)
        _load(self._architecture)
        if not model.operators:
            raise BadInputError("the model has no operators")
        self._offsets = arena_offsets(model)
        self._initial = InitialState(model)
        self.state: InferenceState | None = None
        steps: dict[int, _NpuStep | _CpuStep | ResourceStep] = {**resource_steps(model)}
        for index, operator in cpu_operators(model, NPU_OPERATOR, kernels).items():
            steps[index] = LearnedOperator(operator) if can_be_learned(operator) else operator
        steps |= {segment.index: _NpuStep(segment, npu_config) for segment in npu_operators(model)}
        self._steps = [steps[operator.index] for operator in model.operators]
        self._inner = inner_names(model)
        self._partial = [operator for operator in model.operators if leaves_memory(operator)]
        self._inputs = {name: _Input.of(model.tensors[index]) for index, name in model.input_names().items()}
        self._outputs = {name: model.tensors[index] for index, name in model.output_names().items()}
        self._cache = npu.WeightCache()
        self._prepared: list[_Prepared] = []
        self._ran: tuple[tuple[Program, int], ...] = ()
        self.arena_bytes = _arena_size(model, self._offsets)

    def programs(self) -> tuple[Program, ...]:
        """The decoded command streams of the ``ethos-u`` operators, in their order.

        Raises:
            TargetError: the NPU model refuses one.
        """
        return _programs([step for step in self._steps if isinstance(step, _NpuStep)], self._architecture)

    def _prepared_for(self, batch: int) -> _Prepared:
        """What the last run was made in, emptied, where nothing else is made in it; or a new one."""
        found = None
        with contextlib.suppress(IndexError):  # taken by another thread
            found = self._prepared.pop()
        if found is None or len(found.tensors.arena) != batch:
            tensors = TensorMemory(self._offsets, batch, self.arena_bytes)
            return _Prepared(
                tensors,
                lambda step: step.on_arenas(tensors.arena, self._offsets, self._architecture, self._cache),
            )
        found.tensors.clear()
        return found

    def initial_state(self, batch: int) -> InferenceState:
        """What a batch of inferences starts from where nothing else is said."""
        return self._initial.state(batch)

    @property
    def counters(self) -> tuple[npu.Statistics, ...]:
        """Of the last run, one per ``ethos-u`` operator, in their order; counted when they are asked for."""
        return tuple(program.statistics(config, self._memories) for program, config in self._ran)

    @property
    def statistics(self) -> npu.Statistics:
        """Counters of the last run, all ``ethos-u`` operators together."""
        counters = self.counters
        records = [record for each in counters for record in each.records]
        return npu.Statistics(records, stopped=bool(counters) and counters[-1].stopped)

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Run one inference.

        Args:
            inputs: name (see ``Model.input_names``) -> array of the input tensor's shape and dtype.

        Returns:
            Output name (see ``Model.output_names``) -> array of the output tensor's shape and dtype.

        Raises:
            BadInputError: inputs are missing, unknown, or of another shape or dtype.
            TargetError: the NPU model refused the command stream.
        """
        results = self.run_batch({name: np.asarray(array)[np.newaxis] for name, array in inputs.items()})
        return {name: array[0] for name, array in results.items()}

    def run_batch(
        self,
        inputs: Mapping[str, NDArray[np.generic]],
        on_operation: Observer | None = None,
        on_cpu_operator: CpuObserver | None = None,
        *,
        state: InferenceState | None = None,
    ) -> dict[str, NDArray[np.generic]]:
        """Run several independent inferences side by side: faster than one after the other, the same results.

        Each starts from the model's initial state where nothing else is said.

        Args:
            inputs: name -> array ``(batch, *shape)`` of the input tensor's shape and dtype.
            on_operation: called after every NPU operation.
            on_cpu_operator: called after every operator on the CPU.
            state: to start from, which stays as it is; that of the last run to go on with a sequence. None for the
                model's initial one.

        Returns:
            Output name -> array ``(batch, *shape)``; beside them the tensors in front of float operators that
            decide about outputs, see :mod:`deploy.judging.float_parts`.

        Raises:
            BadInputError: inputs are missing, unknown, or of another shape or dtype.
            TargetError: the NPU model refused the command stream, or a CPU operator failed.
        """
        arrays = _matched(self._inputs, inputs)
        batch = arrays[0].shape[0] if arrays else 1
        prepared = self._prepared_for(batch)
        tensors = prepared.tensors
        state = self.initial_state(batch) if state is None else state.copy()
        if state.batch != batch:
            raise BadInputError(f"a state of {state.batch} inferences is none of {batch}")
        for index, content in state.variables.items():
            tensors.bytes_of(self._model.tensors[index])[...] = content
        for given, array in zip(self._inputs.values(), arrays, strict=True):
            tensors.write(given.tensor, array)
        ran = []
        inner: dict[str, NDArray[np.generic]] = {}
        for step in self._steps:
            if not isinstance(step, _NpuStep):
                if isinstance(step, ResourceStep):
                    step.run(state, tensors)
                else:
                    # Their place in the arena is another tensor's later.
                    for x in step.inputs:
                        if x.index in self._inner:
                            inner[self._inner[x.index]] = tensors.read(x)
                    prepared.run_on_cpu(step, keep_state=state.continued)
                if on_cpu_operator is not None:
                    on_cpu_operator(step.index, tensors.arena)
                continue
            try:
                program = prepared.run(step, on_operation)
            except npu.NpuError as error:
                raise TargetError(f"the NPU model stopped: {error}") from error
            ran.append((program, step.ports))
        self._ran = tuple(ran)
        state.variables = {index: tensors.bytes_of(self._model.tensors[index]).copy() for index in state.variables}
        state.continued, self.state = True, state
        found: Mapping[int, NDArray[Any]] = {x.index: tensors.read(x) for x in self._outputs.values()}
        for operator in self._partial:
            found = defined(operator, found)
        if on_operation is None and on_cpu_operator is None:  # who has looked at memory may keep it
            self._prepared = [prepared]
        return {name: found[tensor.index] for name, tensor in self._outputs.items()} | inner


class _Prepared:
    """What runs of one batch are made in: the tensors, and each ``ethos-u`` operator on their arenas."""

    def __init__(self, tensors: TensorMemory, prepare: Callable[[_NpuStep], Callable[[Observer | None], Program]]):
        self.tensors = tensors
        self._prepare = prepare
        self._runs: dict[int, Callable[[Observer | None], Program]] = {}
        self._places: dict[int, tuple[NDArray[Any], NDArray[Any]] | None] = {}

    def run(self, step: _NpuStep, on_operation: Observer | None) -> Program:
        """Run an operator; returns what was run."""
        found = self._runs.get(step.index)
        if found is None:
            found = self._runs[step.index] = self._prepare(step)
        return found(on_operation)

    def run_on_cpu(self, operator: _CpuStep, *, keep_state: bool) -> None:
        """Run an operator of the CPU."""
        if isinstance(operator, LearnedOperator) and self._run_in_place(operator):
            return
        inputs = {tensor.index: self.tensors.read(tensor) for tensor in operator.inputs}
        batch = len(self.tensors.arena)
        if keep_state and operator.keeps_state and batch > 1:
            raise BadInputError(f"operator {operator.index} ({operator.code}) keeps one state, not {batch}")
        results = operator.run_batch(inputs, batch, keep_state=keep_state)
        for tensor in operator.outputs:
            self.tensors.write(tensor, results[tensor.index])

    def _run_in_place(self, operator: LearnedOperator) -> bool:
        """Run it from where its input lies to where its output does; whether that can be done."""
        if operator.index not in self._places:
            [given], [made] = operator.inputs, operator.outputs
            places = self.tensors.view(given), self.tensors.view(made)
            whole = all(place.flags.c_contiguous for place in places) and not np.may_share_memory(*places)
            self._places[operator.index] = places if whole else None
        found = self._places[operator.index]
        return found is not None and operator.run_in(*found)


class _Input(NamedTuple):
    """A tensor that is given, and what it wants to be given."""

    tensor: Tensor
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, tensor: Tensor) -> _Input:
        return cls(tensor, tensor.shape, np.dtype(tensor.dtype))


class _NpuStep:
    """One ``ethos-u`` operator.

    Attributes:
        index: position of the operator in the model.
        dedicated: whether an SRAM is dedicated to the NPU.
        ports: REGIONCFG.
    """

    def __init__(self, operator: NpuOperator, npu_config: Npu) -> None:
        try:
            payload = npu.parse_payload(operator.payload_bytes)
        except npu.NpuError as error:
            raise BadInputError(f"the command stream is damaged: {error}") from error
        _check_configuration(payload.config_word, npu_config)
        if payload.separate_io:
            raise BadInputError(
                "the model has separate regions for its inputs and outputs, which host runs do not cover",
                hints=["compile it without Vela's --separate-io-regions"],
            )
        self.index = operator.index
        self._stream = payload.stream
        self._program: Program | None = None
        self._constants = np.zeros(0, np.uint8) if operator.constants.data is None else operator.constants.data
        self._scratch = operator.scratch.index
        # A dedicated SRAM is no part of the arena: it starts empty in every inference.
        self.dedicated = operator.has_fast_memory
        self.ports = region_config(dedicated=self.dedicated)
        self._fast_bytes = operator.fast.nbytes

    def program(self, architecture: npu.Architecture) -> Program:
        """The command stream, decoded once."""
        if self._program is None:
            self._program = decoded(self._stream.tobytes(), architecture)
        return self._program

    def on_arenas(
        self,
        arena: NDArray[np.uint8],
        offsets: tuple[int, ...],
        architecture: npu.Architecture,
        cache: npu.WeightCache,
    ) -> Callable[[Observer | None], Program]:
        """What runs it on a batch of arenas, again and again, and returns what was run."""
        program = self.program(architecture)
        part = arena[:, max(offsets[self._scratch], 0) :]
        scratch = np.ascontiguousarray(part)
        copied = scratch.ctypes.data != part.ctypes.data
        regions = {CONSTANTS: self._constants, ARENA: scratch, FAST: scratch}
        if self.dedicated:
            regions[FAST] = np.zeros((len(arena), self._fast_bytes + _ARENA_PADDING), np.uint8)
        prepared = PreparedRun(program, regions, cache)

        def run(on_operation: Observer | None) -> Program:
            if copied:
                scratch[...] = part
            if self.dedicated:
                regions[FAST].fill(0)
            prepared.run(None if on_operation is None else functools.partial(on_operation, self.index))
            if copied:
                part[...] = scratch
            return program

        return run


def decoded_programs(model: Model, npu_config: Npu) -> tuple[Program, ...]:
    """As :meth:`NpuInference.programs`, of a model that need not run here as a whole.

    Raises:
        BadInputError: a command stream is damaged, or for another NPU.
        TargetError: the NPU model refuses one.
    """
    return _programs(
        [_NpuStep(segment, npu_config) for segment in npu_operators(model)], _architecture(npu_config)
    )


def _programs(steps: Sequence[_NpuStep], architecture: npu.Architecture) -> tuple[Program, ...]:
    try:
        return tuple(step.program(architecture) for step in steps)
    except npu.NpuError as error:
        raise TargetError(f"the NPU model stopped: {error}") from error


def _architecture(npu_config: Npu) -> npu.Architecture:
    try:
        return npu.Architecture(npu_config.family, npu_config.macs)
    except npu.NpuError as error:
        raise BadInputError(f"{npu_config.name} has no functional model: {error}") from error


def _load(architecture: npu.Architecture) -> None:
    """Import what an inference computes with: who makes one runs it, and its first run has other things to do."""
    native()
    _ = architecture.instruction_set


def _check_configuration(config_word: int | None, npu_config: Npu) -> None:
    if config_word is None:
        return
    try:
        compiled = npu.architecture_of(config_word)
    except npu.NpuError as error:
        raise BadInputError(f"the model was compiled for another NPU than {npu_config.name}: {error}") from error
    if compiled.name != npu_config.name:
        raise BadInputError(
            f"the model was compiled for Ethos-{compiled.name}, not for Ethos-{npu_config.name}",
            hints=[f"compile it with --npu {npu_config.name}, or run it on {compiled.name}"],
        )


def _arena_size(model: Model, offsets: tuple[int, ...]) -> int:
    # NHCWB16 bricks can run past the end of the nominal tensor (measured).
    size = _ARENA_PADDING + arena_end(model, offsets)
    if size > _MAX_ARENA_BYTES:
        raise BadInputError(f"the model wants an arena of {size} bytes")
    return size


def _matched(given: Mapping[str, _Input], inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
    """The inputs in the order of the tensors that they are for."""
    if inputs.keys() != given.keys():
        raise BadInputError(
            f"inputs {', '.join(sorted(inputs)) or 'none'} do not match the model's {', '.join(given)}"
        )
    arrays = [np.asarray(inputs[name]) for name in given]
    for (name, (_, shape, dtype)), array in zip(given.items(), arrays, strict=True):
        if array.shape[1:] != shape or array.dtype != dtype:
            raise BadInputError(
                f"input {name}: {array.dtype} {array.shape[1:]} given, the model takes {dtype} {shape}"
            )
    if len({array.shape[0] for array in arrays}) > 1:
        raise BadInputError("the inputs hold different numbers of samples")
    return arrays

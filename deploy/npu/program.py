"""Decodes and executes command streams, by the table of the NPU's instruction set."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from deploy.hardware.designs import MemorySystem
from deploy.npu.architecture import Architecture
from deploy.npu.core.ahead import weights_ahead
from deploy.npu.core.library import native
from deploy.npu.core.translation import RunInCore, TranslatedProgram
from deploy.npu.errors import NpuError, UnsupportedError
from deploy.npu.execution.memory import Memory
from deploy.npu.execution.workspace import WeightCache, Workspace
from deploy.npu.instruction_set import InstructionSet
from deploy.npu.stream.commands import split
from deploy.npu.stream.operations import BlockOperation, Operation
from deploy.npu.timing.cycles import OperationTime
from deploy.npu.timing.statistics import OperationRecord, Statistics, traffic

Observer = Callable[[Operation, Memory], None]
"""Called after every operation with what it was and the memory as it left it."""


@dataclass(frozen=True)
class Program:
    """A decoded command stream."""

    architecture: Architecture
    operations: tuple[Operation, ...]
    stopped: bool
    words: int
    _records: dict[tuple[object, ...], list[OperationRecord]] = field(
        default_factory=dict, repr=False, compare=False
    )
    _translated: dict[tuple[object, ...], TranslatedProgram] = field(
        default_factory=dict, repr=False, compare=False
    )

    def statistics(self, config: int | None = None, memories: MemorySystem | None = None) -> Statistics:
        """What a run of the program does: counts, and an estimate of its time; see :func:`record`."""
        key = (config, memories)
        if key not in self._records:  # every run of the program asks for the same again
            self._records[key] = records(self.operations, self.architecture, config, memories)
        return Statistics(list(self._records[key]), self.stopped)

    @property
    def all_translated(self) -> tuple[TranslatedProgram, ...]:
        """For the shapes of memory that it was run on, in the compiled core."""
        return tuple(self._translated.values())

    def translated(self, memory: Memory) -> TranslatedProgram | None:
        """The program for the compiled core and memory of this shape; None where NumPy has to do it."""
        core, shape = native(), memory.shape
        if core is None or shape is None:
            return None
        if shape not in self._translated:
            instructions = self.architecture.instruction_set
            self._translated[shape] = TranslatedProgram(self.operations, instructions, memory, core)
        return self._translated[shape]


def decode(stream: NDArray[np.uint32], architecture: Architecture) -> Program:
    """Decode a command stream up to its stop command or its end.

    Raises:
        StreamError: malformed, or a register has a value that makes no sense.
        UnsupportedError: something that the model does not compute.
    """
    instructions = architecture.instruction_set
    registers, roles = instructions.registers(architecture.design), instructions.roles
    operations: list[Operation] = []
    for command in split(stream, instructions.commands, registers.settings):
        name = command.code._name_  # ``name`` takes four times as long
        if name in instructions.refused:
            raise UnsupportedError(
                instructions.refused[name],
                command=name,
                offset=command.offset,
                parameters={"parameter": command.parameter, "payload": command.payload},
            )
        kind = roles[name]
        if kind is not None:
            try:
                operations.append(kind.read(registers, command, len(operations)))
            except NpuError as error:
                error.locate(command=name, offset=command.offset, operation=len(operations))
                raise
        elif command.code is instructions.stop:
            return Program(architecture, tuple(operations), True, command.offset // 4 + 1)
    return Program(architecture, tuple(operations), False, int(stream.size))


@functools.lru_cache(maxsize=4)
def decoded(stream: bytes, architecture: Architecture) -> Program:
    """As :func:`decode`, for the bytes of a stream; the last few are kept.

    Firmware runs the same one again and again, and the host compares with what it computes: to decode takes a
    quarter of the time of a small network's run.
    """
    return decode(np.frombuffer(stream, dtype="<u4"), architecture)


def execute(
    stream: NDArray[np.uint32],
    regions: Mapping[int, NDArray[np.uint8]],
    arch: Architecture,
    cache: WeightCache | None = None,
    on_operation: Observer | None = None,
    defined: Mapping[int, Iterable[tuple[int, int]]] | None = None,
    region_config: int | None = None,
    memories: MemorySystem | None = None,
) -> Statistics:
    """Execute a command stream: reads and writes ``regions`` as the NPU would.

    Args:
        stream: uint32 words, what QBASE points at (without the driver's payload header).
        regions: region number (0 to 7) -> uint8 array ``(bytes,)``; addresses in commands are offsets into it.
            Arrays ``(batch, bytes)`` run several inputs through the stream at once; flat regions beside them
            are shared by the batch and must then not be written.
        arch: the NPU.
        cache: keeps decoded weights between calls; safe when memory changes.
        on_operation: called after every operation, for those who compare step by step.
        defined: finds reads of memory that nobody wrote: region number -> ranges ``(start, stop)`` that hold data
            at the start (constants, inputs). Without it every byte counts as written.
        region_config: REGIONCFG, on which the counts by port depend; default: constants at port 1, the rest at 0.
        memories: behind the regions, on which the estimated cycles depend; default: those of the NPU's default
            system configuration and memory mode.

    Raises:
        NpuError: a subclass says what is wrong, in which command, at which offset. Memory may have been written
            by the operations before it.
    """
    program = decode(stream, arch)
    run(program, regions, cache, on_operation, defined)
    return program.statistics(region_config, memories)


def run(
    program: Program,
    regions: Mapping[int, NDArray[np.uint8]],
    cache: WeightCache | None = None,
    on_operation: Observer | None = None,
    defined: Mapping[int, Iterable[tuple[int, int]]] | None = None,
) -> None:
    """Execute a decoded program once; see :func:`execute`."""
    PreparedRun(program, regions, cache, defined).run(on_operation)


class PreparedRun:
    """A decoded program on memory that it can run on again and again; see :func:`execute`.

    It runs in the compiled core as far as that goes, which computes the same as NumPy does.
    """

    def __init__(
        self,
        program: Program,
        regions: Mapping[int, NDArray[np.uint8]],
        cache: WeightCache | None = None,
        defined: Mapping[int, Iterable[tuple[int, int]]] | None = None,
    ) -> None:
        self._program = program
        self._memory = Memory(regions, program.architecture.design, defined)
        self._workspace = Workspace(self._memory, WeightCache() if cache is None else cache)
        self._run_in_core: RunInCore | None = None
        self._prepared = False

    def run(self, on_operation: Observer | None = None) -> None:
        """Run it on what the regions hold now.

        Raises:
            NpuError: as :func:`execute`.
        """
        if self._prepared:
            self._run(on_operation)
            return
        program, memory, workspace = self._program, self._memory, self._workspace
        instructions = program.architecture.instruction_set
        with weights_ahead(() if program.all_translated else program.operations, instructions, workspace) as ahead:
            translated = program.translated(memory)
            self._run_in_core = None if translated is None else translated.on(workspace, ahead)
            self._prepared = True
            self._run(on_operation)

    def _run(self, on_operation: Observer | None) -> None:
        operations, done = self._program.operations, 0
        self._memory.forget()
        while done < len(operations):
            stop = len(operations) if on_operation is None else done + 1
            reached = done if self._run_in_core is None else self._run_in_core(done, stop)
            if reached < stop:
                instructions = self._program.architecture.instruction_set
                _execute_in_numpy(operations[reached], instructions, self._workspace)
                reached += 1
            if on_operation is not None:
                on_operation(operations[done], self._memory)
            done = reached


def _execute_in_numpy(operation: Operation, instructions: InstructionSet, workspace: Workspace) -> None:
    try:
        instructions.kind_of(operation).execute(operation, workspace)
    except NpuError as error:
        error.locate(command=operation.command, offset=operation.offset, operation=operation.index)
        raise


def time_of(
    operation: Operation, architecture: Architecture, memories: MemorySystem | None = None, *chained: Operation
) -> OperationTime:
    """Estimate the cycles of an operation that runs alone but for those chained to it.

    Args:
        operation: from the decoded command stream.
        architecture: the NPU.
        memories: behind the regions; default: those of the NPU's default configuration.
        chained: operations that go on with what it leaves inside the NPU.
    """
    design = architecture.design
    kind = architecture.instruction_set.kind_of(operation)
    return kind.time(operation, design, design.memories if memories is None else memories, *chained)


_LONGEST_CHAIN = 16
"""Operations of a chain that are timed together; Vela's have up to 4, and only hostile streams have more."""


def records(
    operations: Iterable[Operation],
    architecture: Architecture,
    config: int | None = None,
    memories: MemorySystem | None = None,
) -> list[OperationRecord]:
    """Describe the operations of a stream; see :func:`record`.

    One that is chained to those before it (on U85) has the cycles that it adds to theirs.
    """
    found: list[OperationRecord] = []
    chain: tuple[BlockOperation, ...] = ()
    taken = 0
    for operation in operations:
        entry = record(operation, architecture, config, memories)
        if isinstance(operation, BlockOperation):
            chained = operation.chained and 0 < len(chain) < _LONGEST_CHAIN
            chain = (*chain, operation) if chained else (operation,)
            if chained:
                whole = time_of(chain[0], architecture, memories, *chain[1:]).cycles
                entry = replace(entry, cycles=max(whole - taken, 0), chained=True)
                taken += entry.cycles
            else:
                taken = entry.cycles
        found.append(entry)
    return found


def record(
    operation: Operation,
    architecture: Architecture,
    config: int | None = None,
    memories: MemorySystem | None = None,
) -> OperationRecord:
    """Describe an operation that runs alone; its cycles are an estimate.

    Args:
        operation: from the decoded command stream.
        architecture: the NPU.
        config: REGIONCFG, which says through which port each region is reached; default as the firmware sets it
            where no SRAM is dedicated to the NPU.
        memories: behind the regions; default: those of the NPU's default configuration.
    """
    moved = traffic(operation, config)
    cycles = time_of(operation, architecture, memories).cycles
    return OperationRecord(operation.label, operation.offset, operation.macs, moved, cycles)

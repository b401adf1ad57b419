"""Translates a decoded program for the core, once for memory of one shape, and runs it there.

Every kind of operation has a function for it in its row of the instruction set. It is called with the operation
and the tables that records refer to, and gives a record (see :mod:`deploy.npu.core.records`); or it raises
NotCovered, or an error of the NPU model, where NumPy is to compute the operation, or to refuse it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deploy.npu.core.records import NotCovered, Record, Tables
from deploy.npu.errors import NpuError
from deploy.npu.execution.activation import KNOTS
from deploy.npu.execution.memory import ACCUMULATORS, Memory
from deploy.npu.execution.workspace import Packed, Workspace
from deploy.npu.instruction_set import InstructionSet
from deploy.npu.stream.operations import Operation

RunInCore: TypeAlias = Callable[[int, int], int]
"""Runs operations from the first one up to another as far as the core goes; gives the first one that was not run,
which is NumPy's."""

_NOTHING: Mapping[int, Packed] = {}

_BUDGET = 1 << 31
"""Steps of the innermost loops after which the interpreter has a turn: for interrupts, and other threads."""
BAND_BYTES = 1 << 15
"""That a convolution works in at once: they stay in a processor's caches, and its loops are long enough."""


class TranslatedProgram:
    """A program for memory of one shape.

    Args:
        operations: of the decoded program.
        instructions: what they are written in.
        memory: whose regions they are checked against.
        native: the compiled core.
        version: of its innermost loops, a place in its VERSIONS; default: the last one.
        band_bytes: that a convolution works in at once, where a row of its OFM does not take more.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        instructions: InstructionSet,
        memory: Memory,
        native: ModuleType,
        *,
        version: int = -1,
        band_bytes: int = BAND_BYTES,
    ) -> None:
        self._native, self._version = native, range(len(native.VERSIONS))[version]
        self._band_bytes = band_bytes
        tables = Tables(memory, native.NUMBERS)
        self._prepare: list[Callable[[Workspace], Packed | None] | None] = []  # what packs weights
        fields, length = native.FIELDS, native.NUMBERS["OPERATION_WORDS"]
        rows = array("q", bytes(8 * length * len(operations)))
        for number, operation in enumerate(operations):  # of the records no more than one is there at a time
            words, prepare = _translated(number, operation, instructions, tables)
            self._prepare.append(prepare)
            for name, value in words.items():
                place = number * length + fields[name]
                if isinstance(value, tuple):
                    rows[place : place + len(value)] = array("q", value)
                else:
                    rows[place] = value
        self._chain_bytes, self._chained = tables.chain_bytes, tables.left_in_chains
        self._operations = np.asarray(rows)
        self._pieces, self._ranges = _table(tables.pieces), _table(tables.ranges)
        self._weights: list[Packed | None] = [None] * len(operations)  # those that were found last

    @property
    def left(self) -> tuple[int, ...]:
        """Numbers of the operations that are NumPy's."""
        other = self._native.NUMBERS["KIND_OTHER"]
        length = self._native.NUMBERS["OPERATION_WORDS"]
        kinds = self._operations.reshape(-1, length)[:, self._native.FIELDS["kind"]]
        return tuple(int(number) for number in np.flatnonzero(kinds == other))

    def on(self, workspace: Workspace, offered: Mapping[int, Packed] = _NOTHING) -> RunInCore:
        """What runs it in the core, on memory of that shape, as often as it is called.

        Args:
            workspace: that memory, and where packed weights are found.
            offered: packed weights by the numbers of operations, perhaps, or room that is filled meanwhile; others
                may come to be.
        """
        memory = workspace.memory
        rooms = self._chain_rooms(memory)
        prepared = self._prepared(workspace, offered, rooms)
        if not self._chained:
            run: RunInCore = prepared.run
            return run

        def run_with_chains(first: int, stop: int) -> int:
            nonlocal prepared, rooms
            found = self._chain_rooms(memory)
            if any(mine is not its for mine, its in zip(rooms, found, strict=True)):  # NumPy wanted larger ones
                prepared, rooms = self._prepared(workspace, offered, found), found
            reached: int = prepared.run(first, stop)
            for number, left in self._chained:
                if first <= number < reached:
                    memory.left_in_chain(*left)
            return reached

        return run_with_chains

    def _prepared(
        self,
        workspace: Workspace,
        offered: Mapping[int, Packed],
        rooms: list[NDArray[np.uint8] | None],
    ) -> Any:
        # Packed weights point at streams, which stay as long as these do.
        weights = [offered.get(number, known) for number, known in enumerate(self._weights)]
        self._weights[:] = weights

        def ask(number: int) -> NDArray[np.uint8] | None:
            found = offered.get(number)
            if found is None or found is weights[number]:  # which it has seen, and asks all the same
                found = self._found(number, workspace)
            if found is None:
                return None
            weights[number] = self._weights[number] = found
            return found.weights

        return self._native.Prepared(
            self._operations,
            self._pieces,
            self._ranges,
            [None if each is None else each.weights for each in weights],
            ask,
            (*workspace.memory.arrays, *rooms),
            KNOTS,
            workspace.memory.batch,
            _BUDGET,
            self._band_bytes,
            self._version,
        )

    def _found(self, number: int, workspace: Workspace) -> Packed | None:
        prepare = self._prepare[number]
        try:
            return None if prepare is None else prepare(workspace)
        except NpuError:
            return None  # NumPy raises it again, as its own

    def _chain_rooms(self, memory: Memory) -> list[NDArray[np.uint8] | None]:
        numbers = self._native.NUMBERS
        buffers = range(ACCUMULATORS, numbers["REGION_COUNT"] - numbers["REGION_CHAINS"])
        sizes = self._chain_bytes
        return [memory.chain_room(buffer, sizes[buffer]) if buffer in sizes else None for buffer in buffers]


def _table(rows: Iterable[Iterable[int]]) -> NDArray[np.int64]:
    """All words one after the other; in a third of the time that NumPy takes for it."""
    return np.asarray(array("q", chain.from_iterable(rows)))


def _translated(number: int, operation: Operation, instructions: InstructionSet, tables: Tables) -> Record:
    translate = instructions.kind_of(operation).translate
    try:
        return Record({}) if translate is None else translate(operation, tables)
    except (NotCovered, NpuError):
        return Record({})
    finally:
        tables.executed(operation, number)

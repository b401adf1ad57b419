"""Counts the operators whose output varied over the inputs of a run on the NPU model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.debug_database import DebugDatabase
from deploy.npu.execution.feature_maps import read
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import BlockOperation, Operation

_Place = tuple[int, int]
"""An operation of a command stream: number of its ``ethos-u`` operator, byte offset."""


@dataclass
class VariedOperators:
    """An observer for :meth:`deploy.verifying.npu_inference.NpuInference.run_batch`, of one or several runs.

    What varied is not looked at again, so that it costs little beyond the first batch.

    Args:
        database: Vela's debug database: several NPU operations may belong to one operator of the source model.
            Without an entry in it an operation counts as an operator by itself.
    """

    database: DebugDatabase

    def __post_init__(self) -> None:
        """Nothing has run yet."""
        self._streams: list[int] = []
        self._first: dict[_Place, NDArray[np.generic]] = {}
        self._varied: dict[_Place, bool] = {}

    def __call__(self, operator: int, operation: Operation, memory: Memory) -> None:
        """Look at what ``operation`` of the ``ethos-u`` operator number ``operator`` in the file has computed."""
        if not isinstance(operation, BlockOperation) or not operation.stores:
            return
        if operator not in self._streams:
            self._streams.append(operator)
        place = self._streams.index(operator), operation.offset
        if self._varied.get(place):
            return
        values = read(memory, operation.ofm)
        first = self._first.setdefault(place, values[0].copy())
        self._varied[place] = bool((values != first).any())
        if self._varied[place]:
            self._first[place] = first[:0]

    @property
    def settled(self) -> bool:
        """Whether everything that has run has varied: there is nothing more to look at."""
        return bool(self._varied) and all(self._varied.values())

    @property
    def counts(self) -> tuple[int, int] | None:
        """How many operators varied, and how many there are on the NPU; None before anything has run."""
        if not self._varied:
            return None
        operators: dict[object, bool] = {}
        for place, varied in self._varied.items():
            scheduled = self.database.commands.get(place)
            key = place if scheduled is None or scheduled.result is None else scheduled.result
            operators[key] = operators.get(key, False) or varied
        return sum(operators.values()), len(operators)

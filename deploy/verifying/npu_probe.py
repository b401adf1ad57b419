"""Chooses inputs by what the NPU model computes on the way: levels of elements of inner feature maps."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.judging.input_search import LEVELS, Response
from deploy.judging.samples import Stacked
from deploy.npu.execution.feature_maps import read
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import BlockOperation, Operation
from deploy.verifying.host_session import HostSession

_MOST_ELEMENTS = 256
"""Of a feature map, evenly spread: levels are for choosing inputs, not for judging what is computed."""

_MOST_LEVELS = 8192
"""Of all feature maps together."""


class NpuProbe:
    """Runs inputs on the NPU model: a :data:`deploy.judging.input_search.Probe`.

    Args:
        session: with the compiled model.
    """

    def __init__(self, session: HostSession) -> None:
        self._session = session

    def __call__(self, inputs: Stacked) -> Response:
        """Run inputs.

        Raises:
            BadInputError: they do not fit the model.
            TargetError: the NPU model refused the command stream, or a CPU operator failed.
        """
        count, batch = len(next(iter(inputs.values()))), self._session.batch
        outputs, inner = [], []
        for first in range(0, count, batch):
            part = {name: array[first : first + batch] for name, array in inputs.items()}
            levels = _Levels(min(batch, count - first))
            outputs.append(self._session.inference.run_batch(part, levels))
            found = np.concatenate(levels.found, axis=1)
            inner.append(found[:, :: max(1, -(-found.shape[1] // _MOST_LEVELS))])
        return Response(
            {name: np.concatenate([part[name] for part in outputs]) for name in outputs[0]}, np.concatenate(inner)
        )


class _Levels:
    """An observer of a run.

    Args:
        batch: how many inputs run side by side.

    Attributes:
        found: per NPU operation ``[batch, elements]``, see :func:`_levels`.
    """

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self.found: list[NDArray[np.int8]] = [np.zeros((batch, 0), np.int8)]

    def __call__(self, _operator: int, operation: Operation, memory: Memory) -> None:
        """Take the levels of what an operation has computed."""
        if not isinstance(operation, BlockOperation) or not operation.stores:
            return
        values = read(memory, operation.ofm)
        flat = values.reshape(len(values), -1)
        levels = _levels_of(np.take(flat, _places(flat.shape[1]), axis=1), operation.ofm.zero_point)
        self.found.append(np.repeat(levels, self._batch // len(levels), axis=0))


@functools.lru_cache(maxsize=1024)
def _places(elements: int) -> NDArray[np.intp]:
    """Where a feature map of so many elements is looked at."""
    return np.linspace(0, elements - 1, min(_MOST_ELEMENTS, elements)).astype(np.intp)


def _levels_of(stored: NDArray[Any], zero_point: int) -> NDArray[np.int8]:
    """The levels of what a feature map stores; 8-bit values are looked up."""
    if stored.dtype.itemsize > 1:
        return _levels(stored.astype(np.int64) - zero_point)
    return np.take(_byte_levels(stored.dtype, zero_point), stored.view(np.uint8))


@functools.lru_cache(maxsize=1024)
def _byte_levels(dtype: np.dtype[Any], zero_point: int) -> NDArray[np.int8]:
    """The levels of all values of an 8-bit type, by their bytes."""
    return _levels(np.arange(256, dtype=np.uint8).view(dtype).astype(np.int64) - zero_point)


def _levels(values: NDArray[np.int64]) -> NDArray[np.int8]:
    """By sign and power of two; -1 for zero, behind which no weight of the next operator shows."""
    half = LEVELS // 2
    powers = np.minimum(np.log2(np.abs(values) + (values == 0)), half - 1).astype(np.int8)
    levels = np.where(values > 0, half + powers, half - 1 - powers)
    return np.where(values == 0, -1, levels).astype(np.int8)

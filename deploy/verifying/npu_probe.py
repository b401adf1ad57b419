"""Chooses inputs by what the NPU model computes on the way: levels of the channels of inner feature maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.judging.input_search import LEVELS, Response
from deploy.judging.samples import Stacked
from deploy.npu.execution.feature_maps import read
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import BlockOperation, Operation
from deploy.verifying.host_session import HostSession

_MOST_CHANNELS = 32
_MOST_ROWS = 32
"""Of a feature map, evenly spread: levels are for choosing inputs, not for judging what is computed."""


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
            levels = _ChannelLevels(min(batch, count - first))
            outputs.append(self._session.inference.run_batch(part, levels))
            inner.append(np.concatenate(levels.found, axis=1))
        return Response(
            {name: np.concatenate([part[name] for part in outputs]) for name in outputs[0]}, np.concatenate(inner)
        )


class _ChannelLevels:
    """An observer of a run.

    Args:
        batch: how many inputs run side by side.

    Attributes:
        found: per NPU operation ``[batch, channels]``: by what power of two a channel is off its zero point.
    """

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self.found: list[NDArray[np.int8]] = [np.zeros((batch, 0), np.int8)]

    def __call__(self, _operator: int, operation: Operation, memory: Memory) -> None:
        """Take the levels of what an operation has computed."""
        if not isinstance(operation, BlockOperation):
            return
        rows, columns, channels = (
            max(1, -(-size // most))
            for size, most in zip(
                (operation.ofm.height, operation.ofm.width, operation.ofm.depth),
                (_MOST_ROWS, _MOST_ROWS, _MOST_CHANNELS),
                strict=True,
            )
        )
        values = read(memory, operation.ofm)[:, ::rows, ::columns, ::channels].astype(np.float32)
        off = np.abs(values - operation.ofm.zero_point).mean(axis=(1, 2))
        levels = np.clip(np.log2(1 + off), 0, LEVELS - 1).astype(np.int8)
        self.found.append(np.repeat(levels, self._batch // len(levels), axis=0))

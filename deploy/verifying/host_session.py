"""The NPU model on this host as what answers: no CPU, no firmware, several inputs side by side."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

import deploy
from deploy.hardware.designs import MemorySystem
from deploy.hardware.npus import Npu
from deploy.judging.answer import WHOLE_SEQUENCE, Answer
from deploy.judging.oracles import MakeKernels
from deploy.judging.origin import Origin, Platform
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Sample, Stacked, stacked, unstacked
from deploy.npu.core.library import versions
from deploy.tflite import Model
from deploy.verifying.npu_inference import NpuInference, Observer

_MAX_BATCH = 64
_BATCH_BYTES = 16 * 1024 * 1024
"""Arenas of one batch together: enough to hide the cost per call, small beside the weights of a large model."""


class HostSession:
    """A compiled model on the NPU model: an :class:`deploy.judging.answer.Answerer`.

    Args:
        model: read from a ``.tflite`` that Vela wrote.
        npu: that it was compiled for.
        memories: that counters are for; None for the NPU's default ones.
        kernels: what runs operators left on the CPU, LiteRT's reference kernels where these cannot.
        sequence: keep the model's state from one sample to the next; else each starts from the initial one.

    Attributes:
        inference: what runs it.
        batch: how many inferences run side by side, by the size of their arenas.
        observer: called after every NPU operation; None for none.
        origin: the NPU model of this package.

    Raises:
        BadInputError: the NPU model cannot run it, or LiteRT has no kernel for an operator left on the CPU.
        NotInstalledError: there are operators left on the CPU and LiteRT is missing.
    """

    def __init__(
        self,
        model: Model,
        npu: Npu,
        memories: MemorySystem | None = None,
        kernels: MakeKernels = ReferenceKernels,
        *,
        sequence: bool = False,
    ) -> None:
        self.inference = NpuInference(model, npu, memories, kernels)
        self.batch = WHOLE_SEQUENCE if sequence else batch_size(self.inference.arena_bytes)
        self._sequence = sequence
        self.observer: Observer | None = None
        self.origin = host_origin(npu.name)

    def __enter__(self) -> HostSession:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def answers(self, samples: Sequence[Sample]) -> Iterator[Answer]:
        """Yield the answers in the order of the samples; each batch runs when its first answer is asked for.

        The samples of one call are one sequence where the session keeps state.

        Raises:
            BadInputError: a sample does not fit the model.
            TargetError: the NPU model refused the command stream, or a CPU operator failed.
        """
        size = 1 if self._sequence else self.batch
        for first in range(0, len(samples), size):
            part = samples[first : first + size]
            started = time.monotonic()
            state = self.inference.state if self._sequence and first > 0 else None
            results = self.inference.run_batch(stacked(part), self.observer, state=state)
            outputs = unstacked(results, len(part))
            wall_s = (time.monotonic() - started) / len(part)
            for output in outputs:
                yield Answer(output, {}, wall_s)

    def outputs(self, inputs: Mapping[str, NDArray[Any]]) -> Stacked:
        """All answers side by side.

        Args:
            inputs: name -> ``[samples, *shape]``, at least one sample.

        Returns:
            Output name -> ``[samples, *shape]``.

        Raises:
            BadInputError: the inputs do not fit the model.
            TargetError: as :meth:`answers`.
        """
        count = len(next(iter(inputs.values())))
        return stacked([answer.outputs for answer in self.answers(unstacked(inputs, count))])


def host_origin(npu: str) -> Origin:
    """Where the NPU model's answers come from; ``npu`` is the name of what it models."""
    version = f"NPU model of deploy {deploy.__version__}"
    return Origin(Platform(kind="host", executable="deploy.npu", version=version, npu=npu), versions=versions())


def batch_size(arena_bytes: int) -> int:
    """How many inferences to run side by side in arenas of this size."""
    return max(1, min(_MAX_BATCH, _BATCH_BYTES // max(arena_bytes, 1)))

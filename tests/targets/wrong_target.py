"""The NPU model as a target that can be stopped, with a fault."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from deploy.build_folder import BuildFolder
from deploy.hardware.npus import npu_named
from deploy.judging.samples import Sample
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import Operation
from deploy.targets.stoppable import Memories, Stop, Wanted
from deploy.verifying.npu_inference import NpuInference
from deploy.verifying.steps import InferenceSteps

Fault = Callable[[int, Operation | None, Memory | np.ndarray], None]
"""Changes memory after a step: operator in the compiled model, operation, memory; arenas after a CPU operator."""


class WrongTarget:
    """What was not asked for comes back as nonsense."""

    def __init__(self, build: BuildFolder, sample: Sample, fault: Fault, *, whole: bool) -> None:
        self._model, self._npu = build.compiled_model, npu_named(build.document.npu)
        self._sample, self._fault, self.whole = sample, fault, whole
        self.runs = 0
        self.bytes_read = 0

    @cached_property
    def _inference(self) -> NpuInference:
        return NpuInference(self._model, self._npu)

    def __enter__(self) -> WrongTarget:
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    def address(self, region: int) -> int | None:
        return {1: 0x3100_0000}.get(region)

    def memory_after(self, stop: Stop, wanted: Wanted) -> Memories:
        self.runs += 1
        if stop.kept == 0:
            arena = InferenceSteps(self._model, self._npu, self._sample).after(0).values[1]
            self._fault(-1, None, arena[np.newaxis])
            return self._shown(lambda _region: arena, wanted)
        taken: dict[int, np.ndarray] = {}

        def on_operation(operator: int, operation: Operation, memory: Memory) -> None:
            self._fault(operator, operation, memory)
            if operator == stop.operator and operation.offset + 4 == stop.kept:
                taken.update(self._shown(lambda region: memory.bytes(region, 0, memory.size(region))[0], wanted))

        def on_cpu_operator(index: int, arena: np.ndarray) -> None:
            self._fault(index, None, arena)
            if index == stop.operator:
                taken.update(self._shown(lambda _region: arena[0], wanted))

        inputs = {name: array[np.newaxis] for name, array in self._sample.items()}
        self._inference.run_batch(inputs, on_operation, on_cpu_operator)
        return taken

    def _shown(self, read: Callable[[int], np.ndarray], wanted: Wanted) -> dict[int, np.ndarray]:
        shown = {}
        for region, mask in wanted.items():
            nonsense = np.random.default_rng(self.runs).integers(0, 256, mask.size).astype(np.uint8)
            shown[region] = np.where(mask, read(region)[: mask.size], nonsense)
            self.bytes_read += int(mask.sum())
        return shown

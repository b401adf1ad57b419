"""Networks with many operations, in one or several parts for the NPU, and targets that compute one wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from made_once import made_once
from pytest import TempPathFactory
from tflite_writer import GraphWriter, schema

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.hardware.npus import npu_named
from deploy.judging.samples import Sample
from deploy.npu.execution.memory import Memory
from deploy.npu.stream.operations import Operation
from deploy.targets.stoppable import Memories, Stop, Wanted
from deploy.verifying.npu_inference import NpuInference
from deploy.verifying.steps import InferenceSteps

SHAPE = (1, 6, 6, 8)


def written(*, cpu: bool) -> bytes:
    """Convolutions and additions in a chain, with an early result that the last addition takes up again.

    Args:
        cpu: puts a LOG_SOFTMAX after the third and after the sixth operator, which Vela leaves on the CPU.
    """
    rng = np.random.default_rng(5)
    graph = GraphWriter("chain")

    def convolution(source: int, name: str) -> int:
        result = graph.tensor(name, SHAPE, "int8", 0.06, 3)
        scales = rng.uniform(0.002, 0.004, SHAPE[3]).astype(np.float32)
        weights = rng.integers(-127, 128, (SHAPE[3], 1, 1, SHAPE[3]), dtype=np.int8)
        bias = rng.integers(-2000, 2000, SHAPE[3], dtype=np.int32)
        filters = graph.tensor(f"{name}_filters", weights.shape, "int8", scales, 0, weights)
        biases = graph.tensor(f"{name}_bias", bias.shape, "int32", scales * graph.scale(source), 0, bias)
        options = schema.Conv2DOptionsT()
        options.strideW = options.strideH = options.dilationWFactor = options.dilationHFactor = 1
        graph.operator("CONV_2D", [source, filters, biases], [result], options, version=3)
        return result

    def addition(first: int, second: int, name: str) -> int:
        result = graph.tensor(name, SHAPE, "int8", 0.1, -5)
        graph.operator("ADD", [first, second], [result], schema.AddOptionsT(), version=2)
        return result

    def log_softmax(source: int, name: str) -> int:
        result = graph.tensor(name, SHAPE, "int8", 16 / 256, 127)
        graph.operator("LOG_SOFTMAX", [source], [result], schema.LogSoftmaxOptionsT())
        return result

    image = graph.tensor("in", SHAPE, "int8", 0.05, -3)
    early = convolution(image, "early")
    latest = addition(early, convolution(early, "second"), "third")
    if cpu:
        latest = log_softmax(latest, "first_softmax")
    latest = addition(convolution(latest, "fourth"), latest, "fifth")
    latest = convolution(latest, "sixth")
    if cpu:
        latest = log_softmax(latest, "second_softmax")
    latest = convolution(latest, "seventh")
    return graph.finish({"image": image}, {"scores": addition(latest, early, "eighth")})


def written_build(factory: TempPathFactory, npu: str, *, cpu: bool) -> BuildFolder:
    """Such a network compiled by Vela."""
    name = f"chain-{npu}-{cpu}"

    def make(folder: Path) -> None:
        (folder / "chain.tflite").write_bytes(written(cpu=cpu))
        with contextlib.chdir(folder):
            assert run(["compile", "chain.tflite", "--npu", npu, "-o", "build", "-q"]) == 0

    return BuildFolder.open(made_once(factory, name, make) / "build")


Fault = Callable[[int, Operation | None, Memory | np.ndarray], None]
"""Changes memory after a step: operator in the compiled model, operation, memory; arenas after a CPU operator."""


class WrongTarget:
    """The NPU model as a target, with a fault. What was not asked for comes back as nonsense."""

    def __init__(self, build: BuildFolder, sample: Sample, fault: Fault, *, whole: bool) -> None:
        self._model, self._npu = build.compiled_model, npu_named(build.document.npu)
        self._sample, self._fault, self.whole = sample, fault, whole
        self.runs = 0
        self.bytes_read = 0

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
        NpuInference(self._model, self._npu).run_batch(inputs, on_operation, on_cpu_operator)
        return taken

    def _shown(self, read: Callable[[int], np.ndarray], wanted: Wanted) -> dict[int, np.ndarray]:
        shown = {}
        for region, mask in wanted.items():
            nonsense = np.random.default_rng(self.runs).integers(0, 256, mask.size).astype(np.uint8)
            shown[region] = np.where(mask, read(region)[: mask.size], nonsense)
            self.bytes_read += int(mask.sum())
        return shown

"""Networks with many operations, in one or several parts for the NPU."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
from made_once import made_once
from pytest import TempPathFactory
from tflite_writer import GraphWriter, schema

from deploy.build_folder import BuildFolder
from deploy.cli.main import run

SHAPE = (1, 6, 6, 8)


def chained(*, cpu: bool) -> bytes:
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


def chained_build(factory: TempPathFactory, npu: str, *, cpu: bool) -> BuildFolder:
    """Such a network compiled by Vela."""
    name = f"chain-{npu}-{cpu}"

    def make(folder: Path) -> None:
        (folder / "chain.tflite").write_bytes(chained(cpu=cpu))
        with contextlib.chdir(folder):
            assert run(["compile", "chain.tflite", "--npu", npu, "-o", "build", "--advice", "none", "-q"]) == 0

    return BuildFolder.open(made_once(factory, name, make) / "build")

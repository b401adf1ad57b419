"""What tests of model projects share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from deploy import zoo
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import VELA, Compiled
from deploy.hardware.npus import npu_named
from deploy.judging.reference import ReferenceKernels
from deploy.quantizing.quantization import Quantized
from deploy.verifying.npu_inference import NpuInference


@dataclass(frozen=True)
class OnNpu:
    """An untrained network of a project, quantized once, compiled for any NPU.

    Attributes:
        quantized: uint8 in and out, calibrated with random images.
    """

    quantized: Quantized
    _compiled: dict[str, Compiled] = field(default_factory=dict)

    def compiled(self, npu: str) -> Compiled:
        """What Vela makes of it; once for each NPU."""
        if npu not in self._compiled:
            self._compiled[npu] = VELA.compile(self.quantized.model, compile_options(npu_named(npu)))
        return self._compiled[npu]

    def operators(self, npu: str) -> list[str]:
        """What Vela left of the network: one ``ethos-u`` where all of it runs on the NPU."""
        return [op.code for op in self.compiled(npu).model.operators]

    def differences(self, npu: str, inputs: int = 1) -> dict[str, int]:
        """Output elements in which the NPU model differs from LiteRT's reference kernels, by output."""
        target = NpuInference(self.compiled(npu).model, npu_named(npu))
        kernels = ReferenceKernels(self.quantized.model)
        (name,) = self.quantized.model.input_names().values()
        shape = self.quantized.document.inputs[0].shape
        total: dict[str, int] = {}
        for seed in range(inputs):
            image = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
            want, got = kernels.run({name: image}), target.run({name: image})
            assert all(np.ptp(values.astype(int)) > 20 for values in want.values()), "nothing to compare"
            for output in want:
                total[output] = total.get(output, 0) + int((want[output] != got[output]).sum())
        return total


@pytest.fixture(scope="session")
def on_npu() -> Callable[[str, Sequence[str]], OnNpu]:
    """(project, assignments) -> its network with random weights, quantized; each is quantized once."""
    from deploy.zoo.quantized import quantize_network

    kept: dict[tuple[str, ...], OnNpu] = {}

    def quantized(project: str, assignments: Sequence[str]) -> OnNpu:
        key = (project, *assignments)
        if key not in kept:
            network = zoo.network(project, assignments, trained=False)
            kept[key] = OnNpu(quantize_network(network, data="random", samples=4))
        return kept[key]

    return quantized


@pytest.fixture(scope="session")
def keras() -> Any:
    from deploy.quantizing.float_model import import_keras

    return import_keras()

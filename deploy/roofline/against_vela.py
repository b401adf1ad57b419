"""Compares the roofline of an Ethos-U with Vela's cycles, layer by layer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import VELA
from deploy.hardware.npus import Npu
from deploy.roofline.ethos_u import estimate
from deploy.roofline.layer import layers
from deploy.tflite import Model


@dataclass(frozen=True)
class ComparedLayer:
    """One operator of the source model.

    Attributes:
        vela: cycles of everything that Vela made of it.
    """

    operator: str
    ours: int
    vela: int


@dataclass(frozen=True)
class AgainstVela:
    """A network on an NPU.

    Attributes:
        npu: ``U55-128`` and so on.
        layers: those that cost something in either view.
    """

    npu: str
    layers: tuple[ComparedLayer, ...]
    ours: int
    vela: int

    @property
    def ratio(self) -> float:
        """Ours by Vela's."""
        return self.ours / max(1, self.vela)


def compare(model: Model, npu: Npu, *, source: str) -> AgainstVela:
    """Estimate a quantized model and compile it with Vela, for the NPU's default configuration.

    Raises:
        BadInputError: the model cannot be estimated or compiled.
        NotInstalledError: Vela is missing.
    """
    ours = estimate(layers(model), npu)
    compiled = VELA.compile(model, compile_options(npu), source=source)
    cycles: Counter[int | None] = Counter()
    for row in compiled.layers:
        cycles[row.source_operator] += row.number("Op Cycles")
    compared = (ComparedLayer(item.layer.operator, item.cycles, cycles[item.layer.index]) for item in ours.layers)
    return AgainstVela(
        npu.name,
        tuple(layer for layer in compared if layer.ours or layer.vela),
        ours.cycles,
        int(compiled.figure("total_cycles")),
    )

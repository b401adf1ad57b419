"""Holds a rewritten model against the one it comes from, on kernels that both run on, and on the NPU model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deploy.hardware.npus import Npu
from deploy.judging.comparison import OutputComparison, compare_outputs
from deploy.judging.opinion import PANELS, Judge
from deploy.judging.oracles import OptimisedKernels
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Sample
from deploy.rewriting.rewriting import find, put
from deploy.rewriting.rules.upsampling import upsampling
from deploy.tflite import Model
from deploy.tflite.graph import Graph
from deploy.verifying.host_session import HostSession


class Original:
    """The outputs that a rewritten model is held to.

    TILE has no reference kernel. A model that repeats positions with it is run with RESIZE_NEAREST_NEIGHBOR in its
    place, which copies the same elements (its indices are followed one by one). Where that does not help, both
    models run on the optimised kernels: they round differently, but then both do.

    Attributes:
        kernels: what computes the outputs of both models, for reports.

    Raises:
        BadInputError: LiteRT cannot run the model.
        NotInstalledError: LiteRT is missing.
    """

    def __init__(self, model: Model, samples: Sequence[Sample]) -> None:
        self._model = model
        self._samples = samples
        self.kernels = ReferenceKernels.name
        kernels = ReferenceKernels(model)
        if kernels.name != ReferenceKernels.name:
            kernels = ReferenceKernels(_without_tiles(model))
            self.kernels += " (the original with RESIZE_NEAREST_NEIGHBOR for TILE)"
        self._reference = kernels.name == ReferenceKernels.name
        if not self._reference:
            kernels, self.kernels = OptimisedKernels(model), OptimisedKernels.name
        self._expected = [kernels.run(sample) for sample in samples]

    def compare(self, rewritten: Model) -> tuple[OutputComparison, ...]:
        """Compare the outputs of a rewritten model with the model's own.

        Raises:
            BadInputError: LiteRT cannot run it.
        """
        kernels = ReferenceKernels(_without_tiles(rewritten)) if self._reference else OptimisedKernels(rewritten)
        answers = [kernels.run(sample) for sample in self._samples]
        return compare_outputs(self._model, answers, self._expected)


def _without_tiles(model: Model) -> Model:
    """The model with every nearest-neighbour upsampling in the form that has a reference kernel."""
    graph = Graph(model)
    for site in find(graph, [upsampling]):
        put(graph, site, site.forms[0])
    return graph.model()


def on_npu(
    source: Model, compiled: Model, npu: Npu, samples: Sequence[Sample], tolerance: float
) -> tuple[str, tuple[OutputComparison, ...]]:
    """Run a compiled model on the NPU model, and compare it with the kernels of the model that it comes from.

    The oracles are asked as ``deploy verify`` asks them; the tolerance, in LSB, says which of them decide.

    Returns:
        The kernels that decide, and the comparison with them.

    Raises:
        BadInputError: an operator that was left on the CPU has no kernel here.
        TargetError: the NPU model refuses the command stream.
    """
    answers = [answer.outputs for answer in HostSession(compiled, npu).answers(samples)]
    judge = Judge(source, replace(PANELS["auto"], asked=(_reference,)))
    judge.expect(samples)
    deciding = judge.opinion(answers, tolerance).deciding
    return deciding.reference, deciding.outputs


def _reference(model: Model) -> ReferenceKernels:
    """The reference kernels; where they lack one for a TILE, on the model without it."""
    kernels = ReferenceKernels(model)
    return kernels if kernels.name == ReferenceKernels.name else ReferenceKernels(_without_tiles(model))
